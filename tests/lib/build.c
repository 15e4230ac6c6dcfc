// SPDX-License-Identifier: Apache-2.0
#include "lib/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
	fprintf(stderr, "test builder: %s\n", what);
	abort();
}

static void *must(void *pointer)
{
	if (!pointer)
		die("out of memory");
	return pointer;
}

static char *copy_of(const char *text)
{
	return must(strdup(text));
}

/* Room for one more in an array of n. */
static void *grow(void *array, size_t n, size_t size)
{
	return must(reallocarray(array, n + 1, size));
}

struct bh_addr an_addr(const char *text)
{
	struct bh_addr addr;

	if (addr_parse(text, &addr) < 0)
		die(text);
	return addr;
}

struct prefix a_prefix(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) < 0)
		die(text);
	return prefix;
}

struct labels some_labels(const char *list)
{
	struct labels labels = { 0 };
	char *copy = copy_of(list), *save = NULL;

	for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		char *value = strchr(item, '=');

		if (!value)
			die(list);
		*value++ = '\0';
		if (labels_set(&labels, item, value) < 0)
			die("out of memory");
	}
	free(copy);
	return labels;
}

struct pod *a_pod(const char *namespace, const char *name, const char *labels)
{
	struct pod *pod = must(calloc(1, sizeof(*pod)));

	pod->namespace = copy_of(namespace);
	pod->name = copy_of(name);
	pod->uid = copy_of("");
	pod->node = copy_of("");
	pod->workload = copy_of("");
	pod->labels = some_labels(labels);
	return pod;
}

void pod_add_addr(struct pod *pod, const char *addr)
{
	pod->addrs = grow(pod->addrs, pod->n_addrs, sizeof(*pod->addrs));
	pod->addrs[pod->n_addrs++] = an_addr(addr);
}

void pod_add_port(struct pod *pod, const char *name, uint8_t proto, uint16_t number)
{
	pod->ports = grow(pod->ports, pod->n_ports, sizeof(*pod->ports));
	pod->ports[pod->n_ports++] =
		(struct named_port){ .name = copy_of(name), .proto = proto, .number = number };
}

struct namespace *a_namespace(const char *name, const char *labels)
{
	struct namespace *ns = must(calloc(1, sizeof(*ns)));

	ns->name = copy_of(name);
	ns->labels = some_labels(labels);
	if (labels_set(&ns->labels, "kubernetes.io/metadata.name", name) < 0)
		die("out of memory");
	return ns;
}

void selector_add(struct selector *selector, const char *key, enum selector_op op, const char *values)
{
	struct requirement *requirement;
	char *copy = copy_of(values), *save = NULL;

	selector->has = true;
	selector->v = grow(selector->v, selector->n, sizeof(*selector->v));
	requirement = &selector->v[selector->n++];
	*requirement = (struct requirement){ .key = copy_of(key), .op = op };
	for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		requirement->values = grow(requirement->values, requirement->n_values, sizeof(char *));
		requirement->values[requirement->n_values++] = copy_of(item);
	}
	free(copy);
}

struct selector a_selector(const char *labels)
{
	struct selector selector = { .has = labels };
	struct labels wanted;

	if (!labels)
		return selector;
	wanted = some_labels(labels);
	for (size_t i = 0; i < wanted.n; i++)
		selector_add(&selector, wanted.v[i].key, SELECTOR_IN, wanted.v[i].value);
	labels_done(&wanted);
	return selector;
}

struct netpol *a_policy(const char *namespace, const char *name, const char *pods)
{
	struct netpol *policy = must(calloc(1, sizeof(*policy)));

	policy->namespace = copy_of(namespace);
	policy->name = copy_of(name);
	policy->uid = copy_of("");
	policy->pods = a_selector(pods);
	return policy;
}

void policy_isolates(struct netpol *policy, enum bh_direction direction)
{
	policy->isolates[direction] = true;
}

struct rule *policy_add_rule(struct netpol *policy, enum bh_direction direction)
{
	struct rule **rules = &policy->rules[direction];

	policy_isolates(policy, direction);
	*rules = grow(*rules, policy->n_rules[direction], sizeof(**rules));
	(*rules)[policy->n_rules[direction]] = (struct rule){ 0 };
	return &(*rules)[policy->n_rules[direction]++];
}

static struct peer *peer_new(struct rule *rule)
{
	rule->has_peers = true;
	rule->peers = grow(rule->peers, rule->n_peers, sizeof(*rule->peers));
	rule->peers[rule->n_peers] = (struct peer){ 0 };
	return &rule->peers[rule->n_peers++];
}

struct peer *rule_add_peer(struct rule *rule, const char *pods, const char *namespaces)
{
	struct peer *peer = peer_new(rule);

	peer->pods = a_selector(pods);
	peer->namespaces = a_selector(namespaces);
	return peer;
}

struct peer *rule_add_block(struct rule *rule, const char *cidr)
{
	struct peer *peer = peer_new(rule);

	peer->has_block = true;
	peer->block = a_prefix(cidr);
	return peer;
}

void peer_add_except(struct peer *peer, const char *cidr)
{
	peer->excepts = grow(peer->excepts, peer->n_excepts, sizeof(*peer->excepts));
	peer->excepts[peer->n_excepts++] = a_prefix(cidr);
}

static struct port_match *port_new(struct rule *rule, uint8_t proto)
{
	rule->has_ports = true;
	rule->ports = grow(rule->ports, rule->n_ports, sizeof(*rule->ports));
	rule->ports[rule->n_ports] = (struct port_match){ .proto = proto };
	return &rule->ports[rule->n_ports++];
}

void rule_add_port(struct rule *rule, uint8_t proto, uint16_t first, uint16_t last)
{
	struct port_match *match = port_new(rule, proto);

	match->has_port = first > 0;
	match->first = first;
	match->last = last;
}

void rule_add_named_port(struct rule *rule, uint8_t proto, const char *name)
{
	struct port_match *match = port_new(rule, proto);

	match->has_port = true;
	match->name = copy_of(name);
}

void world_add_pod(struct world *world, struct pod *pod)
{
	world->pods = grow(world->pods, world->n_pods, sizeof(struct pod *));
	world->pods[world->n_pods++] = pod;
}

void world_add_namespace(struct world *world, struct namespace *ns)
{
	world->namespaces = grow(world->namespaces, world->n_namespaces, sizeof(struct namespace *));
	world->namespaces[world->n_namespaces++] = ns;
}

void world_add_policy(struct world *world, struct netpol *policy)
{
	world->netpols = grow(world->netpols, world->n_netpols, sizeof(struct netpol *));
	world->netpols[world->n_netpols++] = policy;
}

struct endpoint an_endpoint(const struct pod *pod, uint32_t slot, uint32_t ifindex)
{
	struct endpoint endpoint = { .slot = slot,
				     .ifindex = ifindex,
				     .namespace = pod->namespace,
				     .pod = pod->name,
				     .uid = pod->uid };

	for (size_t i = 0; i < pod->n_addrs && i < BH_ENDPOINT_ADDRS; i++)
		endpoint.addrs[endpoint.n_addrs++] = pod->addrs[i];
	return endpoint;
}
