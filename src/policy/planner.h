/* SPDX-License-Identifier: Apache-2.0 */
/* The writes of a transition, in their order, and what they make of the state. */
#ifndef POLICY_PLANNER_H
#define POLICY_PLANNER_H

#include "policy/transition.h"

/* An endpoint as it is after the plan. */
struct endpoint_next {
	uint32_t slot;
	bool is_written;
	struct endpoint_state state; /* its `who` is ours; null: as it was */
	struct endpoint_state was;   /* from the commit on */
};

struct planner {
	struct transition *t;
	struct plan *plan;
	uint32_t revision;	/* for the endpoints written now */
	uint32_t *by_length;	/* moving regions, longest first, without REGION_REST */
	bool *region_has_row;	/* when the plan is over */
	struct regions regions; /* then */
	struct endpoint_next *endpoints;
	size_t n_endpoints, cap_endpoints;
	size_t n_verdicts; /* rows at the fullest moment */
	size_t n_peers;
	size_t n_prefixes;
	bool failed; /* out of memory */
};

/* Appends to `plan`, and reserves all that planner_commit() needs. planner_done() in any
 * case. 0, -ENOMEM, -ENOSPC. */
int planner_init(struct planner *ret, struct transition *transition, struct plan *plan, struct err *err);
void planner_done(struct planner *planner);

/* The class of an address's row when the plan is over; null: it has none. */
struct class *addr_row_then(const struct planner *planner, const struct moving_addr *moving);

/* The plan is as good as applied. Cannot fail. */
void planner_commit(struct planner *planner);

#endif
