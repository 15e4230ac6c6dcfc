// SPDX-License-Identifier: Apache-2.0
/* Pods of the source and attachments, joined. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/store.h"
#include "base/cleanup.h"
#include "policy/pool.h"

DEFINE_AUTO(struct pod, pod_free)
#define auto_pod cleanup(pod_free_auto)

static int name_compare(const char *namespace, const char *name, const char *other_namespace,
			const char *other_name)
{
	int r = strcmp(namespace, other_namespace);

	return r ? r : strcmp(name, other_name);
}

static bool is_set(const char *text)
{
	return text && text[0];
}

static bool uid_differs(const char *a, const char *b)
{
	return is_set(a) && is_set(b) && strcmp(a, b) != 0;
}

/* --- whose address it is */

static int held_compare(const void *a, const void *b)
{
	return addr_compare(&((const struct held *)a)->addr, &((const struct held *)b)->addr);
}

/* Is the address attached to another pod than this one? */
static bool held_by_other(const struct store *store, const struct bh_addr *addr, const struct pod *pod)
{
	struct held key = { .addr = *addr };
	const struct held *found =
		store->n_held ? bsearch(&key, store->held, store->n_held, sizeof(key), held_compare) : NULL;

	return found && (name_compare(pod->namespace, pod->name, found->endpoint->namespace,
				      found->endpoint->pod) != 0 ||
			 uid_differs(pod->uid, found->endpoint->uid));
}

static bool loses_addr(const struct store *store, const struct pod *pod)
{
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (held_by_other(store, &pod->addrs[i], pod))
			return true;
	return false;
}

/* --- pods of our own */

static bool has_addr(const struct bh_addr *addrs, size_t n, const struct bh_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&addrs[i], addr))
			return true;
	return false;
}

/* Those addresses that are the pod's, each once. Room for all of them is there. */
static void addrs_add(const struct store *store, struct pod *pod, const struct bh_addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!has_addr(pod->addrs, pod->n_addrs, &addrs[i]) && !held_by_other(store, &addrs[i], pod))
			pod->addrs[pod->n_addrs++] = addrs[i];
}

/* A pod after `from` with that name and uid and these addresses, as far as they are its
 * own. Null: out of memory. */
static struct pod *pod_after(const struct store *store, const struct pod *from, const char *name,
			     const char *uid, const struct bh_addr *addrs, size_t n)
{
	struct pod like = *from;
	auto_free struct bh_addr *room = calloc(n + 1, sizeof(*room));

	if (!room)
		return NULL;
	like.compact = false;
	like.name = (char *)(uintptr_t)name;
	like.uid = (char *)(uintptr_t)(uid ? uid : "");
	like.addrs = room;
	like.n_addrs = 0;
	addrs_add(store, &like, addrs, n);
	return pod_compact(&like);
}

static bool pod_same(const struct pod *a, const struct pod *b)
{
	return a->n_addrs == b->n_addrs && a->host_network == b->host_network && a->finished == b->finished &&
	       strcmp(a->uid, b->uid) == 0 && strcmp(a->node, b->node) == 0 &&
	       strcmp(a->workload, b->workload) == 0 &&
	       (!a->n_addrs || memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(*a->addrs)) == 0) &&
	       pod_ports_equal(a, b) && labels_equal(&a->labels, &b->labels);
}

/* An object with another uid speaks of an older or newer pod of the same name and
 * describes nothing here. */
static bool describes(const struct pod *base, const struct endpoint *endpoint)
{
	return base && (is_set(base->workload) || !uid_differs(base->uid, endpoint->uid));
}

/* The uid of the pod that it makes of an endpoint. */
static const char *uid_of(const struct pod *base, const struct endpoint *endpoint)
{
	return is_set(endpoint->uid) ? endpoint->uid : base->uid;
}

static bool makes(const struct pod *base, const struct endpoint *endpoint, const char *uid)
{
	return describes(base, endpoint) && strcmp(uid_of(base, endpoint), uid) == 0;
}

/* The pod of an attachment: all that endpoints of the same pod say, together. R10: a
 * host-network pod's addresses are the node's. */
