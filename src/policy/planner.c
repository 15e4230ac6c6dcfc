// SPDX-License-Identifier: Apache-2.0
/*
 *  1. port lists into free places, then the rows of every group
 *  2. addresses to their groups, then prefixes, longest first: a region whose
 *     longer ones are in place already changes as a whole and alone
 *  3. one write per endpoint: the commit; closing before opening
 *  4. FENCE, when an endpoint gave up its subject: a packet that read it before must
 *     not meet a class from after its time, in this plan or the next
 *  5. groups of one signature become one class; rows that repeat their region go
 *  6. FENCE: a packet may still hold a class that nobody has any more
 *  7. rows nobody can reach are erased
 *  8. FENCE: what the erased rows referred to in bh_ports may be used again
 *
 * A program reads the endpoint's subject before it looks up the peer's class; the
 * other way round it could hold an old class and a new subject.
 */
#include "policy/planner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/groups.h"

struct planner {
	const struct transition *t;
	struct plan *plan;
	struct state *next;
	uint32_t revision;    /* for the endpoints written now */
	uint32_t *by_length;  /* regions, longest first, without REGION_REST */
	bool *region_has_row; /* during the transition */
	bool *addr_has_row;
	size_t n_verdicts; /* rows at the fullest moment */
	size_t n_peers;
	size_t n_prefixes;
	bool failed; /* out of memory */
};

static struct bh_write *write_add(struct planner *p, enum bh_write_kind kind)
{
	static struct bh_write nowhere;
	struct bh_write *write;

	if (!array_reserve(&p->plan->v, &p->plan->cap, p->plan->n, sizeof(*p->plan->v))) {
		p->failed = true;
		return &nowhere;
	}
	write = &p->plan->v[p->plan->n++];
	memset(write, 0, sizeof(*write));
	write->kind = kind;
	return write;
}

static void port_list_write(struct planner *p, const struct port_list *list)
{
	const struct bh_port *ports = list->entry.key;

	for (uint32_t i = 0; i < list->n; i++) {
		struct bh_write *write = write_add(p, BH_WRITE_PORT);

		write->port.index = list->first + i;
		write->port.port = ports[i];
	}
}

static void verdict_write(struct planner *p, uint32_t subject, uint32_t class, const struct row *row)
{
	struct bh_write *write = write_add(p, BH_WRITE_VERDICT);

	write->verdict.key = (struct bh_verdict_key){ .subject = subject, .peer = class };
	write->verdict.verdict = row_verdict(row);
	p->n_verdicts++;
}

static void verdict_erase(struct planner *p, uint32_t subject, uint32_t class)
{
	write_add(p, BH_ERASE_VERDICT)->verdict.key =
		(struct bh_verdict_key){ .subject = subject, .peer = class };
}

static void peer_put(struct planner *p, enum bh_write_kind kind, const struct bh_addr *addr, uint32_t class)
{
	struct bh_write *write = write_add(p, kind);

	write->peer.addr = *addr;
	write->peer.class = class;
}

static void prefix_put(struct planner *p, enum bh_write_kind kind, const struct bh_prefix_key *key,
		       uint32_t class)
{
	struct bh_write *write = write_add(p, kind);

	write->prefix.prefix = *key;
	write->prefix.class = class;
}

static const struct group *region_group(const struct planner *p, uint32_t region)
{
	return &p->t->groups[p->t->region_moves[region].group];
}

static const struct group *addr_group(const struct planner *p, size_t i)
{
	return &p->t->groups[p->t->addrs[i].move.group];
}

/* Step 1. A class that keeps its number keeps the rows that it has. */
static void rows_write(struct planner *p, const struct port_lists *lists)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i < lists->pool.n; i++) {
		const struct port_list *list = (const struct port_list *)lists->pool.v[i];

		if (!list->written)
			port_list_write(p, list);
	}
	p->n_verdicts = state_n_verdicts(t->old);
	for (size_t i = 0; i < t->n_groups; i++) {
		const struct group *group = &t->groups[i];
		const struct class *old = group->is_new ? NULL : state_class(t->old, group->class);
		size_t n_past;
		const struct class_row *past = group_past(t, group, &n_past);

		for (size_t k = 0; k < group->rows.n_rows; k++) {
			const struct class_row *row = &group->rows.rows[k];
			const struct row *there = class_row_find(old, row->subject);

			if (!there || !row_equal(there, &row->row))
				verdict_write(p, row->subject, group->class, &row->row);
		}
		for (size_t k = 0; group->is_new && k < n_past; k++)
			verdict_write(p, past[k].subject, group->class, &past[k].row);
	}
}

