// SPDX-License-Identifier: Apache-2.0
#include "lib/feeder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/pool.h"

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "feeder: out of memory\n");
		abort();
	}
	return memory;
}

/* --- copies, and whether they still say the same */

static struct pod *pod_clone(const struct pod *pod)
{
	return must(pod_compact(pod));
}

static bool pod_same(const struct pod *a, const struct pod *b)
{
	return a->n_addrs == b->n_addrs && a->host_network == b->host_network && a->finished == b->finished &&
	       strcmp(a->uid, b->uid ? b->uid : "") == 0 &&
	       (a->n_addrs == 0 || memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(*a->addrs)) == 0) &&
	       labels_equal(&a->labels, &b->labels) && pod_ports_equal(a, b);
}

static struct namespace *namespace_clone(const struct namespace *ns)
{
	struct namespace *copy = must(calloc(1, sizeof(*copy)));

	copy->name = must(strdup(ns->name));
	copy->posture = ns->posture;
	copy->terminating = ns->terminating;
	for (size_t i = 0; i < ns->labels.n; i++)
		labels_set(&copy->labels, ns->labels.v[i].key, ns->labels.v[i].value);
	return copy;
}

static bool namespace_same(const struct namespace *a, const struct namespace *b)
{
	return a->posture == b->posture && labels_equal(&a->labels, &b->labels);
}

static struct netpol *netpol_clone(const struct netpol *netpol)
{
	return must(netpol_copy(netpol));
}

/* --- one kind after the other */

struct kind {
	bool (*named_same)(const void *a, const void *b);
	bool (*same)(const void *copy, const void *object);
	void *(*clone)(const void *object);
	void (*free)(void *copy);
	void (*tell)(struct tables *tables, const void *old, const void *now);
};

#define KIND(type, name_same)                                                                                \
	static bool type##_named_same(const void *x, const void *y)                                          \
	{                                                                                                    \
		const struct type *a = x, *b = y;                                                            \
		return name_same;                                                                            \
	}                                                                                                    \
	static bool type##_is_same(const void *x, const void *y)                                             \
	{                                                                                                    \
		return type##_same(x, y);                                                                    \
	}                                                                                                    \
	static void *type##_make(const void *x)                                                              \
	{                                                                                                    \
		return type##_clone(x);                                                                      \
	}                                                                                                    \
	static void type##_drop(void *x)                                                                     \
	{                                                                                                    \
		type##_free(x);                                                                              \
	}                                                                                                    \
	static void type##_tell(struct tables *tables, const void *old, const void *now)                     \
	{                                                                                                    \
		tables_##type(tables, old, now);                                                             \
	}                                                                                                    \
	static const struct kind kind_##type = { type##_named_same, type##_is_same, type##_make,             \
						 type##_drop, type##_tell };

#define netpol_same netpol_equal
KIND(pod, strcmp(a->namespace, b->namespace) == 0 && strcmp(a->name, b->name) == 0)
KIND(namespace, strcmp(a->name, b->name) == 0)
KIND(netpol, strcmp(a->namespace, b->namespace) == 0 && strcmp(a->name, b->name) == 0)

static void around(const struct feeder *feeder, bool is_before)
{
	if (feeder->around)
		feeder->around(is_before);
}

/* What is no longer current, until the tables have looked. */
struct graves {
	struct {
		void *copy;
		void (*free)(void *copy);
	} * v;
	size_t n, cap;
};

static void bury(struct graves *graves, const struct kind *kind, void *copy)
{
	if (!array_reserve(&graves->v, &graves->cap, graves->n, sizeof(*graves->v)))
		must(NULL);
	graves->v[graves->n].copy = copy;
	graves->v[graves->n++].free = kind->free;
}

static void graves_done(struct graves *graves)
{
	for (size_t i = 0; i < graves->n; i++)
		graves->v[i].free(graves->v[i].copy);
	free(graves->v);
}

static size_t find(const struct kind *kind, void *const *list, size_t n, const void *object)
{
	size_t i = 0;

	while (i < n && !kind->named_same(list[i], object))
		i++;
	return i;
}

static void tell(const struct feeder *feeder, const struct kind *kind, struct tables *tables, const void *old,
		 const void *now)
{
	around(feeder, true);
	kind->tell(tables, old, now);
	around(feeder, false);
}

static void list_tell(const struct feeder *feeder, const struct kind *kind, struct tables *tables,
		      void ***copies, size_t *n_copies, void *const *objects, size_t n, struct graves *graves)
{
	for (size_t i = 0; i < *n_copies;) {
		void *copy = (*copies)[i];

		if (find(kind, objects, n, copy) < n) {
			i++;
			continue;
		}
		tell(feeder, kind, tables, copy, NULL);
		bury(graves, kind, copy);
		(*copies)[i] = (*copies)[--*n_copies];
	}
	*copies = must(reallocarray(*copies, *n_copies + n + 1, sizeof(**copies)));
	for (size_t i = 0; i < n; i++) {
		size_t at = find(kind, *copies, *n_copies, objects[i]);
		void *old = at < *n_copies ? (*copies)[at] : NULL;

		if (old && kind->same(old, objects[i]))
			continue;
		(*copies)[at] = kind->clone(objects[i]);
		*n_copies += !old;
		tell(feeder, kind, tables, old, (*copies)[at]);
		if (old)
			bury(graves, kind, old);
	}
}

/* --- endpoints */

