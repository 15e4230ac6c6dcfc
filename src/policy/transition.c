// SPDX-License-Identifier: Apache-2.0
#include "policy/transition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/groups.h"

void transition_done(struct transition *t)
{
	struct signatures *signatures = &t->compile->signatures;

	for (size_t i = 0; i < t->n_groups; i++) {
		if (t->groups[i].is_new)
			class_free(t->groups[i].class, signatures, &t->compile->lists);
		signature_drop(signatures, t->groups[i].signature);
	}
	regions_done(&t->united, signatures);
	free(t->groups);
	free(t->region_moves);
	free(t->addrs);
	free(t->retiring);
	free(t->fresh);
	free(t->adds);
	pool_done(&t->pasts);
	pool_done(&t->group_keys);
	pool_done(&t->flows);
}

/* --- endpoints and subjects */

/* Does *text begin with `part` and then `end`? Goes past them. */
static bool who_part(const char **text, const char *part, char end)
{
	size_t n = strlen(part);

	if (strncmp(*text, part, n) != 0)
		return false;
	*text += n;
	return *(*text)++ == end;
}

static bool who_is(const char *who, const struct endpoint *endpoint)
{
	return !who || (who_part(&who, endpoint->namespace, '/') && who_part(&who, endpoint->pod, '/') &&
			who_part(&who, endpoint->uid, '\0'));
}

const struct endpoint_state *endpoint_before(const struct state *state, const struct local *local)
{
	const struct endpoint_state *before = &state->endpoints[local->endpoint.slot];

	if (before->ifindex != local->endpoint.ifindex || !who_is(before->who, &local->endpoint))
		return NULL;
	return before;
}

/* The live subject by whose number an endpoint goes on, or null. */
static struct subject *subject_before(const struct endpoint_state *before, int direction)
{
	struct subject *subject = before->subject[direction];

	return subject && subject->live && subject->wanted && subject->number == before->number[direction]
		       ? subject
		       : NULL;
}

static int number_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What one endpoint leaves: a number that retires, or a subject that others keep. An
 * endpoint that is gone holds no subject: its row is cleared, or meets nothing but
 * (subject, ANY), which is never wider than any other row. */
static void local_leaves(struct transition *t, const struct local *local)
{
	const struct endpoint_state *before = endpoint_before(t->state, local);

	if (!before || !(before->flags & BH_EP_OPEN))
		return;
	for (int direction = 0; direction < 2; direction++) {
		struct subject *subject = subject_before(before, direction);

		if (before->number[direction] && !subject)
			t->retiring[t->n_retiring++] = before->number[direction];
		else if (subject && subject != local->subject[direction])
			subject->given_up = true;
	}
}

/* Packets of an endpoint that gave it up may hold its number. When those that kept it
 * are gone as well, the number retires; else see subjects_renumber(). */
static void live_begin(struct transition *t, struct subject *subject)
{
	bool is_held = subject->left_at > t->state->fenced;

	subject->changed = false;
	subject->given_up = is_held && subject->wanted;
	if (is_held && !subject->wanted)
		t->retiring[t->n_retiring++] = subject->number;
}

static int retiring_collect(struct transition *t)
{
	const struct state *state = t->state;
	bool all = t->compile->locals_changed;

	t->retiring = calloc(state->n_retired + state->n_live + (all ? 2 * BH_ENDPOINTS_MAX : 0) + 1,
			     sizeof(*t->retiring));
	if (!t->retiring)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_retired; i++)
		if (state->retired[i].left_at > state->fenced)
			t->retiring[t->n_retiring++] = state->retired[i].number;
	for (size_t i = 0; i < state->n_live; i++)
		live_begin(t, state->live[i]);
	for (size_t i = 0; all && i < BH_ENDPOINTS_MAX; i++)
		if (t->compile->locals[i])
			local_leaves(t, t->compile->locals[i]);
	if (t->n_retiring)
		qsort(t->retiring, t->n_retiring, sizeof(*t->retiring), number_compare);
	return 0;
}

bool number_retires(const struct transition *t, uint32_t number)
{
	return t->n_retiring &&
	       bsearch(&number, t->retiring, t->n_retiring, sizeof(*t->retiring), number_compare);
}

/* In the order of their endpoints, so that numbers follow it. */
static int fresh_collect(struct transition *t)
{
	struct compile *c = t->compile;

	if (!c->locals_changed)
		return 0;
	t->fresh = calloc(2 * BH_ENDPOINTS_MAX, sizeof(struct subject *));
	if (!t->fresh)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * BH_ENDPOINTS_MAX; i++) {
		struct subject *subject = c->locals[i / 2] ? c->locals[i / 2]->subject[i % 2] : NULL;

		if (!subject || subject->live || subject->plan == t->plan)
			continue;
		subject->plan = t->plan;
		subject->number = ++c->subjects.last_number;
		t->fresh[t->n_fresh++] = subject;
	}
	return 0;
}

bool subjects_renumber(const struct transition *t)
{
	bool any = false;

	for (size_t i = t->state->n_live; i-- > 0;) {
		struct subject *subject = t->state->live[i];

		if (!subject->given_up || !subject->changed || !subject->wanted)
			continue;
		state_unlive(t->state, subject);
		t->compile->locals_changed = any = true;
	}
	return any;
}

/* --- regions */

static int regions_unite(struct transition *t)
{
	const struct regions *old = &t->state->regions;
	struct compile *c = t->compile;

	for (size_t i = 1; i < old->n; i++) {
		struct region *region;

		if (!old->v[i].has_row)
			continue;
		if (regions_add(&t->united, &old->v[i].key) < 0)
			return -ENOMEM;
		region = &t->united.v[t->united.n - 1];
		region->class = old->v[i].class;
		region->has_row = true;
		region->before = old->v[i].signature;
	}
	if (regions_add_blocks(&t->united, &c->matchers) < 0 ||
	    regions_close(&t->united, &t->state->any, c->signatures.empty) < 0)
		return -ENOMEM;
	return regions_sign(&t->united, &c->matchers, &c->signatures);
}

