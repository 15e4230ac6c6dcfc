// SPDX-License-Identifier: Apache-2.0
#include "lib/mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/pool.h"

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "mirror: %s does not hold\n", #condition);                           \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static size_t place_of(const struct mirror *mirror, const void *body)
{
	size_t i = 0;

	while (i < mirror->n && mirror->v[i] != body)
		i++;
	return i;
}

static void list_change(void *list, size_t *n, const struct change *change)
{
	const void **v;
	size_t at = 0;

	memcpy(&v, list, sizeof(v));
	while (change->old && v[at] != change->old)
		at++;
	if (change->old)
		v[at] = v[--*n];
	if (change->now) {
		v = reallocarray(v, *n + 1, sizeof(*v));
		CHECK(v);
		v[(*n)++] = change->now;
	}
	memcpy(list, &v, sizeof(v));
}

static void world_change(struct world *world, const struct change *change)
{
	if (change->kind == CHANGE_POD)
		list_change(&world->pods, &world->n_pods, change);
	else if (change->kind == CHANGE_NAMESPACE)
		list_change(&world->namespaces, &world->n_namespaces, change);
	else if (change->kind == CHANGE_NETPOL)
		list_change(&world->netpols, &world->n_netpols, change);
	else if (change->kind == CHANGE_SERVICE)
		list_change(&world->services, &world->n_services, change);
	else if (change->kind == CHANGE_SLICE)
		list_change(&world->slices, &world->n_slices, change);
	else if (change->kind == CHANGE_NODE)
		list_change(&world->nodes, &world->n_nodes, change);
}

void mirror_apply(struct mirror *mirror, const struct change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = place_of(mirror, changes[i].old);

		CHECK(changes[i].kind < CHANGE_KINDS && (changes[i].old || changes[i].now));
		CHECK(!changes[i].old || at < mirror->n);
		CHECK(!changes[i].now || place_of(mirror, changes[i].now) == mirror->n);
		if (changes[i].old)
			mirror->v[at] = mirror->v[--mirror->n];
		CHECK(array_reserve(&mirror->v, &mirror->cap, mirror->n, sizeof(*mirror->v)));
		if (changes[i].now)
			mirror->v[mirror->n++] = changes[i].now;
		world_change(&mirror->world, &changes[i]);
	}
	mirror->n_told += n;
}

static size_t known(const struct mirror *mirror, const void *list, size_t n)
{
	void *const *bodies = list;

	for (size_t i = 0; i < n; i++)
		CHECK(place_of(mirror, bodies[i]) < mirror->n);
	return n;
}

void mirror_check(const struct mirror *mirror, const struct world *world)
{
	size_t n = known(mirror, world->pods, world->n_pods) +
		   known(mirror, world->namespaces, world->n_namespaces) +
		   known(mirror, world->netpols, world->n_netpols) +
		   known(mirror, world->services, world->n_services) +
		   known(mirror, world->nodes, world->n_nodes) +
		   known(mirror, world->slices, world->n_slices);

	CHECK(n == mirror->n);
}

void mirror_forget(struct mirror *mirror)
{
	mirror->n = 0;
	mirror->world.n_pods = mirror->world.n_namespaces = mirror->world.n_netpols = 0;
	mirror->world.n_services = mirror->world.n_nodes = mirror->world.n_slices = 0;
}

void mirror_done(struct mirror *mirror)
{
	free(mirror->v);
	free(mirror->world.pods);
	free(mirror->world.namespaces);
	free(mirror->world.netpols);
	free(mirror->world.services);
	free(mirror->world.nodes);
	free(mirror->world.slices);
}
