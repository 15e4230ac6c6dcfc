// SPDX-License-Identifier: Apache-2.0
#include "policy/worldindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int pod_order(const void *a, const void *b)
{
	const struct pod *x = *(const struct pod *const *)a, *y = *(const struct pod *const *)b;
	int order = strcmp(x->namespace, y->namespace);

	if (order == 0)
		order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->uid ? x->uid : "", y->uid ? y->uid : "");
}

static int namespace_order(const void *a, const void *b)
{
	return strcmp((*(const struct namespace *const *)a)->name,
		      (*(const struct namespace *const *)b)->name);
}

static int netpol_order(const void *a, const void *b)
{
	const struct netpol *x = *(const struct netpol *const *)a, *y = *(const struct netpol *const *)b;
	int order = strcmp(x->namespace, y->namespace);

	return order ? order : strcmp(x->name, y->name);
}

/* A sorted copy of an array of pointers; null: out of memory. */
static void *sorted_copy(const void *array, size_t n, int (*order)(const void *, const void *))
{
	void **copy = calloc(n ? n : 1, sizeof(*copy));

	if (copy && n) {
		memcpy(copy, array, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), order);
	}
	return copy;
}

int worldindex_init(struct worldindex *index, const struct world *world)
{
	*index = (struct worldindex){
		.pods = sorted_copy(world->pods, world->n_pods, pod_order),
		.n_pods = world->n_pods,
		.namespaces = sorted_copy(world->namespaces, world->n_namespaces, namespace_order),
		.n_namespaces = world->n_namespaces,
		.netpols = sorted_copy(world->netpols, world->n_netpols, netpol_order),
		.n_netpols = world->n_netpols,
	};
	if (index->pods && index->namespaces && index->netpols)
		return 0;
	worldindex_done(index);
	return -ENOMEM;
}

void worldindex_done(struct worldindex *index)
{
	free(index->pods);
	free(index->namespaces);
	free(index->netpols);
	*index = (struct worldindex){ 0 };
}

const struct namespace *worldindex_namespace(const struct worldindex *index, const char *name)
{
	size_t low = 0, high = index->n_namespaces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(index->namespaces[middle]->name, name);

		if (order == 0)
			return index->namespaces[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int pod_name_order(const struct pod *pod, const char *namespace, const char *name)
{
	int order = strcmp(pod->namespace, namespace);

	return order ? order : strcmp(pod->name, name);
}

static bool uid_fits(const struct pod *pod, const char *uid)
{
	return !uid || !*uid || !pod->uid || !*pod->uid || strcmp(pod->uid, uid) == 0;
}

const struct pod *worldindex_pod(const struct worldindex *index, const char *namespace, const char *name,
				 const char *uid)
{
	size_t low = 0, high = index->n_pods;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pod_name_order(index->pods[middle], namespace, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < index->n_pods && pod_name_order(index->pods[low], namespace, name) == 0; low++) {
		if (uid_fits(index->pods[low], uid))
			return index->pods[low];
	}
	return NULL;
}

size_t worldindex_netpols(const struct worldindex *index, const char *namespace,
			  const struct netpol *const **ret_first)
{
	size_t low = 0, high = index->n_netpols, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(index->netpols[middle]->namespace, namespace) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (low + n < index->n_netpols && strcmp(index->netpols[low + n]->namespace, namespace) == 0)
		n++;
	*ret_first = index->netpols + low;
	return n;
}
