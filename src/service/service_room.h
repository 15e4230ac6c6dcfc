/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind services.h share. */
#ifndef SERVICE_SERVICE_ROOM_H
#define SERVICE_SERVICE_ROOM_H

#include "service/services.h"

struct service_entry;

/* A row of bh_services as the kernel has it. */
struct front {
	struct front *next;	     /* in its bucket */
	struct service_entry *owner; /* null: found in the kernel, and nobody has claimed it yet */
	struct bh_front key;
	struct bh_service row;
	uint64_t digest; /* of the backends */
	bool kept;	 /* the owner still wants it */
};

struct front_table {
	struct front **buckets;
	size_t n_buckets; /* a power of two, or 0 */
	size_t n;
};

struct front *front_find(const struct front_table *table, const struct bh_front *key);
struct front *front_get(struct front_table *table, const struct bh_front *key); /* null: out of memory */
void front_remove(struct front_table *table, struct front *front);
void front_table_done(struct front_table *table);

uint64_t backends_digest(const struct bh_backend *v, size_t n);
static inline size_t groups_of(size_t backends)
{
	return (backends + BH_GROUP_SIZE - 1) / BH_GROUP_SIZE;
}

/* A Service by name, and the slices that say they are its. */
struct service_entry {
	struct service_entry *next;	   /* in its bucket */
	struct service_entry *next_marked; /* see services.marked */
	bool is_marked;
	const struct service *service; /* null: only slices so far */
	const struct endpoint_slice **slices;
	size_t n_slices;
	struct front **fronts;
	size_t n_fronts;
	uint32_t revision;
	char problem[160];
	char name[]; /* "namespace/name" */
};

struct retired_set {
	uint32_t set;
	uint32_t groups;
};

struct services {
	struct service_entry **buckets;
	size_t n_buckets, n_entries;
	struct service_entry *marked; /* to be looked at */
	struct front_table fronts;
	struct retired_set *retired; /* no front has them; erased behind the fence */
	size_t n_retired, cap_retired;
	bool orphans_due; /* fronts of the kernel that nobody claims go with the first plan */
	bool udp_changed;
	uint32_t last_set;
	uint32_t revision;
	size_t n_groups, n_backends;
};

void entry_mark(struct services *services, struct service_entry *entry);
int set_retire(struct services *services, const struct bh_service *row);

#endif