static bool uid_fits(const struct pod *pod, const char *uid)
{
	return !uid || !*uid || !pod->uid || !*pod->uid || strcmp(pod->uid, uid) == 0;
}

static const struct pod *pod_of(const struct feeder *feeder, const struct endpoint *endpoint)
{
	const struct pod *pod = world_pod(&feeder->was, endpoint->namespace, endpoint->pod);

	return pod && uid_fits(pod, endpoint->uid) ? pod : NULL;
}

static bool text_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->namespace && a->ifindex == b->ifindex && text_same(a->namespace, b->namespace) &&
	       text_same(a->pod, b->pod) && text_same(a->uid, b->uid) && a->n_addrs == b->n_addrs &&
	       memcmp(a->addrs, b->addrs, a->n_addrs * sizeof(*a->addrs)) == 0;
}

static void endpoint_drop(struct endpoint *endpoint)
{
	free(endpoint->namespace);
	free(endpoint->pod);
	free(endpoint->uid);
	*endpoint = (struct endpoint){ 0 };
}

static void endpoints_tell(struct feeder *feeder, struct tables *tables, const struct endpoint *endpoints,
			   size_t n)
{
	bool there[BH_ENDPOINTS_MAX] = { false };

	for (size_t i = 0; i < n; i++) {
		struct endpoint *copy = &feeder->endpoints[endpoints[i].slot];
		const struct pod *pod = pod_of(feeder, &endpoints[i]);

		there[endpoints[i].slot] = true;
		if (endpoint_same(copy, &endpoints[i]) && feeder->pods[copy->slot] == pod)
			continue;
		around(feeder, true);
		tables_endpoint(tables, &endpoints[i], pod, NULL);
		around(feeder, false);
		endpoint_drop(copy);
		*copy = endpoints[i];
		copy->namespace = must(strdup(endpoints[i].namespace));
		copy->pod = must(strdup(endpoints[i].pod));
		copy->uid = must(strdup(endpoints[i].uid ? endpoints[i].uid : ""));
		feeder->pods[copy->slot] = pod;
	}
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		if (there[slot] || !feeder->endpoints[slot].namespace)
			continue;
		around(feeder, true);
		tables_endpoint_gone(tables, slot);
		around(feeder, false);
		endpoint_drop(&feeder->endpoints[slot]);
	}
}

/* --- posture */

static void selector_words(struct text *text, const struct selector *selector)
{
	text_addf(text, "%d%d%u", selector->has, selector->invalid, selector->n);
	for (size_t i = 0; i < selector->n; i++) {
		text_addf(text, "|%s %d", selector->v[i].key, selector->v[i].op);
		for (size_t k = 0; k < selector->v[i].n_values; k++)
			text_addf(text, " %s", selector->v[i].values[k]);
	}
}

static char *posture_words(const struct posture_config *config)
{
	struct text text = { 0 };

	text_addf(&text, "%d %d %d %d %s ", config->posture, config->allow_dns, config->deny_pod_to_node,
		  config->forbid_policy_audit, config->dns_namespace ? config->dns_namespace : "");
	selector_words(&text, &config->dns_pods);
	for (size_t i = 0; i < config->n_exempt_namespaces; i++)
		text_addf(&text, " %s", config->exempt_namespaces[i]);
	return must(text_take(&text));
}

static void posture_tell(struct feeder *feeder, struct tables *tables, const struct posture_config *config)
{
	char *words = posture_words(config);
	/* its parts may have moved */
	bool same = feeder->posture && strcmp(feeder->posture, words) == 0 &&
		    memcmp(&feeder->config, config, sizeof(*config)) == 0;

	feeder->config = *config;
	if (!same)
		tables_posture(tables, &feeder->config);
	free(feeder->posture);
	feeder->posture = words;
}

void feeder_tell(struct feeder *feeder, struct tables *tables, const struct world *world,
		 const struct endpoint *endpoints, size_t n_endpoints)
{
	struct world *was = &feeder->was;
	struct graves graves = { 0 };

	posture_tell(feeder, tables, &world->posture);
	list_tell(feeder, &kind_pod, tables, (void ***)&was->pods, &was->n_pods, (void **)world->pods,
		  world->n_pods, &graves);
	endpoints_tell(feeder, tables, endpoints, n_endpoints);
	list_tell(feeder, &kind_namespace, tables, (void ***)&was->namespaces, &was->n_namespaces,
		  (void **)world->namespaces, world->n_namespaces, &graves);
	list_tell(feeder, &kind_netpol, tables, (void ***)&was->netpols, &was->n_netpols,
		  (void **)world->netpols, world->n_netpols, &graves);
	graves_done(&graves);
}

int feeder_update(struct feeder *feeder, struct tables *tables, const struct world *world,
		  const struct endpoint *endpoints, size_t n_endpoints, struct plan *plan, struct err *err)
{
	int r;

	feeder_tell(feeder, tables, world, endpoints, n_endpoints);
	around(feeder, true);
	r = tables_update(tables, plan, err);
	around(feeder, false);
	return r;
}

void feeder_forget(struct feeder *feeder)
{
	void (*kept)(bool is_before) = feeder->around;

	feeder->was.posture = (struct posture_config){ 0 };
	world_done(&feeder->was);
	for (size_t i = 0; i < BH_ENDPOINTS_MAX; i++)
		endpoint_drop(&feeder->endpoints[i]);
	free(feeder->posture);
	*feeder = (struct feeder){ .around = kept };
}

void feeder_done(struct feeder *feeder)
{
	feeder_forget(feeder);
}
