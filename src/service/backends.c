// SPDX-License-Identifier: Apache-2.0
#include "service/backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct search {
	const struct service *service;
	const struct service_port *port;
	bool is_v6;
	const struct service_view *view;
	struct backends *found;
	size_t cap;
};

static int backend_add(struct search *search, const struct bh_addr *addr, uint16_t port)
{
	struct backends *found = search->found;

	if (found->n == search->cap) {
		size_t cap = search->cap ? search->cap * 2 : 8;
		struct bh_backend *more = reallocarray(found->v, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		found->v = more;
		search->cap = cap;
	}
	found->v[found->n++] = (struct bh_backend){ .addr = *addr, .port = htons(port) };
	return 0;
}

/* --- slices --- */

static const struct slice_port *slice_port_find(const struct endpoint_slice *slice,
						const struct service_port *port)
{
	for (size_t i = 0; i < slice->n_ports; i++)
		if (slice->ports[i].proto == port->proto && strcmp(slice->ports[i].name, port->name) == 0)
			return slice->ports[i].port ? &slice->ports[i] : NULL;
	return NULL;
}

/* The address is a fact, the node's name what somebody wrote; either will do. */
static bool endpoint_is_local(const struct slice_endpoint *endpoint, const struct service_view *view)
{
	if (*endpoint->node && *view->node)
		return strcmp(endpoint->node, view->node) == 0;
	return view->is_local(&endpoint->addr, view->data);
}

static bool endpoint_counts(const struct search *search, const struct slice_endpoint *endpoint,
			    bool terminating)
{
	if (terminating ? !(endpoint->serving && endpoint->terminating) : !endpoint->ready)
		return false;
	if (addr_is_v4(&endpoint->addr) == search->is_v6)
		return false;
	return !search->service->local_only || endpoint_is_local(endpoint, search->view);
}

static int slices_search(struct search *search, const struct endpoint_slice *const *slices, size_t n_slices,
			 bool terminating)
{
	for (size_t i = 0; i < n_slices; i++) {
		const struct slice_port *port = slice_port_find(slices[i], search->port);

		for (size_t j = 0; port && j < slices[i]->n_endpoints; j++) {
			const struct slice_endpoint *endpoint = &slices[i]->endpoints[j];

			if (endpoint_counts(search, endpoint, terminating) &&
			    backend_add(search, &endpoint->addr, port->port) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* --- pods that stand for slices --- */

static bool pod_is_backend(const struct pod *pod, const struct service *service)
{
	return !pod->finished && service_selects(service, pod);
}

static int pod_search(struct search *search, const struct pod *pod)
{
	uint16_t port = service_port_in(search->port, pod);

	for (size_t i = 0; port && i < pod->n_addrs; i++) {
		const struct bh_addr *addr = &pod->addrs[i];

		if (addr_is_v4(addr) == search->is_v6 || !addr_is_routable(addr) ||
		    (search->service->local_only && !search->view->is_local(addr, search->view->data)))
			continue;
		return backend_add(search, addr, port); /* the first of the family */
	}
	return 0;
}

static int pods_search(struct search *search)
{
	for (size_t i = 0; i < search->view->n_pods; i++)
		if (pod_is_backend(search->view->pods[i], search->service) &&
		    pod_search(search, search->view->pods[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* --- */

static int backend_compare(const void *a, const void *b)
{
	const struct bh_backend *x = a, *y = b;

	return (int)bh_sorts_after(&x->addr, x->port, &y->addr, y->port) -
	       (int)bh_sorts_after(&y->addr, y->port, &x->addr, x->port);
}

/* Slices may name an endpoint twice while it moves from one to another. */
static void backends_settle(struct backends *backends)
{
	size_t kept = 0;

	if (backends->n)
		qsort(backends->v, backends->n, sizeof(*backends->v), backend_compare);
	for (size_t i = 0; i < backends->n; i++)
		if (kept == 0 || backend_compare(&backends->v[kept - 1], &backends->v[i]) != 0)
			backends->v[kept++] = backends->v[i];
	backends->n = kept;
}

int backends_find(const struct service *service, const struct service_port *port, bool is_v6,
		  const struct endpoint_slice *const *slices, size_t n_slices,
		  const struct service_view *view, struct backends *ret)
{
	struct search search = { service, port, is_v6, view, ret, 0 };
	int r;

	*ret = (struct backends){ 0 };
	if (n_slices == 0 && view->pods && service->has_selector)
		r = pods_search(&search);
	else
		r = slices_search(&search, slices, n_slices, false);
	if (r == 0 && ret->n == 0)
		r = slices_search(&search, slices, n_slices, true);
	if (r < 0) {
		backends_done(ret);
		return r;
	}
	backends_settle(ret);
	return 0;
}

void backends_done(struct backends *backends)
{
	free(backends->v);
	*backends = (struct backends){ 0 };
}
