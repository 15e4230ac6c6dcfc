// SPDX-License-Identifier: Apache-2.0
/* Objects by Service, and what of them is to be looked at. */
#include "service/services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/service_room.h"

/* --- entries by name --- */

static uint64_t name_hash(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

static int buckets_grow(struct services *services)
{
	size_t n = services->n_buckets ? services->n_buckets * 2 : 64;
	struct service_entry **grown = calloc(n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < services->n_buckets; i++) {
		for (struct service_entry *entry = services->buckets[i], *next; entry; entry = next) {
			struct service_entry **bucket = &grown[name_hash(entry->name) & (n - 1)];

			next = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(services->buckets);
	services->buckets = grown;
	services->n_buckets = n;
	return 0;
}

static struct service_entry *entry_new(struct services *services, const char *name)
{
	struct service_entry *entry, **bucket;
	size_t size = strlen(name) + 1;

	if (services->n_entries == services->n_buckets && buckets_grow(services) < 0)
		return NULL;
	entry = calloc(1, sizeof(*entry) + size);
	if (!entry)
		return NULL;
	memcpy(entry->name, name, size);
	bucket = &services->buckets[name_hash(name) & (services->n_buckets - 1)];
	entry->next = *bucket;
	*bucket = entry;
	services->n_entries++;
	return entry;
}

/* Null: out of memory, or a name that no object has. */
static struct service_entry *entry_get(struct services *services, const char *namespace, const char *name)
{
	char full[600];
	int n = snprintf(full, sizeof(full), "%s/%s", namespace, name);
	struct service_entry *entry = NULL;

	if (n < 0 || (size_t)n >= sizeof(full))
		return NULL;
	if (services->n_buckets)
		entry = services->buckets[name_hash(full) & (services->n_buckets - 1)];
	while (entry && strcmp(entry->name, full) != 0)
		entry = entry->next;
	return entry ? entry : entry_new(services, full);
}

void entry_mark(struct services *services, struct service_entry *entry)
{
	if (entry->is_marked)
		return;
	entry->is_marked = true;
	entry->next_marked = services->marked;
	services->marked = entry;
}

static void entries_each(struct services *services,
			 void (*each)(struct services *services, struct service_entry *entry, void *data),
			 void *data)
{
	for (size_t i = 0; i < services->n_buckets; i++)
		for (struct service_entry *entry = services->buckets[i]; entry; entry = entry->next)
			each(services, entry, data);
}

static void entries_done(struct services *services)
{
	for (size_t i = 0; i < services->n_buckets; i++) {
		for (struct service_entry *entry = services->buckets[i], *next; entry; entry = next) {
			next = entry->next;
			free(entry->slices);
			free(entry->fronts);
			free(entry);
		}
	}
	free(services->buckets);
	services->buckets = NULL;
	services->n_buckets = services->n_entries = 0;
	services->marked = NULL;
}

/* --- changes --- */

static int slice_add(struct service_entry *entry, const struct endpoint_slice *slice)
{
	const struct endpoint_slice **more = reallocarray(entry->slices, entry->n_slices + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	entry->slices = more;
	more[entry->n_slices++] = slice;
	return 0;
}

static void slice_remove(struct service_entry *entry, const struct endpoint_slice *slice)
{
	size_t kept = 0;

	for (size_t i = 0; i < entry->n_slices; i++)
		if (entry->slices[i] != slice)
			entry->slices[kept++] = entry->slices[i];
	entry->n_slices = kept;
}

static int slice_change(struct services *services, const struct endpoint_slice *old,
			const struct endpoint_slice *now)
{
	struct service_entry *entry;

	if (old && *old->service) {
		entry = entry_get(services, old->namespace, old->service);
		if (!entry)
			return -ENOMEM;
		slice_remove(entry, old);
		entry_mark(services, entry);
	}
	if (!now || !*now->service)
		return 0;
	entry = entry_get(services, now->namespace, now->service);
	if (!entry || slice_add(entry, now) < 0)
		return -ENOMEM;
	entry_mark(services, entry);
	return 0;
}

static int service_change(struct services *services, const struct service *old, const struct service *now)
{
	const struct service *any = now ? now : old;
	struct service_entry *entry = entry_get(services, any->namespace, any->name);

	if (!entry)
		return -ENOMEM;
	entry->service = now;
	entry_mark(services, entry);
	return 0;
}

int services_change(struct services *services, const struct change *change)
{
	if (change->kind == CHANGE_SERVICE)
		return service_change(services, change->old, change->now);
	return change->kind == CHANGE_SLICE ? slice_change(services, change->old, change->now) : 0;
}

static void front_disown(struct services *services, struct service_entry *entry, void *data)
{
	(void)services, (void)data;
	for (size_t i = 0; i < entry->n_fronts; i++)
		entry->fronts[i]->owner = NULL;
}

int services_reset(struct services *services, const struct world *world)
{
	int r = 0;

	entries_each(services, front_disown, NULL);
	entries_done(services);
	services->orphans_due = true;
	for (size_t i = 0; world && r == 0 && i < world->n_services; i++)
		r = service_change(services, NULL, world->services[i]);
	for (size_t i = 0; world && r == 0 && i < world->n_slices; i++)
		r = slice_change(services, NULL, world->slices[i]);
	return r;
}

static void entry_touch(struct services *services, struct service_entry *entry, void *data)
{
	const bool *has_slices = data;

	if (!entry->service)
		return;
	if (entry->service->local_only || (!*has_slices && entry->service->has_selector))
		entry_mark(services, entry);
}

void services_touch(struct services *services, bool has_slices)
{
	entries_each(services, entry_touch, &has_slices);
}

/* --- life, and what the kernel has --- */

struct services *services_new(void)
{
	return calloc(1, sizeof(struct services));
}

static void kernel_forget(struct services *services)
{
	front_table_done(&services->fronts);
	free(services->retired);
	services->retired = NULL;
	services->n_retired = services->cap_retired = 0;
	services->n_groups = services->n_backends = 0;
}

struct services *services_free(struct services *services)
{
	if (!services)
		return NULL;
	entries_done(services);
	kernel_forget(services);
	free(services);
	return NULL;
}

static int group_compare(const void *a, const void *b)
{
	const struct bh_group_key *x = &((const struct bh_group_row *)a)->key,
				  *y = &((const struct bh_group_row *)b)->key;

	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	return (x->group > y->group) - (x->group < y->group);
}

/* The digest of a set as it lies in the kernel, 0 when it is not there whole: then it
 * is written anew. */
static uint64_t set_digest(const struct bh_group_row *groups, size_t n, const struct bh_service *row)
{
	struct bh_group_row key = { .key = { .set = row->set } };
	size_t wanted = groups_of(row->count);
	const struct bh_group_row *first = bsearch(&key, groups, n, sizeof(key), group_compare);
	struct bh_backend *v;
	uint64_t digest;

	if (row->count == 0)
		return backends_digest(NULL, 0);
	if (!first || (size_t)(groups + n - first) < wanted)
		return 0;
	v = calloc(wanted * BH_GROUP_SIZE, sizeof(*v));
	if (!v)
		return 0;
	for (size_t i = 0; i < wanted; i++) {
		if (first[i].key.set != row->set || first[i].key.group != i) {
			free(v);
			return 0;
		}
		memcpy(v + i * BH_GROUP_SIZE, first[i].group.backend, sizeof(first[i].group.backend));
	}
	digest = backends_digest(v, row->count);
	free(v);
	return digest;
}

static int front_adopt(struct services *services, const struct bh_front_row *row,
		       const struct bh_group_row *groups, size_t n_groups)
{
	struct front *front = front_get(&services->fronts, &row->front);

	if (!front)
		return -ENOMEM;
	front->row = row->service;
	front->digest = set_digest(groups, n_groups, &row->service);
	services->n_backends += row->service.count;
	return 0;
}

static int number_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sets that no front has are what a crash left. */
static int sets_retire(struct services *services, const struct bh_service_snapshot *snapshot)
{
	uint32_t *used = calloc(snapshot->n_fronts + 1, sizeof(*used));
	int r = used ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < snapshot->n_fronts; i++)
		used[i] = snapshot->fronts[i].service.set;
	if (r == 0)
		qsort(used, snapshot->n_fronts, sizeof(*used), number_compare);
	for (uint32_t i = 0; r == 0 && i < snapshot->n_groups; i++) {
		const struct bh_group_key *key = &snapshot->groups[i].key;
		bool ends = i + 1 == snapshot->n_groups || snapshot->groups[i + 1].key.set != key->set;
		struct bh_service left = { key->set, (key->group + 1) * BH_GROUP_SIZE, 0, 0 };

		if (key->set > services->last_set)
			services->last_set = key->set;
		if (ends && !bsearch(&key->set, used, snapshot->n_fronts, sizeof(*used), number_compare))
			r = set_retire(services, &left);
	}
	free(used);
	return r;
}

static void entry_renew(struct services *services, struct service_entry *entry, void *data)
{
	(void)data;
	entry->n_fronts = 0;
	entry_mark(services, entry);
}

int services_adopt(struct services *services, const struct bh_service_snapshot *snapshot)
{
	int r = 0;

	kernel_forget(services);
	entries_each(services, entry_renew, NULL);
	services->orphans_due = true;
	services->n_groups = snapshot->n_groups;
	if (snapshot->n_groups)
		qsort(snapshot->groups, snapshot->n_groups, sizeof(*snapshot->groups), group_compare);
	for (uint32_t i = 0; r == 0 && i < snapshot->n_fronts; i++)
		r = front_adopt(services, &snapshot->fronts[i], snapshot->groups, snapshot->n_groups);
	return r < 0 ? r : sets_retire(services, snapshot);
}

/* --- answers --- */

void services_each(const struct services *services, void (*each)(const struct service_state *, void *data),
		   void *data)
{
	for (size_t i = 0; i < services->n_buckets; i++) {
		for (const struct service_entry *entry = services->buckets[i]; entry; entry = entry->next) {
			const struct service_state state = { entry->service, entry->slices, entry->n_slices,
							     entry->problem, entry->revision };

			if (entry->service)
				each(&state, data);
		}
	}
}

struct services_counts services_counts(const struct services *services)
{
	struct services_counts counts = {
		.fronts = services->fronts.n,
		.groups = services->n_groups,
		.backends = services->n_backends,
	};

	for (size_t i = 0; i < services->n_buckets; i++) {
		for (const struct service_entry *entry = services->buckets[i]; entry; entry = entry->next) {
			counts.services += entry->n_fronts > 0;
			counts.refused += entry->problem[0] != '\0';
		}
	}
	return counts;
}
