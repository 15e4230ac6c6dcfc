// SPDX-License-Identifier: Apache-2.0
/*
 *  1. port lists into free places, then the rows of new classes and fresh subjects
 *  2. addresses to their groups, then prefixes, longest first: a region whose longer
 *     ones are in place already changes as a whole and alone; then rows that repeat
 *     their region go
 *  3. one write per endpoint: the commit; closing before opening
 *
 * Rows that nobody can reach any more are erased behind a fence: sweep.c.
 *
 * A program reads the endpoint's subject before it looks up the peer's class; the
 * other way round it could hold an old class and a new subject.
 */
#include "policy/planner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/writes.h"

static void port_list_write(struct planner *p, const struct port_list *list)
{
	const struct bh_port *ports = list->entry.key;

	for (uint32_t i = 0; i < list->n; i++)
		p->failed |= !write_port(p->plan, list->first + i, &ports[i]);
}

static void verdict_put(struct planner *p, uint32_t subject, uint32_t class, const struct row *row)
{
	p->failed |= !write_verdict(p->plan, subject, class, row);
	p->n_verdicts++;
}

/* Step 1. A row never changes in place. */
static void rows_write(struct planner *p)
{
	const struct transition *t = p->t;

	for (const struct port_list *list = t->compile->lists.fresh; list; list = list->next)
		port_list_write(p, list);
	p->n_verdicts = t->state->n_verdicts;
	for (size_t i = 0; i < t->n_groups; i++) {
		const struct class *class = t->groups[i].class;

		for (size_t k = 0; t->groups[i].is_new && k < class->n_rows; k++)
			verdict_put(p, class->rows[k].subject, class->id, &class->rows[k].row);
	}
	for (size_t i = 0; i < t->n_adds; i++)
		verdict_put(p, t->adds[i].subject, t->adds[i].class->id, &t->adds[i].row);
}

/* --- step 2 */

static struct class *group_class(const struct planner *p, uint32_t group)
{
	return p->t->groups[group].class;
}

/* The class of a region now and when it has moved. */
static struct class *region_now(const struct planner *p, uint32_t region)
{
	return p->t->regions_move ? p->t->region_moves[region].from : p->t->regions->v[region].class;
}

static struct class *region_then(const struct planner *p, uint32_t region)
{
	return p->t->regions_move ? group_class(p, p->t->region_moves[region].group)
				  : p->t->regions->v[region].class;
}

struct class *addr_row_then(const struct planner *p, const struct moving_addr *moving)
{
	struct class *then = group_class(p, moving->group);

	return then == region_then(p, moving->region) ? NULL : then;
}

/* A row that repeats its region goes at once if the region stays what it is, else
 * when it has moved. */
static void addrs_write(struct planner *p)
{
	const struct transition *t = p->t;

	p->n_peers = t->state->n_peers;
	for (size_t i = 0; i < t->n_addrs; i++) {
		const struct moving_addr *moving = &t->addrs[i];
		struct class *now = moving->address->row, *then = group_class(p, moving->group);
		struct class *around = region_then(p, moving->region);

		if (now && then == around && region_now(p, moving->region) == around)
			p->failed |= !erase_peer(p->plan, &moving->address->addr);
		else if (then != (now ? now : around))
			p->failed |= !write_peer(p->plan, &moving->address->addr, then->id);
		p->n_peers += !now && then != around;
	}
}

static void addrs_erase(struct planner *p)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i < t->n_addrs; i++) {
		const struct moving_addr *moving = &t->addrs[i];

		if (moving->address->row && !addr_row_then(p, moving) &&
		    region_now(p, moving->region) != region_then(p, moving->region))
			p->failed |= !erase_peer(p->plan, &moving->address->addr);
	}
}

static void regions_write(struct planner *p)
{
	const struct regions *regions = p->t->regions;

	for (size_t i = 0; i + 1 < regions->n; i++) {
		uint32_t index = p->by_length[i];
		const struct region *region = &regions->v[index];
		struct class *then = region_then(p, index);
		bool write = then != (region->has_row ? region->class : region_then(p, region->parent));

		if (write)
			p->failed |= !write_prefix(p->plan, &region->key, then->id);
		p->region_has_row[index] = region->has_row || write;
		p->n_prefixes += p->region_has_row[index];
	}
}

