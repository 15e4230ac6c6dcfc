// SPDX-License-Identifier: Apache-2.0
/* What a plan makes of the state once it is applied. */
#include <stdlib.h>
#include <string.h>

#include "policy/planner.h"

/* --- rows and members */

static void rows_commit(const struct planner *p)
{
	struct transition *t = p->t;
	struct state *state = t->state;

	for (size_t i = 0; i < t->n_adds; i++)
		class_row_add(t->adds[i].class, t->adds[i].subject, &t->adds[i].row);
	for (size_t i = 0; i < t->n_groups; i++) {
		if (!t->groups[i].is_new)
			continue;
		t->groups[i].is_new = false;
		state_add_class(state, t->groups[i].class);
	}
	state->n_verdicts = p->n_verdicts;
}

static void addrs_commit(const struct planner *p)
{
	struct transition *t = p->t;

	for (size_t i = 0; i < t->n_addrs; i++) {
		struct address *address = t->addrs[i].address;

		if (address->row) {
			address->row->members--;
			t->state->n_peers--;
		}
		address->row = addr_row_then(p, &t->addrs[i]);
		if (address->row) {
			address->row->members++;
			t->state->n_peers++;
		}
	}
	t->state->n_unfit = t->n_unfit;
	t->state->peers_freed = t->n_unfit && t->state->n_peers < p->n_peers;
}

static void members_count(const struct regions *regions, int step)
{
	for (size_t i = 1; i < regions->n; i++)
		if (regions->v[i].has_row)
			regions->v[i].class->members += (uint32_t)step;
}

static void regions_commit(struct planner *p)
{
	struct state *state = p->t->state;
	struct regions old = state->regions;

	if (!p->t->regions_move)
		return;
	members_count(&old, -1);
	members_count(&p->regions, 1);
	state->regions = p->regions;
	p->regions = old; /* done with the planner */
	state->n_prefixes = 0;
	for (size_t i = 1; i < state->regions.n; i++)
		state->n_prefixes += state->regions.v[i].has_row;
}

/* --- which class a signature has */

static void class_leave(struct planner *p, struct class *class)
{
	if (class != &p->t->state->any && !class->members && !class->left_at)
		state_abandon_class(p->t->state, class, &p->t->compile->signatures);
}

/* A class that was kept for others answers what they answer. */
static void signature_change(struct planner *p, const struct group *group)
{
	struct class *class = group->class;

	if (class->signature == group->signature || class->left_at)
		return;
	if (class->signature && class->signature->class == class)
		class->signature->class = NULL;
	signature_drop(&p->t->compile->signatures, class->signature);
	class->signature = signature_use(group->signature);
}

static void classes_commit(struct planner *p)
{
	struct transition *t = p->t;

	for (size_t i = 0; i < t->flows.n; i++)
		class_leave(p, ((const struct flow *)t->flows.v[i])->from);
	for (size_t i = 1; i < t->n_groups; i++) {
		class_leave(p, t->groups[i].class);
		signature_change(p, &t->groups[i]);
	}
	for (size_t i = 1; i < t->n_groups; i++) {
		struct group *group = &t->groups[i];

		if (!group->signature->class && !group->class->left_at)
			group->signature->class = group->class;
	}
}

/* Is the address in another class than its signature's, or does it answer what its
 * region answers, which is? */
static bool addr_settles(const struct transition *t, const struct moving_addr *moving)
{
	const struct class *row = moving->address->row;

	return row && row->signature &&
	       (row->signature->class != row || row->signature == t->regions->v[moving->region].signature);
}

/* Such go where they belong behind the fence. */
static void settling_commit(const struct planner *p)
{
	struct transition *t = p->t;
	struct state *state = t->state;

	for (size_t i = 0; i < t->n_addrs; i++) {
		struct address *address = t->addrs[i].address;

		if (address->hold.settling || !addr_settles(t, &t->addrs[i]))
			continue;
		address->hold.settling = true;
		state->settling[state->n_settling++] = address;
	}
	if (!t->regions_move)
		return;
	state->regions_settling = false;
	for (size_t i = 1; i < state->regions.n; i++) {
		const struct region *region = &state->regions.v[i];

		if (region->has_row && region->class->signature &&
		    region->class->signature->class != region->class)
			state->regions_settling = true;
	}
}

/* --- endpoints and subjects */

static void endpoint_commit(struct state *state, struct endpoint_next *next)
{
	struct endpoint_state *at = &state->endpoints[next->slot];

	next->was = *at;
	*at = next->state;
	if (at->ifindex && !at->who)
		at->who = next->was.who;
	else
		free(next->was.who);
	next->state.who = next->was.who = NULL;
	for (int direction = 0; direction < 2; direction++)
		if (at->subject[direction])
			at->subject[direction]->held++;
}

/* Nobody has the number any more: it retires. Those of a process before all do. */
static void number_leave(struct state *state, uint32_t number)
{
	struct subject *subject = state_live(state, number);

	if (number <= state->last_adopted || (subject && subject->wanted))
		return;
	for (size_t i = state->n_retired; i-- > 0 && state->retired[i].left_at == state->fence;)
		if (state->retired[i].number == number)
			return;
	if (subject)
		state_unlive(state, subject);
	state_retire(state, number);
}

/* Packets that read the endpoint before still have the subject. */
static void subject_leave(struct planner *p, const struct endpoint_next *next, int direction)
{
	struct state *state = p->t->state;
	struct subject *subject = next->was.subject[direction];

	if (!subject)
		return;
	if (state->endpoints[next->slot].ifindex == next->was.ifindex &&
	    subject != state->endpoints[next->slot].subject[direction])
		subject->left_at = state->fence;
	subject->held--;
	subject_settle(&p->t->compile->subjects, subject);
}

static void adopted_retire(struct state *state)
{
	if (!state->n_adopted)
		return;
	for (size_t i = 0; i < state->n_adopted; i++)
		state->retired[i].left_at = state->fence;
	state->n_retired = state->n_adopted;
	state->n_adopted = 0;
}

/* Who has it now is counted before who had it, and all numbers are looked at before
 * a subject goes with its last one. */
static void endpoints_commit(struct planner *p)
{
	struct transition *t = p->t;
	struct state *state = t->state;

	adopted_retire(state);
	for (size_t i = 0; i < t->n_fresh; i++) {
		t->fresh[i]->live = true;
		state->live[state->n_live++] = t->fresh[i];
	}
	for (size_t i = 0; i < p->n_endpoints; i++) {
		endpoint_commit(state, &p->endpoints[i]);
		if (p->endpoints[i].is_written)
			state->revision = p->revision;
	}
	for (size_t i = 0; i < 2 * p->n_endpoints; i++)
		number_leave(state, p->endpoints[i / 2].was.number[i % 2]);
	for (size_t i = 0; i < 2 * p->n_endpoints; i++)
		subject_leave(p, &p->endpoints[i / 2], (int)(i % 2));
}

void planner_commit(struct planner *p)
{
	struct compile *c = p->t->compile;

	rows_commit(p);
	addrs_commit(p);
	regions_commit(p);
	classes_commit(p);
	settling_commit(p);
	endpoints_commit(p);
	addrset_clean(&c->addrs);
	c->blocks_changed = c->locals_changed = false;
	port_lists_mark_written(&c->lists);
}
