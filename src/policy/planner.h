/* SPDX-License-Identifier: Apache-2.0 */
/* The writes of a transition, in their order, and the state they lead to. */
#ifndef POLICY_PLANNER_H
#define POLICY_PLANNER_H

#include "policy/transition.h"

/* Appends to `plan` and fills `next`. `revision` is the last one given and grows
 * when an endpoint is written. 0, -ENOMEM, -ENOSPC. */
int transition_plan(const struct transition *transition, const struct port_lists *lists, uint32_t *revision,
		    struct plan *plan, struct state *next, struct err *err);

#endif