static void mark_dirty(struct address *address, void *data)
{
	address_dirty(data, address);
}

static void stretch_dirty(const struct bh_addr *first, const struct bh_addr *last, void *data)
{
	addrset_each(data, first, last, mark_dirty, data);
}

/* Where a region answers otherwise than before, its addresses may too. */
static void regions_dirty(struct transition *t)
{
	for (uint32_t i = 0; i < t->united.n; i++)
		if (t->united.v[i].signature != t->united.v[i].before)
			regions_each_own(&t->united, i, stretch_dirty, &t->compile->addrs);
}

static int regions_move(struct transition *t)
{
	t->region_moves = calloc(t->united.n, sizeof(*t->region_moves));
	if (!t->region_moves)
		return -ENOMEM;
	for (size_t i = 0; i < t->united.n; i++) {
		const struct region *region = &t->united.v[i];

		t->region_moves[i].from = region->class;
		if (group_of(t, region->class, signature_use(region->signature), &t->region_moves[i].group) <
		    0)
			return -ENOMEM;
		if (region->has_row)
			class_scratch(t, region->class)->leaving++;
	}
	return 0;
}

/* --- addresses */

struct class *moving_from(const struct transition *t, const struct moving_addr *moving)
{
	return moving->address->row ? moving->address->row : t->regions->v[moving->region].class;
}

static int moving_compare(const void *a, const void *b)
{
	return addr_compare(&((const struct moving_addr *)a)->address->addr,
			    &((const struct moving_addr *)b)->address->addr);
}

/* Without a row it follows its region, and needs one only if it answers more. */
static int addr_move(struct transition *t, struct address *address)
{
	struct signatures *signatures = &t->compile->signatures;
	uint32_t region = regions_find(t->regions, &address->addr);
	struct signature *around = t->regions->v[region].signature, *answers, *signature;
	struct moving_addr moving = { .address = address, .region = region };

	answers = address_answers(address, signatures);
	if (!answers)
		return -ENOMEM;
	signature = signature_join(signatures, around, answers);
	signature_drop(signatures, answers);
	if (!signature)
		return -ENOMEM;
	address->hold.unfit = !address->row && signature != around && !t->n_rooms;
	t->n_unfit += address->hold.unfit;
	if (address->hold.unfit || (!address->row && signature == around)) {
		signature_drop(signatures, signature);
		return 0;
	}
	t->n_rooms -= !address->row;
	if (group_of(t, moving_from(t, &moving), signature, &moving.group) < 0)
		return -ENOMEM;
	if (address->row)
		class_scratch(t, address->row)->leaving++;
	t->addrs[t->n_addrs++] = moving;
	return 0;
}

static void collect(struct address *address, void *data)
{
	struct transition *t = data;

	if (address->hold.dirty)
		t->addrs[t->n_addrs++].address = address;
}

/* In order, so that numbers follow it. Where many are dirty, all are walked: they are
 * in order, and sorting takes longer and as much room again. */
static void dirty_collect(struct transition *t)
{
	static const struct bh_addr first, last = { .w = { ~0u, ~0u, ~0u, ~0u } };
	const struct addrset *addrs = &t->compile->addrs;

	if (addrs->n_dirty > addrs->n / 16)
		return addrset_each(addrs, &first, &last, collect, t);
	for (struct address *address = addrs->dirty; address; address = address->next_dirty)
		collect(address, t);
	if (t->n_addrs)
		qsort(t->addrs, t->n_addrs, sizeof(*t->addrs), moving_compare);
}

static int addrs_move(struct transition *t)
{
	size_t n;

	t->addrs = calloc(t->compile->addrs.n_dirty + 1, sizeof(*t->addrs));
	if (!t->addrs)
		return -ENOMEM;
	dirty_collect(t);
	n = t->n_addrs;
	t->n_addrs = 0; /* those that stay where they are give way */
	for (size_t i = 0; i < n; i++)
		if (addr_move(t, t->addrs[i].address) < 0)
			return -ENOMEM;
	return 0;
}

int transition_init(struct transition *t, struct state *state, struct compile *compile, struct err *err)
{
	int r;

	*t = (struct transition){ .state = state, .compile = compile, .plan = ++state->plan };
	t->n_rooms = state->peers_max > state->n_peers ? state->peers_max - state->n_peers : 0;
	t->regions_move = compile->blocks_changed;
	t->regions = t->regions_move ? &t->united : &state->regions;
	pool_init(&t->pasts, sizeof(struct pool_entry), NULL);
	pool_init(&t->group_keys, sizeof(struct pool_entry), NULL);
	pool_init(&t->flows, sizeof(struct flow), NULL);
	r = retiring_collect(t) < 0 || fresh_collect(t) < 0 || groups_init(t) < 0 ? -ENOMEM : 0;
	if (r == 0 && t->regions_move) {
		r = regions_unite(t);
		if (r == 0)
			r = regions_move(t);
		if (r == 0)
			regions_dirty(t);
	}
	if (r == -ENOSPC)
		return err_set(err, ENOSPC, "%s: ipBlocks overlap too often (over %zu memberships)",
			       BH_MAP_PREFIXES, REGION_ANSWERS_MAX);
	if (r < 0 || addrs_move(t) < 0 || groups_number(t) < 0)
		return err_set(err, ENOMEM, "comparing the tables' old and new state");
	return groups_fill(t, err);
}