static void regions_erase(struct planner *p)
{
	const struct regions *regions = p->t->regions;

	for (size_t i = 0; i + 1 < regions->n; i++) {
		uint32_t index = p->by_length[i];

		if (!p->region_has_row[index] ||
		    region_then(p, index) != region_then(p, regions->v[index].parent))
			continue;
		p->region_has_row[index] = false;
		p->failed |= !erase_prefix(p->plan, &regions->v[index].key);
	}
}

/* Those with a row are what is left: the others are like the region around them. */
static void regions_keep(struct planner *p)
{
	const struct regions *regions = p->t->regions;
	struct signatures *signatures = &p->t->compile->signatures;

	for (uint32_t i = 1; i < regions->n && !p->failed; i++) {
		struct region *region;

		if (!p->region_has_row[i])
			continue;
		if (regions_add(&p->regions, &regions->v[i].key) < 0) {
			p->failed = true;
			return;
		}
		region = &p->regions.v[p->regions.n - 1];
		region->class = region_then(p, i);
		region->has_row = true;
		region->signature = signature_use(regions->v[i].signature);
	}
	if (p->failed || regions_close(&p->regions, &p->t->state->any, signatures->empty) < 0) {
		p->failed = true;
		return;
	}
	p->regions.v[REGION_REST].signature = signature_use(signatures->empty);
	for (uint32_t i = 1; i < p->regions.n; i++)
		if (!p->regions.v[i].signature)
			p->regions.v[i].signature =
				signature_use(p->regions.v[p->regions.v[i].parent].signature);
}

/* --- step 3 */

/* Written when it says something new, and when live flows must be judged again
 * because an address means something else to it now (R19). */
static bool needs_write(const struct local *local, const struct endpoint_state *before,
			const struct endpoint_state *next)
{
	if (!(next->flags & BH_EP_OPEN))
		return before && before->flags & BH_EP_OPEN;
	if (!before || before->flags != next->flags ||
	    memcmp(before->number, next->number, sizeof(before->number)) != 0)
		return true;
	return (local->subject[BH_EGRESS] && local->subject[BH_EGRESS]->changed) ||
	       (local->subject[BH_INGRESS] && local->subject[BH_INGRESS]->changed);
}

static char *who_of(const struct endpoint *endpoint)
{
	char *who;

	return asprintf(&who, "%s/%s/%s", endpoint->namespace, endpoint->pod, endpoint->uid) < 0 ? NULL : who;
}

/* Null: out of memory. */
static struct endpoint_next *endpoint_room(struct planner *p)
{
	if (array_reserve(&p->endpoints, &p->cap_endpoints, p->n_endpoints, sizeof(*p->endpoints)))
		return &p->endpoints[p->n_endpoints];
	p->failed = true;
	return NULL;
}

static void local_next(struct planner *p, const struct local *local)
{
	const struct endpoint_state *before = endpoint_before(p->t->state, local);
	struct endpoint_next *next = endpoint_room(p);

	if (!next)
		return;
	*next = (struct endpoint_next){ .slot = local->endpoint.slot,
					.state = { .ifindex = local->endpoint.ifindex,
						   .flags = local->flags,
						   .revision = before ? before->revision : 0 } };
	for (int direction = 0; direction < 2; direction++) {
		struct subject *subject = local->subject[direction];

		next->state.subject[direction] = subject;
		next->state.number[direction] = subject ? subject->number : 0;
	}
	next->is_written = needs_write(local, before, &next->state);
	if (before && before->who && !next->is_written)
		return;
	if (!before || !before->who) {
		next->state.who = who_of(&local->endpoint);
		p->failed |= !next->state.who;
	}
	if (next->is_written)
		next->state.revision = p->revision;
	p->n_endpoints++;
}

static void endpoints_collect(struct planner *p)
{
	const struct transition *t = p->t;
	struct endpoint_next *next;

	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX && !p->failed; slot++) {
		if (t->compile->locals[slot]) {
			local_next(p, t->compile->locals[slot]);
		} else if (t->state->endpoints[slot].ifindex && (next = endpoint_room(p))) {
			*next = (struct endpoint_next){ .slot = slot };
			p->n_endpoints++;
		}
	}
}