/* Step 2. */
static void addrs_move_to_groups(struct planner *p)
{
	const struct transition *t = p->t;

	p->n_peers = t->old->n_peers;
	for (size_t i = 0; i < t->n_addrs; i++) {
		const struct moving_addr *addr = &t->addrs[i];
		uint32_t class = addr_group(p, i)->class;
		bool write =
			class != (addr->has_row ? addr->move.from : region_group(p, addr->region)->class);

		if (write)
			peer_put(p, BH_WRITE_PEER, &addr->addr, class);
		p->addr_has_row[i] = addr->has_row || write;
		p->n_peers += !addr->has_row && write;
	}
}

static void regions_move_to_groups(struct planner *p)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i + 1 < t->regions.n; i++) {
		uint32_t index = p->by_length[i];
		const struct region *region = &t->regions.v[index];
		uint32_t class = region_group(p, index)->class;
		bool write = class != (region->has_row ? t->region_moves[index].from
						       : region_group(p, region->parent)->class);

		if (write)
			prefix_put(p, BH_WRITE_PREFIX, &region->key, class);
		p->region_has_row[index] = region->has_row || write;
		p->n_prefixes += p->region_has_row[index];
	}
}

static int endpoint_next(const struct wanted_endpoint *wanted, const struct endpoint_state *old,
			 struct endpoint_state *ret)
{
	*ret = (struct endpoint_state){
		.slot = wanted->slot,
		.ifindex = wanted->ifindex,
		.flags = wanted->flags,
		.revision = old ? old->revision : 0,
		.who = endpoint_who(wanted->source),
	};
	for (int direction = 0; direction < 2; direction++) {
		const struct subject *subject = wanted->subject[direction];

		ret->subject[direction] = subject ? subject->entry.id : 0;
	}
	return ret->who ? 0 : -ENOMEM;
}

/* Written when it says something new, and when live flows must be judged again
 * because an address means something else to it now (R19). */
static bool endpoint_needs_write(const struct wanted_endpoint *wanted, const struct endpoint_state *old,
				 const struct endpoint_state *next)
{
	if (!(next->flags & BH_EP_OPEN))
		return old && old->flags & BH_EP_OPEN;
	if (!old || old->flags != next->flags ||
	    memcmp(old->subject, next->subject, sizeof(old->subject)) != 0)
		return true;
	return (wanted->subject[BH_EGRESS] && wanted->subject[BH_EGRESS]->changed) ||
	       (wanted->subject[BH_INGRESS] && wanted->subject[BH_INGRESS]->changed);
}

static void endpoint_write(struct planner *p, struct endpoint_state *next)
{
	struct bh_write *write = write_add(p, BH_WRITE_ENDPOINT);

	next->revision = p->revision;
	write->endpoint.slot = next->slot;
	write->endpoint.ifindex = next->ifindex;
	write->endpoint.flags = next->flags;
	write->endpoint.egress = next->subject[BH_EGRESS];
	write->endpoint.ingress = next->subject[BH_INGRESS];
	write->endpoint.revision = next->revision;
}

static void endpoints_write(struct planner *p, bool open)
{
	const struct compiled *compiled = p->t->compiled;

	for (size_t i = 0; i < compiled->n_endpoints; i++) {
		const struct wanted_endpoint *wanted = &compiled->endpoints[i];
		struct endpoint_state *next = &p->next->endpoints[i];

		if (!!(next->flags & BH_EP_OPEN) == open &&
		    endpoint_needs_write(wanted, transition_endpoint(p->t->old, wanted), next))
			endpoint_write(p, next);
	}
}

/* Step 3. */
static void endpoints_commit(struct planner *p)
{
	const struct compiled *compiled = p->t->compiled;
	struct state *next = p->next;

	next->endpoints = calloc(compiled->n_endpoints + 1, sizeof(*next->endpoints));
	if (!next->endpoints) {
		p->failed = true;
		return;
	}
	for (size_t i = 0; i < compiled->n_endpoints; i++) {
		const struct wanted_endpoint *wanted = &compiled->endpoints[i];

		if (endpoint_next(wanted, transition_endpoint(p->t->old, wanted),
				  &next->endpoints[next->n_endpoints++]) < 0)
			p->failed = true;
	}
	endpoints_write(p, false);
	endpoints_write(p, true);
}

