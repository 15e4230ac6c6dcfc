// SPDX-License-Identifier: Apache-2.0
/* The oracle's Services: who serves, read off the objects, and what policy says of each. */
#include <string.h>

#include "lib/cases.h"
#include "lib/oracle.h"

struct dial {
	const struct world *world;
	const struct explain_query *query;
	const struct service *service;
	const struct service_port *port;
	bool seen[EXPLAIN_UNKNOWN]; /* what came of the backends */
	size_t n_backends;
};

static const struct pod *pod_that_has(const struct world *world, const struct bh_addr *addr)
{
	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *pod = world->pods[i];

		for (size_t j = 0; !pod->finished && !pod->host_network && j < pod->n_addrs; j++) {
			if (addr_equal(&pod->addrs[j], addr))
				return pod;
		}
	}
	return NULL;
}

/* internalTrafficPolicy Local: of the node that the client is on. */
static bool is_near(const struct dial *dial, const struct bh_addr *addr, const char *said)
{
	const struct pod *client = dial->query->from.pod, *pod = pod_that_has(dial->world, addr);

	if (!dial->service->local_only)
		return true;
	if (*said && *client->node)
		return strcmp(said, client->node) == 0;
	return pod && strcmp(pod->node, client->node) == 0;
}

/* R25: policy meets the backend's address and port, not what was dialled. */
static void backend_judge(struct dial *dial, const struct bh_addr *addr, uint16_t port)
{
	struct explain_query query = *dial->query;

	if (addr_is_v4(addr) != addr_is_v4(&query.to.addr))
		return;
	query.to = (struct explain_end){ .pod = pod_that_has(dial->world, addr),
					 .has_addr = true,
					 .addr = *addr };
	query.port = port;
	dial->seen[oracle_verdict(dial->world, &query)] = true;
	dial->n_backends++;
}

/* --- slices: the ready ones, or else those that still serve while they terminate */

static bool slice_is_of(const struct endpoint_slice *slice, const struct service *service)
{
	return strcmp(slice->namespace, service->namespace) == 0 &&
	       strcmp(slice->service, service->name) == 0;
}

static bool has_slices(const struct dial *dial)
{
	for (size_t i = 0; i < dial->world->n_slices; i++) {
		if (slice_is_of(dial->world->slices[i], dial->service))
			return true;
	}
	return false;
}

static void slice_judge(struct dial *dial, const struct endpoint_slice *slice, uint16_t port,
			bool of_terminating)
{
	for (size_t i = 0; i < slice->n_endpoints; i++) {
		const struct slice_endpoint *endpoint = &slice->endpoints[i];
		bool counts = of_terminating ? endpoint->terminating && endpoint->serving : endpoint->ready;

		if (counts && is_near(dial, &endpoint->addr, endpoint->node))
			backend_judge(dial, &endpoint->addr, port);
	}
}

static void slices_judge(struct dial *dial, bool of_terminating)
{
	for (size_t i = 0; i < dial->world->n_slices; i++) {
		const struct endpoint_slice *slice = dial->world->slices[i];

		for (size_t j = 0; slice_is_of(slice, dial->service) && j < slice->n_ports; j++) {
			const struct slice_port *port = &slice->ports[j];

			if (port->port && port->proto == dial->port->proto &&
			    strcmp(port->name, dial->port->name) == 0)
				slice_judge(dial, slice, port->port, of_terminating);
		}
	}
}

/* --- no slices: the pods that the selector selects */

static bool has_label(const struct pod *pod, const struct label *wanted)
{
	for (size_t i = 0; i < pod->labels.n; i++) {
		if (strcmp(pod->labels.v[i].key, wanted->key) == 0)
			return strcmp(pod->labels.v[i].value, wanted->value) == 0;
	}
	return false;
}

static bool is_selected(const struct service *service, const struct pod *pod)
{
	for (size_t i = 0; i < service->selector.n; i++) {
		if (!has_label(pod, &service->selector.v[i]))
			return false;
	}
	return strcmp(pod->namespace, service->namespace) == 0 && !pod->finished;
}

/* A name is a number of each pod's own; 0: it has no such port. */
static uint16_t served_port(const struct pod *pod, const struct service_port *port)
{
	for (size_t i = 0; port->target_name && i < pod->n_ports; i++) {
		if (strcmp(pod->ports[i].name, port->target_name) == 0 && pod->ports[i].proto == port->proto)
			return pod->ports[i].number;
	}
	return port->target_name ? 0 : port->target;
}

static void pods_judge(struct dial *dial)
{
	for (size_t i = 0; i < dial->world->n_pods; i++) {
		const struct pod *pod = dial->world->pods[i];
		uint16_t port = served_port(pod, dial->port);

		for (size_t j = 0; port && is_selected(dial->service, pod) && j < pod->n_addrs; j++)
			if (is_near(dial, &pod->addrs[j], pod->node))
				backend_judge(dial, &pod->addrs[j], port);
	}
}

/* --- */

static bool service_has(const struct service *service, const struct bh_addr *addr)
{
	for (size_t i = 0; i < service->n_addrs; i++) {
		if (addr_equal(&service->addrs[i], addr))
			return true;
	}
	return false;
}

static bool front_find(struct dial *dial)
{
	for (size_t i = 0; i < dial->world->n_services; i++) {
		const struct service *service = dial->world->services[i];

		for (size_t j = 0; j < service->n_ports; j++) {
			const struct service_port *port = &service->ports[j];

			if (!service_has(service, &dial->query->to.addr) || port->port != dial->query->port ||
			    port->proto != dial->query->proto)
				continue;
			dial->service = service;
			dial->port = port;
			return true;
		}
	}
	return false;
}

enum explain_verdict oracle_service_verdict(const struct world *world, const struct explain_query *query)
{
	struct dial dial = { .world = world, .query = query };
	enum explain_verdict found = CASE_NO_BACKEND;

	if (!front_find(&dial))
		return EXPLAIN_UNKNOWN;
	if (has_slices(&dial))
		slices_judge(&dial, false);
	else if (dial.service->has_selector)
		pods_judge(&dial);
	if (dial.n_backends == 0)
		slices_judge(&dial, true);
	for (enum explain_verdict v = EXPLAIN_ALLOW; v < EXPLAIN_UNKNOWN; v++) {
		if (dial.seen[v])
			found = found == CASE_NO_BACKEND ? v : EXPLAIN_UNKNOWN;
	}
	return found;
}