static struct pod *own_make(const struct store *store, const struct pod *base,
			    const struct endpoint *const *endpoints, size_t n)
{
	const char *uid = uid_of(base, endpoints[0]);
	size_t n_addrs = base->n_addrs;
	auto_free struct bh_addr *addrs = calloc(n_addrs + n * BH_ENDPOINT_ADDRS + 1, sizeof(*addrs));

	if (!addrs)
		return NULL;
	if (n_addrs)
		memcpy(addrs, base->addrs, n_addrs * sizeof(*addrs));
	if (is_set(base->workload))
		n_addrs = 0;
	for (size_t i = 0; i < n && !base->host_network; i++) {
		if (!makes(base, endpoints[i], uid))
			continue;
		memcpy(addrs + n_addrs, endpoints[i]->addrs, endpoints[i]->n_addrs * sizeof(*addrs));
		n_addrs += endpoints[i]->n_addrs;
	}
	return pod_after(store, base, endpoints[0]->pod, uid, addrs, n_addrs);
}

/* The one of exactly that uid, else one that may be it. */
static struct pod *own_find(const struct store *store, const char *namespace, const char *name,
			    const char *uid)
{
	struct pod *found = NULL;

	for (size_t i = 0; i < store->n_own; i++) {
		struct pod *pod = store->own[i];

		if (strcmp(pod->name, name) != 0 || strcmp(pod->namespace, namespace) != 0)
			continue;
		if (strcmp(pod->uid, uid ? uid : "") == 0)
			return pod;
		if (!uid_differs(pod->uid, uid))
			found = pod;
	}
	return found;
}

const struct pod *store_pod(const struct store *store, const struct endpoint *endpoint)
{
	return own_find(store, endpoint->namespace, endpoint->pod, endpoint->uid);
}

static bool grave_reserve(struct store *store)
{
	return array_reserve(&store->graves, &store->cap_graves, store->n_graves, sizeof(*store->graves));
}

/* Somebody may point at it until store_bury(). Room was reserved. */
static void bury(struct store *store, struct pod *pod)
{
	if (pod)
		store->graves[store->n_graves++] = pod;
}

void store_bury(struct store *store)
{
	for (size_t i = 0; i < store->n_graves; i++)
		pod_free(store->graves[i]);
	store->n_graves = 0;
}

static int own_remove(struct store *store, size_t at)
{
	struct pod *pod = store->own[at];

	if (!grave_reserve(store) || store_put_pod(store, pod, NULL, 0) < 0)
		return -ENOMEM;
	bury(store, pod);
	store->own[at] = store->own[--store->n_own];
	store->endpoints_serial++;
	return 0;
}

static int own_add(struct store *store, struct pod *pod, int64_t heard_us)
{
	if (!array_reserve(&store->own, &store->cap_own, store->n_own, sizeof(*store->own)) ||
	    store_put_pod(store, NULL, pod, heard_us) < 0) {
		pod_free(pod);
		return -ENOMEM;
	}
	store->own[store->n_own++] = pod;
	store->endpoints_serial++;
	return 0;
}

/* Takes `pod` over: one that says the same stays where it is. */
static int own_put(struct store *store, struct pod *pod, int64_t heard_us)
{
	for (size_t i = 0; i < store->n_own; i++) {
		struct pod *old = store->own[i];

		if (name_compare(old->namespace, old->name, pod->namespace, pod->name) != 0 ||
		    strcmp(old->uid, pod->uid) != 0)
			continue;
		if (pod_same(old, pod)) {
			pod_free(pod);
			return 0;
		}
		if (!grave_reserve(store) || store_put_pod(store, old, pod, heard_us) < 0) {
			pod_free(pod);
			return -ENOMEM;
		}
		bury(store, old);
		store->own[i] = pod;
		store->endpoints_serial++;
		return 0;
	}
	return own_add(store, pod, heard_us);
}

/* --- attachments of one name */

static int endpoint_compare(const void *a, const void *b)
{
	const struct endpoint *x = *(const struct endpoint *const *)a,
			      *y = *(const struct endpoint *const *)b;
	int r = name_compare(x->namespace, x->pod, y->namespace, y->pod);

	return r ? r : strcmp(x->uid ? x->uid : "", y->uid ? y->uid : "");
}

