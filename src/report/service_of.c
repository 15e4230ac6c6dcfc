// SPDX-License-Identifier: Apache-2.0
#include "report/service_of.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/report_part.h"

static bool service_has_addr(const struct service *service, const struct bh_addr *addr)
{
	for (size_t i = 0; i < service->n_addrs; i++)
		if (addr_equal(&service->addrs[i], addr))
			return true;
	return false;
}

const struct service *service_of(const struct world *world, const struct bh_addr *addr, uint8_t proto,
				 uint16_t port, const struct service_port **ret_port)
{
	for (size_t i = 0; i < world->n_services; i++) {
		const struct service *service = world->services[i];

		if (service->headless || service->is_name || !service_has_addr(service, addr))
			continue;
		for (size_t j = 0; j < service->n_ports; j++) {
			if (service->ports[j].proto != proto || service->ports[j].port != port)
				continue;
			*ret_port = &service->ports[j];
			return service;
		}
	}
	return NULL;
}

/* Who dials; all that is near is on this node. */
struct near {
	const struct world *world;
	const char *node;
};

static bool node_has_addr(const struct near *near, const struct bh_addr *addr)
{
	const struct node *node = world_node(near->world, near->node);

	for (size_t i = 0; node && i < node->n_addrs; i++)
		if (addr_equal(&node->addrs[i], addr))
			return true;
	return false;
}

static bool addr_is_near(const struct bh_addr *addr, void *data)
{
	const struct near *near = data;
	const struct explain_end end = end_of_addr(near->world, NULL, addr);

	return end.pod ? strcmp(end.pod->node, near->node) == 0 : node_has_addr(near, addr);
}

int service_backends(const struct world *world, const struct service *service,
		     const struct service_port *port, bool is_v6, const struct pod *client,
		     struct backends *ret)
{
	struct near near = { world, client ? client->node : "" };
	const struct service_view view = { (const struct pod *const *)world->pods, world->n_pods, near.node,
					   addr_is_near, &near };
	auto_free const struct endpoint_slice **slices = calloc(world->n_slices + 1, sizeof(*slices));
	size_t n = 0;

	*ret = (struct backends){ 0 };
	if (!slices)
		return -ENOMEM;
	for (size_t i = 0; i < world->n_slices; i++)
		if (strcmp(world->slices[i]->service, service->name) == 0 &&
		    strcmp(world->slices[i]->namespace, service->namespace) == 0)
			slices[n++] = world->slices[i];
	return backends_find(service, port, is_v6, slices, n, &view, ret);
}
