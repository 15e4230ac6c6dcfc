/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the world to the kernel's tables, and from one state of the tables to
 * the next.
 *
 * Local pods that the same rules govern share a *subject*; addresses that the
 * same matchers match share a *peer class*. A row (subject, class) is a pure
 * function of the subject's rules and the class's signature (which of the
 * matchers in use it satisfies, and what named ports resolve to there), so it
 * never changes in place: a changed rule is a new subject, a changed label moves
 * an address to another class.
 *
 * Order of a plan (ARCHITECTURE "Order of updates"): first every row of every
 * class that is needed on the way, then addresses to classes that mean to the
 * subjects about to go what they meant before, then one write per endpoint; then,
 * behind a fence, what nobody uses goes. transition.h has the idea, planner.c the
 * steps. The kernel's programs read an endpoint's subject before they look up the
 * peer's class.
 *
 * The verdict of a pod towards itself (R17) and towards its own node (R16) is not
 * in the tables; the programs decide it by BH_EP_TO_NODE and by address.
 */
#ifndef POLICY_TABLES_H
#define POLICY_TABLES_H

#include <bulkhead/plan.h>

#include "base/err.h"
#include "policy/model.h"

/* One local pod interface, as the plugin registered it. */
struct endpoint {
	uint32_t slot;
	uint32_t ifindex;
	char *namespace; /* of the pod; empty: unknown pod */
	char *pod;
	char *uid; /* may be empty: then namespace/name decides */
	struct bh_addr addrs[BH_ENDPOINT_ADDRS];
	size_t n_addrs;
};

struct plan {
	struct bh_write *v;
	size_t n;
	size_t cap;
};
void plan_done(struct plan *plan);

/* How full the tables would be; checked against the BH_*_MAX before a plan. */
struct tables_usage {
	size_t subjects, classes, peers, prefixes, verdicts, ports;
};

struct tables;
struct tables *tables_new(void); /* null: out of memory */
struct tables *tables_free(struct tables *tables);

/* What the kernel's tables held before this process started, so that a restart
 * changes no verdict: old classes and subjects stay valid until every endpoint
 * has been rewritten. Call before the first tables_update, and again whenever a
 * plan was applied in part: what the tables believed is forgotten. Copies. After
 * an error only tables_free() may follow. */
int tables_adopt(struct tables *tables, const struct bh_snapshot *snapshot, struct err *err);

/* Compiles the world for these endpoints and appends to `ret_plan` the writes
 * that lead there from the installed state, ending with the fence and the
 * erasures. An endpoint whose pod is not in the world is left closed.
 * Returns 1 when nothing needs to change (an empty plan; nothing to commit), 0 with
 * a plan, or -EINVAL (a slot out of range or given twice), -ENOSPC when the result does not fit a table (err
 * names it; the installed state stays; endpoints without policy stay closed), -ENOMEM. The new state counts
 * as installed once tables_commit() is called. tables_abort() is for a plan of which nothing was applied; if
 * some of it was, tables_adopt(). */
int tables_update(struct tables *tables, const struct world *world, const struct endpoint *endpoints,
		  size_t n_endpoints, struct plan *ret_plan, struct err *err);
void tables_commit(struct tables *tables);
void tables_abort(struct tables *tables);

void tables_usage_get(const struct tables *tables, struct tables_usage *ret_usage);

/* The verdict that the installed tables give, by the same steps as the kernel's
 * programs: subject, class, row, port list. `direction` is the endpoint's, `peer`
 * the other end's address, `port` the destination port in host order (of the
 * local pod for ingress, of the peer for egress), 0 for port-less protocols.
 * -ENOENT: no such endpoint or it is closed. */
int tables_verdict(const struct tables *tables, uint32_t slot, enum bh_direction direction,
		   const struct bh_addr *peer, uint8_t proto, uint16_t port);

#endif