/* Step 5, addresses: those that still differ from their region keep a row. */
static void addrs_finish(struct planner *p, enum bh_write_kind kind)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i < t->n_addrs; i++) {
		uint32_t class = addr_group(p, i)->final;
		bool stays = class != region_group(p, t->addrs[i].region)->final;

		if (!p->addr_has_row[i])
			continue;
		if (kind == BH_ERASE_PEER && !stays)
			peer_put(p, BH_ERASE_PEER, &t->addrs[i].addr, 0);
		if (kind == BH_WRITE_PEER && stays && class != addr_group(p, i)->class)
			peer_put(p, BH_WRITE_PEER, &t->addrs[i].addr, class);
	}
}

static void regions_finish(struct planner *p, enum bh_write_kind kind)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i + 1 < t->regions.n; i++) {
		uint32_t index = p->by_length[i];
		uint32_t class = region_group(p, index)->final;
		bool stays = class != region_group(p, t->regions.v[index].parent)->final;

		if (!p->region_has_row[index])
			continue;
		if (kind == BH_ERASE_PREFIX && !stays)
			prefix_put(p, BH_ERASE_PREFIX, &t->regions.v[index].key, 0);
		if (kind == BH_WRITE_PREFIX && stays && class != region_group(p, index)->class)
			prefix_put(p, BH_WRITE_PREFIX, &t->regions.v[index].key, class);
	}
}

static void classes_finish(struct planner *p)
{
	addrs_finish(p, BH_WRITE_PEER);
	regions_finish(p, BH_WRITE_PREFIX);
	addrs_finish(p, BH_ERASE_PEER);
	regions_finish(p, BH_ERASE_PREFIX);
}

static bool class_adopt_group(struct planner *p, const struct group *group)
{
	const struct pool_entry *signature = p->t->compiled->signatures.v[group->signature - 1];
	struct state *next = p->next;
	struct class class = { .id = group->class, .n_signature = signature->len / sizeof(answer_t) };

	for (size_t i = 0; i < group->rows.n_rows; i++) {
		if (class_row_add(&class, group->rows.rows[i].subject, &group->rows.rows[i].row) < 0)
			p->failed = true;
	}
	class.signature = malloc(signature->len + 1);
	if (!class.signature || p->failed ||
	    !array_reserve(&next->classes, &next->cap_classes, next->n_classes, sizeof(*next->classes))) {
		free(class.signature);
		free(class.rows);
		return false;
	}
	memcpy(class.signature, signature->key, signature->len);
	next->classes[next->n_classes++] = class;
	return true;
}

static int class_order(const void *a, const void *b)
{
	const struct class *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void next_classes(struct planner *p)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i < t->n_groups && !p->failed; i++) {
		if (t->groups[i].class == t->groups[i].final && !class_adopt_group(p, &t->groups[i]))
			p->failed = true;
	}
	if (p->next->n_classes)
		qsort(p->next->classes, p->next->n_classes, sizeof(*p->next->classes), class_order);
}

static void next_peers(struct planner *p)
{
	const struct transition *t = p->t;
	struct state *next = p->next;

	next->peers = calloc(t->n_addrs + 1, sizeof(*next->peers));
	if (!next->peers) {
		p->failed = true;
		return;
	}
	for (size_t i = 0; i < t->n_addrs; i++) {
		uint32_t class = addr_group(p, i)->final;

		if (class != region_group(p, t->addrs[i].region)->final)
			next->peers[next->n_peers++] = (struct peer_class){ t->addrs[i].addr, class };
	}
}

static void next_regions(struct planner *p)
{
	const struct transition *t = p->t;
	struct regions *next = &p->next->regions;

	for (uint32_t i = 1; i < t->regions.n && !p->failed; i++) {
		const struct region *region = &t->regions.v[i];
		uint32_t class = region_group(p, i)->final;

		if (class == region_group(p, region->parent)->final)
			continue;
		if (regions_add(next, &region->key) < 0) {
			p->failed = true;
			return;
		}
		next->v[next->n - 1].class = class;
		next->v[next->n - 1].has_row = true;
	}
	if (regions_close(next) < 0)
		p->failed = true;
}

/* Every row there is now or was written that the next state does not have. */
static void rows_erase(struct planner *p)
{
	const struct transition *t = p->t;

	for (size_t i = 0; i < t->old->n_classes; i++) {
		const struct class *old = &t->old->classes[i];
		const struct class *next = state_class(p->next, old->id);

		for (size_t k = 0; k < old->n_rows; k++) {
			if (!class_row_find(next, old->rows[k].subject))
				verdict_erase(p, old->rows[k].subject, old->id);
		}
	}
	for (size_t i = 0; i < t->n_groups; i++) {
		const struct group *group = &t->groups[i];
		const struct class *next = state_class(p->next, group->class);
		const struct class *old = group->is_new ? NULL : state_class(t->old, group->class);
		size_t n_past;
		const struct class_row *past = group_past(t, group, &n_past);

		for (size_t k = 0; k < group->rows.n_rows; k++) {
			uint32_t subject = group->rows.rows[k].subject;

			if (!class_row_find(next, subject) && !class_row_find(old, subject))
				verdict_erase(p, subject, group->class);
		}
		for (size_t k = 0; group->is_new && k < n_past; k++)
			verdict_erase(p, past[k].subject, group->class);
	}
}

