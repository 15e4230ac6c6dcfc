// SPDX-License-Identifier: Apache-2.0
#include "agent/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

DEFINE_AUTO(struct pod, pod_free)
#define auto_pod cleanup(pod_free_auto)

/* Which attached pod holds an address; sorted by address. */
struct held {
	struct bh_addr addr;
	const struct endpoint *endpoint;
};

struct held_list {
	struct held *v;
	size_t n;
};

static int name_compare(const char *namespace, const char *name, const char *other_namespace,
			const char *other_name)
{
	int r = strcmp(namespace, other_namespace);

	return r ? r : strcmp(name, other_name);
}

static int pod_compare(const void *a, const void *b)
{
	const struct pod *p = *(struct pod *const *)a, *q = *(struct pod *const *)b;

	return name_compare(p->namespace, p->name, q->namespace, q->name);
}

static bool pod_has_addr(const struct pod *pod, const struct bh_addr *addr)
{
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (addr_equal(&pod->addrs[i], addr))
			return true;
	return false;
}

static int pod_add_addrs(struct pod *pod, const struct bh_addr *addrs, size_t n)
{
	struct bh_addr *v = reallocarray(pod->addrs, pod->n_addrs + n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	pod->addrs = v;
	for (size_t i = 0; i < n; i++)
		if (!pod_has_addr(pod, &addrs[i]))
			pod->addrs[pod->n_addrs++] = addrs[i];
	return 0;
}

static int labels_copy(struct labels *to, const struct labels *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (labels_set(to, from->v[i].key, from->v[i].value) < 0)
			return -ENOMEM;
	return 0;
}

static int ports_copy(struct pod *to, const struct pod *from)
{
	to->ports = calloc(from->n_ports + 1, sizeof(*to->ports));
	if (!to->ports)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_ports; i++) {
		struct named_port *port = &to->ports[to->n_ports++];

		*port = from->ports[i];
		port->name = NULL;
		if (from->ports[i].name && !(port->name = strdup(from->ports[i].name)))
			return -ENOMEM;
	}
	return 0;
}

static char *text_or_empty(const char *text)
{
	return strdup(text ? text : "");
}

/* A pod of our own after `from`, without addresses. Null: out of memory. */
static struct pod *pod_copy(const struct pod *from, const char *namespace, const char *name, const char *uid)
{
	auto_pod struct pod *pod = calloc(1, sizeof(*pod));

	if (!pod)
		return NULL;
	pod->namespace = text_or_empty(namespace);
	pod->name = text_or_empty(name);
	pod->uid = text_or_empty(uid);
	pod->node = text_or_empty(from->node);
	pod->workload = text_or_empty(from->workload);
	pod->host_network = from->host_network;
	pod->finished = from->finished;
	if (!pod->namespace || !pod->name || !pod->uid || !pod->node || !pod->workload ||
	    labels_copy(&pod->labels, &from->labels) < 0 || ports_copy(pod, from) < 0)
		return NULL;
	return TAKE(pod);
}

static bool is_set(const char *text)
{
	return text && text[0];
}

static bool uid_differs(const char *a, const char *b)
{
	return is_set(a) && is_set(b) && strcmp(a, b) != 0;
}

static struct pod *own_find(const struct store *store, const char *namespace, const char *name,
			    const char *uid)
{
	for (size_t i = 0; i < store->n_own; i++) {
		struct pod *pod = store->own[i];

		if (strcmp(pod->name, name) == 0 && strcmp(pod->namespace, namespace) == 0 &&
		    !uid_differs(pod->uid, uid))
			return pod;
	}
	return NULL;
}

/* The pod of one attachment goes into `own`. An object with another uid speaks
 * of an older or newer pod of the same name and describes nothing here. */
static int own_add(struct store *store, const struct source *source, const struct endpoint *endpoint)
{
	const struct pod *base = source->pod_for(source->data, endpoint->namespace, endpoint->pod);
	struct pod *pod;

	if (!base || (!is_set(base->workload) && uid_differs(base->uid, endpoint->uid)))
		return 0;
	pod = own_find(store, endpoint->namespace, endpoint->pod, endpoint->uid);
	if (!pod) {
		pod = pod_copy(base, endpoint->namespace, endpoint->pod,
			       is_set(endpoint->uid) ? endpoint->uid : base->uid);
		if (!pod)
			return -ENOMEM;
		store->own[store->n_own++] = pod;
		if (!is_set(base->workload) && pod_add_addrs(pod, base->addrs, base->n_addrs) < 0)
			return -ENOMEM;
	}
	/* R10: a host-network pod's addresses are the node's. */
	return pod->host_network ? 0 : pod_add_addrs(pod, endpoint->addrs, endpoint->n_addrs);
}

static int own_build(struct store *store, const struct source *source, const struct attachments *attachments)
{
	store->own = calloc(attachments->n + source->world->n_pods + 1, sizeof(*store->own));
	if (!store->own)
		return -ENOMEM;
	for (size_t i = 0; i < attachments->n; i++)
		if (own_add(store, source, &attachments->v[i]->endpoint) < 0)
			return -ENOMEM;
	qsort(store->own, store->n_own, sizeof(*store->own), pod_compare);
	return 0;
}

