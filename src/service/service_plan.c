// SPDX-License-Identifier: Apache-2.0
/* From what the objects say to the writes that are missing. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/service_room.h"

#define PLAN_WRITES 2048 /* about so many at a time: the plan stays small */
#define RETIRED_MAX 1024 /* sets that may wait for services_tidy() */

struct wanted_front {
	struct bh_front key;
	struct backends backends;
};

struct wanted {
	struct wanted_front *v;
	size_t n;
};

static void wanted_done(struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		backends_done(&wanted->v[i].backends);
	free(wanted->v);
}

void service_plan_done(struct service_plan *plan)
{
	free(plan->v);
	*plan = (struct service_plan){ 0 };
}

static struct bh_service_write *write_add(struct service_plan *plan, enum bh_service_write_kind kind)
{
	if (plan->n == plan->cap) {
		size_t cap = plan->cap ? plan->cap * 2 : 64;
		struct bh_service_write *more = reallocarray(plan->v, cap, sizeof(*more));

		if (!more)
			return NULL;
		plan->v = more;
		plan->cap = cap;
	}
	memset(&plan->v[plan->n], 0, sizeof(*plan->v));
	plan->v[plan->n].kind = kind;
	return &plan->v[plan->n++];
}

int set_retire(struct services *services, const struct bh_service *row)
{
	if (row->count == 0)
		return 0;
	if (services->n_retired == services->cap_retired) {
		size_t cap = services->cap_retired ? services->cap_retired * 2 : 64;
		struct retired_set *more = reallocarray(services->retired, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		services->retired = more;
		services->cap_retired = cap;
	}
	services->retired[services->n_retired++] =
		(struct retired_set){ row->set, (uint32_t)groups_of(row->count) };
	return 0;
}

/* --- what a Service wants --- */

static bool service_is_translated(const struct service *service)
{
	return service && !service->headless && !service->is_name;
}

static int entry_want(const struct service_entry *entry, const struct service_view *view, struct wanted *ret)
{
	const struct service *service = entry->service;
	int r = 0;

	if (!service_is_translated(service) || service->n_addrs * service->n_ports == 0)
		return 0;
	ret->v = calloc(service->n_addrs * service->n_ports, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < service->n_addrs; i++) {
		if (!addr_is_routable(&service->addrs[i]))
			continue;
		for (size_t j = 0; r == 0 && j < service->n_ports; j++) {
			const struct service_port *port = &service->ports[j];
			struct wanted_front *front = &ret->v[ret->n++];

			front->key.addr = service->addrs[i];
			front->key.port = htons(port->port);
			front->key.proto = port->proto;
			r = backends_find(service, port, !addr_is_v4(&service->addrs[i]), entry->slices,
					  entry->n_slices, view, &front->backends);
		}
	}
	return r;
}

/* Counted before anything is written (C13). */
static bool wanted_fits(const struct services *services, struct service_entry *entry,
			const struct wanted *wanted)
{
	size_t groups = 0, fronts = 0;

	for (size_t i = 0; i < wanted->n; i++) {
		size_t n = wanted->v[i].backends.n;

		if (n > BH_FRONT_BACKENDS) {
			snprintf(entry->problem, sizeof(entry->problem),
				 "port %u has %zu backends, at most %u are supported",
				 ntohs(wanted->v[i].key.port), n, BH_FRONT_BACKENDS);
			return false;
		}
		groups += groups_of(n);
		fronts += !front_find(&services->fronts, &wanted->v[i].key);
	}
	if (services->fronts.n + fronts > BH_FRONTS_MAX) {
		snprintf(entry->problem, sizeof(entry->problem), "table %s is full (%u rows)",
			 BH_MAP_SERVICES, BH_FRONTS_MAX);
		return false;
	}
	if (services->n_groups + groups > BH_GROUPS_MAX) {
		snprintf(entry->problem, sizeof(entry->problem), "table %s is full (%u groups of %u)",
			 BH_MAP_BACKENDS, BH_GROUPS_MAX, BH_GROUP_SIZE);
		return false;
	}
	return true;
}

/* --- writes --- */

static int set_write(struct services *services, struct service_plan *plan, const struct backends *backends)
{
	uint32_t set = ++services->last_set;

	for (size_t i = 0; i < backends->n; i += BH_GROUP_SIZE) {
		struct bh_service_write *write = write_add(plan, BH_GROUP_PUT);
		size_t n = backends->n - i < BH_GROUP_SIZE ? backends->n - i : BH_GROUP_SIZE;

		if (!write)
			return -ENOMEM;
		write->group.key = (struct bh_group_key){ set, (uint32_t)(i / BH_GROUP_SIZE) };
		memcpy(write->group.group.backend, backends->v + i, n * sizeof(*backends->v));
		services->n_groups++;
	}
	return 0;
}

static int front_write(struct services *services, struct service_plan *plan, struct front *front,
		       const struct bh_service *row)
{
	struct bh_service_write *write = write_add(plan, BH_FRONT_PUT);

	if (!write || (row->set != front->row.set && set_retire(services, &front->row) < 0))
		return -ENOMEM;
	write->front.key = front->key;
	write->front.service = *row;
	services->n_backends += row->count;
	services->n_backends -= front->row.count;
	services->udp_changed |= front->key.proto == IPPROTO_UDP;
	front->row = *row;
	return 0;
}

/* 1: written, 0: the kernel has it. */
static int front_settle(struct services *services, struct service_plan *plan, struct front *front,
			const struct backends *backends, uint32_t affinity_s)
{
	uint64_t digest = backends_digest(backends->v, backends->n);
	struct bh_service row = front->row;
	bool same = front->digest == digest && row.count == backends->n;

	if (same && row.affinity_s == affinity_s)
		return 0;
	row.affinity_s = affinity_s;
	if (!same) {
		if (set_write(services, plan, backends) < 0)
			return -ENOMEM;
		row.set = backends->n ? services->last_set : 0;
		row.count = (uint32_t)backends->n;
	}
	front->digest = digest;
	return front_write(services, plan, front, &row) < 0 ? -ENOMEM : 1;
}

static int front_erase(struct services *services, struct service_plan *plan, struct front *front)
{
	struct bh_service_write *write = write_add(plan, BH_FRONT_ERASE);

	if (!write || set_retire(services, &front->row) < 0)
		return -ENOMEM;
	write->front.key = front->key;
	services->n_backends -= front->row.count;
	services->udp_changed |= front->key.proto == IPPROTO_UDP;
	front_remove(&services->fronts, front);
	return 0;
}

static int front_own(struct service_entry *entry, struct front *front)
{
	struct front **more;

	front->kept = true;
	if (front->owner == entry)
		return 0;
	more = reallocarray(entry->fronts, entry->n_fronts + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	entry->fronts = more;
	more[entry->n_fronts++] = front;
	return 0;
}

/* 1: written, 0: nothing. */
static int wanted_write(struct services *services, struct service_entry *entry, struct service_plan *plan,
			const struct wanted_front *wanted)
{
	struct front *front = front_get(&services->fronts, &wanted->key);
	int r;

	if (!front)
		return -ENOMEM;
	if (front->owner && front->owner != entry) {
		snprintf(entry->problem, sizeof(entry->problem), "port %u of its address is %.100s's",
			 ntohs(wanted->key.port), front->owner->name);
		return 0;
	}
	r = front_settle(services, plan, front, &wanted->backends, entry->service->affinity_s);
	if (r < 0 || front_own(entry, front) < 0)
		return -ENOMEM;
	front->owner = entry;
	return r;
}

static int unwanted_erase(struct services *services, struct service_entry *entry, struct service_plan *plan)
{
	size_t kept = 0, was = entry->n_fronts;

	for (size_t i = 0; i < was; i++) {
		struct front *front = entry->fronts[i];

		if (front->kept)
			entry->fronts[kept++] = front;
		else if (front_erase(services, plan, front) < 0)
			return -ENOMEM;
	}
	entry->n_fronts = kept;
	return kept < was;
}

/* Services that wanted what this one has let go. */
static void waiting_mark(struct services *services)
{
	for (size_t i = 0; i < services->n_buckets; i++)
		for (struct service_entry *entry = services->buckets[i]; entry; entry = entry->next)
			if (entry->problem[0])
				entry_mark(services, entry);
}

static int entry_plan(struct services *services, struct service_entry *entry, const struct service_view *view,
		      struct service_plan *plan)
{
	struct wanted wanted = { 0 };
	int r = entry_want(entry, view, &wanted), changed = 0;

	entry->problem[0] = '\0';
	if (r < 0 || !wanted_fits(services, entry, &wanted)) {
		wanted_done(&wanted);
		return r;
	}
	for (size_t i = 0; i < entry->n_fronts; i++)
		entry->fronts[i]->kept = false;
	for (size_t i = 0; r >= 0 && i < wanted.n; i++) {
		r = wanted_write(services, entry, plan, &wanted.v[i]);
		changed |= r > 0;
	}
	wanted_done(&wanted);
	if (r >= 0)
		r = unwanted_erase(services, entry, plan);
	if (r < 0)
		return r;
	if (r > 0)
		waiting_mark(services);
	if (changed || r > 0 || (entry->n_fronts && !entry->revision))
		entry->revision = ++services->revision;
	return 0;
}

static int orphans_erase(struct services *services, struct service_plan *plan)
{
	for (size_t i = 0; i < services->fronts.n_buckets; i++) {
		for (struct front *front = services->fronts.buckets[i], *next; front; front = next) {
			next = front->next;
			if (!front->owner && front_erase(services, plan, front) < 0)
				return -ENOMEM;
		}
	}
	services->orphans_due = false;
	return 0;
}

int services_tidy(struct services *services, struct service_plan *plan)
{
	if (services->n_retired && !write_add(plan, BH_SETS_FENCE))
		return -ENOMEM;
	for (size_t i = 0; i < services->n_retired; i++) {
		for (uint32_t group = 0; group < services->retired[i].groups; group++) {
			struct bh_service_write *write = write_add(plan, BH_GROUP_ERASE);

			if (!write)
				return -ENOMEM;
			write->group.key = (struct bh_group_key){ services->retired[i].set, group };
		}
		services->n_groups -= services->retired[i].groups;
	}
	services->n_retired = 0;
	return 0;
}

int services_plan(struct services *services, const struct service_view *view, struct service_plan *plan)
{
	while (services->marked && plan->n < PLAN_WRITES) {
		struct service_entry *entry = services->marked;
		int r;

		services->marked = entry->next_marked;
		entry->is_marked = false;
		r = entry_plan(services, entry, view, plan);
		if (r < 0)
			return r;
	}
	if (!services->marked && services->orphans_due && orphans_erase(services, plan) < 0)
		return -ENOMEM;
	if (services->udp_changed && !write_add(plan, BH_UDP_CHANGED))
		return -ENOMEM;
	services->udp_changed = false;
	if (services->n_retired > RETIRED_MAX && services_tidy(services, plan) < 0)
		return -ENOMEM;
	return services->marked != NULL;
}