static void endpoints_write(struct planner *p, bool open)
{
	for (size_t i = 0; i < p->n_endpoints; i++) {
		const struct endpoint_next *next = &p->endpoints[i];

		if (next->is_written && !!(next->state.flags & BH_EP_OPEN) == open)
			p->failed |= !write_endpoint(p->plan, next->slot, &next->state);
	}
}

/* --- limits and room */

static int capacity_check(const struct planner *p, struct err *err)
{
	const struct {
		const char *name;
		size_t n, max;
	} tables[] = {
		{ BH_MAP_VERDICTS, p->n_verdicts, BH_VERDICTS_MAX },
		{ BH_MAP_PEERS, p->n_peers, p->t->state->peers_max },
		{ BH_MAP_PREFIXES, p->n_prefixes, BH_PREFIXES_MAX },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (tables[i].n > tables[i].max)
			return err_set(err, ENOSPC, "%s: the change needs %zu rows, %zu are the limit",
				       tables[i].name, tables[i].n, tables[i].max);
	}
	return 0;
}

static bool room_for(void *array, size_t *cap, size_t n, size_t item_size)
{
	while (*cap < n)
		if (!array_reserve(array, cap, *cap, item_size))
			return false;
	return true;
}

static bool state_reserve(const struct planner *p)
{
	const struct transition *t = p->t;
	struct state *state = t->state;

	return room_for(&state->classes, &state->cap_classes, state->n_classes + t->n_groups,
			sizeof(struct class *)) &&
	       room_for(&state->settling, &state->cap_settling, state->n_settling + t->n_addrs,
			sizeof(struct address *)) &&
	       room_for(&state->live, &state->cap_live, state->n_live + t->n_fresh,
			sizeof(struct subject *)) &&
	       room_for(&state->retired, &state->cap_retired,
			state->n_retired + state->n_adopted + 2 * p->n_endpoints, sizeof(*state->retired));
}

struct region_length {
	uint32_t index;
	uint32_t len;
};

static int length_compare(const void *a, const void *b)
{
	const struct region_length *x = a, *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static bool regions_order(struct planner *p)
{
	size_t n = p->t->regions->n;
	struct region_length *lengths = calloc(n, sizeof(*lengths));

	p->by_length = calloc(n, sizeof(*p->by_length));
	p->region_has_row = calloc(n, sizeof(*p->region_has_row));
	if (!lengths || !p->by_length || !p->region_has_row) {
		free(lengths);
		return false;
	}
	for (uint32_t i = 1; i < n; i++)
		lengths[i - 1] = (struct region_length){ i, p->t->regions->v[i].key.len };
	if (n > 1)
		qsort(lengths, n - 1, sizeof(*lengths), length_compare);
	for (size_t i = 0; i + 1 < n; i++)
		p->by_length[i] = lengths[i].index;
	free(lengths);
	return true;
}

static bool any_changed(const struct state *state)
{
	for (size_t i = 0; i < state->n_live; i++)
		if (state->live[i]->changed)
			return true;
	return false;
}

static void planner_run(struct planner *p)
{
	const struct transition *t = p->t;

	rows_write(p);
	addrs_write(p);
	if (t->regions_move && regions_order(p)) {
		regions_write(p);
		addrs_erase(p);
		regions_erase(p);
		regions_keep(p);
	} else if (t->regions_move) {
		p->failed = true;
	}
	if (t->compile->locals_changed || any_changed(t->state))
		endpoints_collect(p);
	endpoints_write(p, false);
	endpoints_write(p, true);
	if (!p->failed && !state_reserve(p))
		p->failed = true;
}

int planner_init(struct planner *p, struct transition *t, struct plan *plan, struct err *err)
{
	size_t n_before = plan->n;
	int r;

	*p = (struct planner){ .t = t, .plan = plan, .revision = t->state->revision + 1 };
	planner_run(p);
	if (p->failed)
		r = err_set(err, ENOMEM, "plan of the tables");
	else
		r = capacity_check(p, err);
	if (r < 0)
		plan->n = n_before;
	return r;
}

void planner_done(struct planner *p)
{
	for (size_t i = 0; i < p->n_endpoints; i++)
		free(p->endpoints[i].state.who);
	regions_done(&p->regions, &p->t->compile->signatures);
	free(p->endpoints);
	free(p->by_length);
	free(p->region_has_row);
}