static int held_compare(const void *a, const void *b)
{
	return addr_compare(&((const struct held *)a)->addr, &((const struct held *)b)->addr);
}

static int held_build(const struct attachments *attachments, struct held_list *held)
{
	held->v = calloc(attachments->n * BH_ENDPOINT_ADDRS + 1, sizeof(*held->v));
	if (!held->v)
		return -ENOMEM;
	for (size_t i = 0; i < attachments->n; i++) {
		const struct endpoint *endpoint = &attachments->v[i]->endpoint;

		for (size_t j = 0; j < endpoint->n_addrs; j++)
			held->v[held->n++] = (struct held){ endpoint->addrs[j], endpoint };
	}
	qsort(held->v, held->n, sizeof(*held->v), held_compare);
	return 0;
}

/* Is the address attached to another pod than this one? */
static bool held_by_other(const struct held_list *held, const struct bh_addr *addr, const struct pod *pod)
{
	struct held key = { .addr = *addr };
	const struct held *found = bsearch(&key, held->v, held->n, sizeof(key), held_compare);

	return found && (name_compare(pod->namespace, pod->name, found->endpoint->namespace,
				      found->endpoint->pod) != 0 ||
			 uid_differs(pod->uid, found->endpoint->uid));
}

static bool loses_addr(const struct held_list *held, const struct pod *pod)
{
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (held_by_other(held, &pod->addrs[i], pod))
			return true;
	return false;
}

static void strip_addrs(const struct held_list *held, struct pod *pod)
{
	size_t kept = 0;

	for (size_t i = 0; i < pod->n_addrs; i++)
		if (!held_by_other(held, &pod->addrs[i], pod))
			pod->addrs[kept++] = pod->addrs[i];
	pod->n_addrs = kept;
}

/* A copy of a pod of the source that no longer holds all its addresses. */
static struct pod *stripped_copy(const struct held_list *held, const struct pod *pod)
{
	auto_pod struct pod *copy = pod_copy(pod, pod->namespace, pod->name, pod->uid);

	if (!copy || pod_add_addrs(copy, pod->addrs, pod->n_addrs) < 0)
		return NULL;
	strip_addrs(held, copy);
	return TAKE(copy);
}

static int pods_build(struct store *store, const struct world *from, const struct held_list *held)
{
	size_t n_attached = store->n_own;
	struct world *world = &store->world;

	world->pods = calloc(from->n_pods + n_attached + 1, sizeof(*world->pods));
	if (!world->pods)
		return -ENOMEM;
	for (size_t i = 0; i < n_attached; i++) {
		strip_addrs(held, store->own[i]);
		world->pods[world->n_pods++] = store->own[i];
	}
	for (size_t i = 0; i < from->n_pods; i++) {
		struct pod *pod = from->pods[i];

		if (bsearch(&pod, store->own, n_attached, sizeof(pod), pod_compare))
			continue; /* stands there as attached */
		if (loses_addr(held, pod)) {
			pod = stripped_copy(held, pod);
			if (!pod)
				return -ENOMEM;
			store->own[store->n_own++] = pod;
		}
		world->pods[world->n_pods++] = pod;
	}
	return 0;
}

static int netpols_build(struct store *store, const struct world *from)
{
	struct world *world = &store->world;

	world->netpols = calloc(from->n_netpols + store->kept.n + 1, sizeof(*world->netpols));
	if (!world->netpols)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_netpols; i++)
		world->netpols[world->n_netpols++] = from->netpols[i];
	for (size_t i = 0; i < store->kept.n; i++)
		if (store->kept.v[i].missing)
			world->netpols[world->n_netpols++] = store->kept.v[i].netpol;
	return 0;
}

/* All but what is remembered from one build to the next. */
static void store_clear(struct store *store)
{
	for (size_t i = 0; i < store->n_own; i++)
		pod_free(store->own[i]);
	free(store->own);
	free(store->world.pods);
	free(store->world.netpols);
	*store = (struct store){ .kept = store->kept };
}

int store_build(struct store *store, const struct source *source, const struct attachments *attachments,
		const struct posture_config *posture, struct err *err)
{
	struct held_list held = { 0 };
	int r;

	store_clear(store);
	r = keeper_update(&store->kept, source->world, attachments, err);
	if (r < 0)
		return r;
	r = held_build(attachments, &held);
	if (r == 0)
		r = own_build(store, source, attachments);
	if (r == 0)
		r = pods_build(store, source->world, &held);
	if (r == 0)
		r = netpols_build(store, source->world);
	free(held.v);
	if (r < 0) {
		store_clear(store);
		return err_set(err, ENOMEM, "joining objects and attachments: out of memory");
	}
	store->world.namespaces = source->world->namespaces;
	store->world.n_namespaces = source->world->n_namespaces;
	store->world.services = source->world->services;
	store->world.n_services = source->world->n_services;
	store->world.posture = *posture;
	return 0;
}

void store_done(struct store *store)
{
	store_clear(store);
	keeper_done(&store->kept);
}

const struct pod *store_pod(const struct store *store, const struct endpoint *endpoint)
{
	return own_find(store, endpoint->namespace, endpoint->pod, endpoint->uid);
}