static bool subjects_given_up(const struct transition *t)
{
	for (size_t i = 0; i < t->n_wanted; i++) {
		if (t->wanted[i]->given_up)
			return true;
	}
	return t->n_retiring > 0;
}

/* Steps 4 to 8. The fence of step 6 goes where something was written before it and
 * rows are erased after it. */
static void leftovers_clear(struct planner *p, size_t n_before)
{
	bool fenced = subjects_given_up(p->t);
	size_t at;

	if (fenced)
		write_add(p, BH_FENCE);
	at = p->plan->n;
	classes_finish(p);
	fenced = (fenced && p->plan->n == at) || p->plan->n == n_before;
	if (!fenced)
		write_add(p, BH_FENCE);
	at = p->plan->n;
	rows_erase(p);
	if (p->plan->n > at)
		write_add(p, BH_FENCE);
	else if (!fenced)
		p->plan->n--;
}

static int capacity_check(const struct planner *p, struct err *err)
{
	const struct {
		const char *name;
		size_t n, max;
	} tables[] = {
		{ BH_MAP_VERDICTS, p->n_verdicts, BH_VERDICTS_MAX },
		{ BH_MAP_PEERS, p->n_peers, BH_PEERS_MAX },
		{ BH_MAP_PREFIXES, p->n_prefixes, BH_PREFIXES_MAX },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (tables[i].n > tables[i].max)
			return err_set(err, ENOSPC, "%s: the change needs %zu rows, %zu are the limit",
				       tables[i].name, tables[i].n, tables[i].max);
	}
	return 0;
}

struct region_length {
	uint32_t index;
	uint32_t len;
};

static int length_order(const void *a, const void *b)
{
	const struct region_length *x = a, *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static int planner_init(struct planner *p)
{
	size_t n = p->t->regions.n;
	struct region_length *lengths = calloc(n, sizeof(*lengths));

	p->by_length = calloc(n, sizeof(*p->by_length));
	p->region_has_row = calloc(n, sizeof(*p->region_has_row));
	p->addr_has_row = calloc(p->t->n_addrs + 1, sizeof(*p->addr_has_row));
	if (!lengths || !p->by_length || !p->region_has_row || !p->addr_has_row) {
		free(lengths);
		return -ENOMEM;
	}
	for (uint32_t i = 1; i < n; i++)
		lengths[i - 1] = (struct region_length){ i, p->t->regions.v[i].key.len };
	if (n > 1)
		qsort(lengths, n - 1, sizeof(*lengths), length_order);
	for (size_t i = 0; i + 1 < n; i++)
		p->by_length[i] = lengths[i].index;
	free(lengths);
	return 0;
}

static void planner_run(struct planner *p, const struct port_lists *lists)
{
	size_t n_before = p->plan->n;

	rows_write(p, lists);
	addrs_move_to_groups(p);
	regions_move_to_groups(p);
	next_classes(p);
	next_peers(p);
	next_regions(p);
	endpoints_commit(p);
	if (!p->failed)
		leftovers_clear(p, n_before);
}

int transition_plan(const struct transition *t, const struct port_lists *lists, uint32_t *revision,
		    struct plan *plan, struct state *next, struct err *err)
{
	struct planner p = { .t = t, .plan = plan, .next = next, .revision = *revision + 1 };
	size_t n_before = plan->n;
	int r = 0;

	*next = (struct state){ 0 };
	if (planner_init(&p) < 0)
		p.failed = true;
	else
		planner_run(&p, lists);
	if (p.failed)
		r = err_set(err, ENOMEM, "plan of the tables");
	else
		r = capacity_check(&p, err);
	for (size_t i = n_before; r == 0 && i < plan->n; i++) {
		if (plan->v[i].kind == BH_WRITE_ENDPOINT)
			*revision = p.revision;
	}
	free(p.by_length);
	free(p.region_has_row);
	free(p.addr_has_row);
	if (r < 0)
		plan->n = n_before;
	return r;
}
