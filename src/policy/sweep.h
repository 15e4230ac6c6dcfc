/* SPDX-License-Identifier: Apache-2.0 */
/* What fences are for: rows that no packet can reach are erased behind one. */
#ifndef POLICY_SWEEP_H
#define POLICY_SWEEP_H

#include "policy/compile.h"
#include "policy/state.h"

/* Does something wait for a fence that is not over? */
bool sweep_waits(const struct state *state, const struct compile *compile);
/* A fence is over: what settled behind it is dirty, places in bh_ports are free. */
void sweep_fenced(struct state *state, struct compile *compile, uint64_t fence);
/* Appends up to about `most` erasures of what is behind a fence that is over. 1: that
 * was all, 0: there is more, -ENOMEM: the plan has what was erased so far. */
int sweep_erase(struct state *state, struct compile *compile, size_t most, struct plan *plan);

#endif