/* The first of the name; the others follow. Their number. */
static size_t endpoints_of(const struct store *store, const char *namespace, const char *name, size_t *ret)
{
	size_t low = 0, high = store->n_endpoints, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct endpoint *at = store->by_name[middle];

		if (name_compare(at->namespace, at->pod, namespace, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (low + n < store->n_endpoints &&
	       name_compare(store->by_name[low + n]->namespace, store->by_name[low + n]->pod, namespace,
			    name) == 0)
		n++;
	*ret = low;
	return n;
}

bool store_has_endpoints(const struct store *store, const char *namespace)
{
	size_t first;

	endpoints_of(store, namespace, "", &first);
	return first < store->n_endpoints && strcmp(store->by_name[first]->namespace, namespace) == 0;
}

static bool any_makes(const struct pod *base, const struct endpoint *const *endpoints, size_t n,
		      const char *uid)
{
	for (size_t i = 0; i < n; i++)
		if (makes(base, endpoints[i], uid))
			return true;
	return false;
}

/* The own pods of a name, made again. */
static int own_renew(struct store *store, const struct source *source, const char *namespace,
		     const char *name, int64_t heard_us)
{
	size_t first, n = endpoints_of(store, namespace, name, &first);
	const struct endpoint *const *endpoints = store->by_name + first;
	const struct pod *base = n ? source->pod_for(source->data, namespace, name) : NULL;

	for (size_t i = store->n_own; i-- > 0;) {
		const struct pod *own = store->own[i];

		if (name_compare(own->namespace, own->name, namespace, name) == 0 &&
		    !any_makes(base, endpoints, n, own->uid) && own_remove(store, i) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct pod *pod;

		if (!describes(base, endpoints[i]) ||
		    any_makes(base, endpoints, i, uid_of(base, endpoints[i])))
			continue;
		pod = own_make(store, base, endpoints + i, n - i);
		if (!pod || own_put(store, pod, heard_us) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- pods of the source as they stand in the world */

static size_t exception_of(const struct store *store, const struct pod *source)
{
	size_t i = 0;

	while (i < store->n_exceptions && store->exceptions[i].source != source)
		i++;
	return i;
}

/* What stands in the world for a pod of the source, and does no more after this. */
static int unshow(struct store *store, const struct pod *source, const struct pod **ret_shown)
{
	size_t at = exception_of(store, source);

	*ret_shown = source;
	if (!source || at == store->n_exceptions)
		return 0;
	if (!grave_reserve(store))
		return -ENOMEM;
	*ret_shown = store->exceptions[at].copy;
	bury(store, store->exceptions[at].copy);
	store->exceptions[at] = store->exceptions[--store->n_exceptions];
	return 0;
}

/* What is to stand there. */
static int show(struct store *store, const struct pod *source, const struct pod **ret_shown)
{
	struct exception exception = { .source = source };

	*ret_shown = source;
	if (!source)
		return 0;
	if (!own_find(store, source->namespace, source->name, NULL)) {
		if (!loses_addr(store, source))
			return 0;
		exception.copy =
			pod_after(store, source, source->name, source->uid, source->addrs, source->n_addrs);
		if (!exception.copy)
			return -ENOMEM;
	}
	if (!array_reserve(&store->exceptions, &store->cap_exceptions, store->n_exceptions,
			   sizeof(*store->exceptions))) {
		pod_free(exception.copy);
		return -ENOMEM;
	}
	store->exceptions[store->n_exceptions++] = exception;
	*ret_shown = exception.copy;
	return 0;
}

static int reshow(struct store *store, const struct pod *old, const struct pod *now, int64_t heard_us)
{
	const struct pod *was, *is;

	if (unshow(store, old, &was) < 0 || show(store, now, &is) < 0)
		return -ENOMEM;
	return store_put_pod(store, was, is, heard_us);
}

/* A template may describe every attachment of its namespace. */
static int own_renew_for(struct store *store, const struct source *source, const struct pod *pod,
			 int64_t heard_us)
{
	if (!is_set(pod->workload))
		return own_renew(store, source, pod->namespace, pod->name, heard_us);
	for (size_t i = 0; i < store->n_endpoints; i++)
		if (strcmp(store->by_name[i]->namespace, pod->namespace) == 0 &&
		    own_renew(store, source, pod->namespace, store->by_name[i]->pod, heard_us) < 0)
			return -ENOMEM;
	return 0;
}

int store_pod_changed(struct store *store, const struct source *source, const struct change *change)
{
	const struct pod *pod = change->now ? change->now : change->old;

	if (own_renew_for(store, source, pod, change->heard_us) < 0)
		return -ENOMEM;
	return reshow(store, change->old, change->now, change->heard_us);
}

/* --- endpoints that come and go */

int store_endpoints_index(struct store *store, const struct attachments *attachments)
{
	const struct endpoint **by_name = calloc(attachments->n + 1, sizeof(*by_name));
	struct held *held = calloc(attachments->n * BH_ENDPOINT_ADDRS + 1, sizeof(*held));

	free(store->by_name);
	free(store->held);
	store->by_name = by_name;
	store->held = held;
	store->n_endpoints = store->n_held = 0;
	if (!by_name || !held)
		return -ENOMEM;
	for (size_t i = 0; i < attachments->n; i++) {
		const struct endpoint *endpoint = &attachments->v[i]->endpoint;

		by_name[store->n_endpoints++] = endpoint;
		for (size_t k = 0; k < endpoint->n_addrs; k++)
			held[store->n_held++] = (struct held){ endpoint->addrs[k], endpoint };
	}
	if (attachments->n)
		qsort(by_name, attachments->n, sizeof(*by_name), endpoint_compare);
	if (store->n_held)
		qsort(held, store->n_held, sizeof(*held), held_compare);
	return 0;
}

static int own_renew_all(struct store *store, const struct source *source)
{
	for (size_t i = store->n_own; i-- > 0;) {
		const struct pod *own = store->own[i];
		size_t first;

		if (!endpoints_of(store, own->namespace, own->name, &first) && own_remove(store, i) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < store->n_endpoints; i++) {
		const struct endpoint *at = store->by_name[i], *before = i ? store->by_name[i - 1] : NULL;

		if (before && name_compare(at->namespace, at->pod, before->namespace, before->pod) == 0)
			continue;
		if (own_renew(store, source, at->namespace, at->pod, 0) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool is_own(const struct store *store, const struct pod *pod)
{
	return pod == own_find(store, pod->namespace, pod->name, pod->uid);
}

/* Who loses an address to an attachment, or is one. From the end: what is put in comes
 * after. */
static int pods_reshow(struct store *store, const struct source *source)
{
	for (size_t i = 0; i < store->n_own; i++) {
		const struct pod *own = store->own[i],
				 *base = source->pod_for(source->data, own->namespace, own->name);

		if (base && strcmp(base->name, own->name) == 0 && bag_has(&store->bags[CHANGE_POD], base) &&
		    reshow(store, base, base, 0) < 0)
			return -ENOMEM;
	}
	for (size_t i = store->bags[CHANGE_POD].n; i-- > 0;) {
		const struct pod *pod = store->bags[CHANGE_POD].v[i];

		if (loses_addr(store, pod) && !is_own(store, pod) && reshow(store, pod, pod, 0) < 0)
			return -ENOMEM;
	}
	return 0;
}

int store_attachments_changed(struct store *store, const struct source *source,
			      const struct attachments *attachments)
{
	const struct pod **were = calloc(store->n_exceptions + 1, sizeof(*were));
	size_t n = store->n_exceptions;
	int r = were ? store_endpoints_index(store, attachments) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		were[i] = store->exceptions[i].source;
	if (r == 0)
		r = own_renew_all(store, source);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = reshow(store, were[i], were[i], 0);
	free(were);
	if (r == 0)
		r = pods_reshow(store, source);
	if (r < 0)
		return r;
	store->attachments_serial = attachments->serial;
	store->endpoints_serial++;
	store->policies_due = true;
	return 0;
}

void store_pods_done(struct store *store)
{
	store_bury(store);
	for (size_t i = 0; i < store->n_own; i++)
		pod_free(store->own[i]);
	for (size_t i = 0; i < store->n_exceptions; i++)
		pod_free(store->exceptions[i].copy);
	free(store->own);
	free(store->exceptions);
	free(store->graves);
	free(store->by_name);
	free(store->held);
	store->own = NULL;
	store->exceptions = NULL;
	store->graves = NULL;
	store->by_name = NULL;
	store->held = NULL;
	store->n_own = store->cap_own = store->n_exceptions = store->cap_exceptions = 0;
	store->n_graves = store->cap_graves = store->n_endpoints = store->n_held = 0;
}
