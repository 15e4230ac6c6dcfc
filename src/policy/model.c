// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"

#include <stdlib.h>
#include <string.h>

static void strings_free(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

void peer_done(struct peer *peer)
{
	selector_done(&peer->pods);
	selector_done(&peer->namespaces);
	free(peer->excepts);
}

static void rule_done(struct rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++)
		peer_done(&rule->peers[i]);
	for (size_t i = 0; i < rule->n_ports; i++)
		free(rule->ports[i].name);
	free(rule->peers);
	free(rule->ports);
}

struct netpol *netpol_free(struct netpol *netpol)
{
	if (!netpol)
		return NULL;
	if (netpol->compact) {
		netpol_compact_free(netpol);
		return NULL;
	}
	for (int direction = 0; direction < 2; direction++) {
		for (size_t i = 0; i < netpol->n_rules[direction]; i++)
			rule_done(&netpol->rules[direction][i]);
		free(netpol->rules[direction]);
	}
	strings_free(netpol->problems, netpol->n_problems);
	selector_done(&netpol->pods);
	free(netpol->namespace);
	free(netpol->name);
	free(netpol->uid);
	free(netpol);
	return NULL;
}

struct namespace *namespace_free(struct namespace *ns)
{
	if (!ns)
		return NULL;
	labels_done(&ns->labels);
	free(ns->name);
	free(ns);
	return NULL;
}

struct service *service_free(struct service *service)
{
	if (!service)
		return NULL;
	for (size_t i = 0; i < service->n_ports; i++) {
		free(service->ports[i].name);
		free(service->ports[i].target_name);
	}
	free(service->ports);
	free(service->addrs);
	labels_done(&service->selector);
	free(service->namespace);
	free(service->name);
	free(service);
	return NULL;
}

bool service_selects(const struct service *service, const struct pod *pod)
{
	if (!service->has_selector || strcmp(service->namespace, pod->namespace) != 0)
		return false;
	for (size_t i = 0; i < service->selector.n; i++) {
		const char *value = labels_get(&pod->labels, service->selector.v[i].key);

		if (!value || strcmp(value, service->selector.v[i].value) != 0)
			return false;
	}
	return true;
}

uint16_t service_port_in(const struct service_port *port, const struct pod *pod)
{
	if (!port->target_name)
		return port->target;
	for (size_t i = 0; i < pod->n_ports; i++)
		if (pod->ports[i].proto == port->proto && strcmp(pod->ports[i].name, port->target_name) == 0)
			return pod->ports[i].number;
	return 0;
}

struct endpoint_slice *endpoint_slice_free(struct endpoint_slice *slice)
{
	if (!slice)
		return NULL;
	for (size_t i = 0; i < slice->n_ports; i++)
		free(slice->ports[i].name);
	for (size_t i = 0; i < slice->n_endpoints; i++)
		free(slice->endpoints[i].node);
	free(slice->ports);
	free(slice->endpoints);
	free(slice->namespace);
	free(slice->name);
	free(slice->service);
	free(slice);
	return NULL;
}

struct node *node_free(struct node *node)
{
	if (!node)
		return NULL;
	free(node->addrs);
	free(node->pod_ranges);
	free(node->name);
	free(node);
	return NULL;
}

void posture_config_done(struct posture_config *config)
{
	strings_free(config->exempt_namespaces, config->n_exempt_namespaces);
	free(config->dns_namespace);
	selector_done(&config->dns_pods);
	*config = (struct posture_config){ 0 };
}

void world_done(struct world *world)
{
	for (size_t i = 0; i < world->n_pods; i++)
		pod_free(world->pods[i]);
	for (size_t i = 0; i < world->n_namespaces; i++)
		namespace_free(world->namespaces[i]);
	for (size_t i = 0; i < world->n_netpols; i++)
		netpol_free(world->netpols[i]);
	for (size_t i = 0; i < world->n_services; i++)
		service_free(world->services[i]);
	for (size_t i = 0; i < world->n_slices; i++)
		endpoint_slice_free(world->slices[i]);
	for (size_t i = 0; i < world->n_nodes; i++)
		node_free(world->nodes[i]);
	free(world->pods);
	free(world->namespaces);
	free(world->netpols);
	free(world->services);
	free(world->slices);
	free(world->nodes);
	posture_config_done(&world->posture);
	*world = (struct world){ 0 };
}

const struct namespace *world_namespace(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->n_namespaces; i++) {
		if (strcmp(world->namespaces[i]->name, name) == 0)
			return world->namespaces[i];
	}
	return NULL;
}

const struct node *world_node(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->n_nodes; i++) {
		if (strcmp(world->nodes[i]->name, name) == 0)
			return world->nodes[i];
	}
	return NULL;
}

const struct pod *world_pod(const struct world *world, const char *namespace, const char *name)
{
	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *pod = world->pods[i];

		if (strcmp(pod->name, name) == 0 && strcmp(pod->namespace, namespace) == 0)
			return pod;
	}
	return NULL;
}
