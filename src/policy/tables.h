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
 * The world is told change by change; an update looks only at what a change touched
 * and gives a plan: first every row that is needed on the way, then addresses to their
 * classes, then one write per endpoint, the commit (ARCHITECTURE "Order of updates";
 * transition.h has the idea, planner.c the steps). The kernel's programs read an
 * endpoint's subject before they look up the peer's class.
 *
 * What a plan leaves behind, a packet may still hold: it is erased behind a fence. The
 * fence is the caller's, who need not wait for it: updates go on meanwhile.
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

/* How full the tables are, with what waits to be erased. */
struct tables_usage {
	size_t subjects, classes, peers, prefixes, verdicts, ports;
	size_t unfit; /* addresses of pods that bh_peers has no room for: no selector matches them */
};

struct tables;
struct tables *tables_new(void); /* null: out of memory */
struct tables *tables_free(struct tables *tables);
/* For tests: rows in bh_peers instead of BH_PEERS_MAX. */
void tables_limit_peers(struct tables *tables, size_t max);

/* Forgets everything, the world too, and believes the kernel: what it held before this
 * process started, or after a plan that was applied in part. Its classes and subjects
 * stay valid until every endpoint has been rewritten, so a restart changes no verdict.
 * Then tell the world anew. Copies. After an error only tables_free() may follow. */
int tables_adopt(struct tables *tables, const struct bh_snapshot *snapshot, struct err *err);

/* Changes of the world; old or new may be null. They are kept by pointer: an object
 * must stay as it is until its change to another, or to nothing, has been told. What a
 * change means is only worked out at the next update, where all errors are told.
 * The posture must be told before the first update unless it is standard. */
void tables_posture(struct tables *tables, const struct posture_config *posture);
void tables_pod(struct tables *tables, const struct pod *old, const struct pod *now);
void tables_namespace(struct tables *tables, const struct namespace *old, const struct namespace *now);
void tables_netpol(struct tables *tables, const struct netpol *old, const struct netpol *now);
/* An endpoint is new, says something else, or is another pod's; what its pod becomes by
 * tables_pod() it follows. `pod` null: not known, it is closed. Copies the endpoint.
 * -EINVAL: the slot is out of range. */
int tables_endpoint(struct tables *tables, const struct endpoint *endpoint, const struct pod *pod,
		    struct err *err);
void tables_endpoint_gone(struct tables *tables, uint32_t slot);

/* Appends to `ret_plan` the writes that lead from the installed state to the wanted one.
 * They count as applied: apply them all, or tables_adopt().
 * An endpoint whose policies do not fit (a row or a table is full) is closed, and said
 * by tables_refused(); the others go on (C13). An address that bh_peers has no room for is
 * matched by ipBlocks and by no selector: tables_usage_get().
 * Returns 1 when nothing needs to be written, 0 with a plan, or, with no plan and the
 * installed state as it was: -EAGAIN when it does not fit before what waits for a fence
 * is erased, -ENOSPC when it does not fit at all (err names the table), -ENOMEM (both:
 * what was told stays told, try again), -ESTALE when memory was short as a change was
 * told: tables_adopt() and begin again. */
int tables_update(struct tables *tables, struct plan *ret_plan, struct err *err);

/* How many endpoints are closed because their policies do not fit; why, of one. */
size_t tables_refused(const struct tables *tables, struct err *ret_why);

/* Does something wait for a fence? Then begin one (no program that started before may
 * still run when it ends), and say so with its number. */
bool tables_need_fence(const struct tables *tables);
uint64_t tables_fence(struct tables *tables);
void tables_fenced(struct tables *tables, uint64_t fence);
/* Appends up to about `most` erasures of what is behind a fence that is over; they count
 * as applied. 1: that was all, 0: there is more, -ENOMEM: try again; apply the plan in
 * any case. After it, tables_update() may have something to do. */
int tables_sweep(struct tables *tables, size_t most, struct plan *ret_plan);

void tables_usage_get(const struct tables *tables, struct tables_usage *ret_usage);

/* The verdict that the installed tables give, by the same steps as the kernel's
 * programs: subject, class, row, port list. `direction` is the endpoint's, `peer`
 * the other end's address, `port` the destination port in host order (of the
 * local pod for ingress, of the peer for egress), 0 for port-less protocols.
 * -ENOENT: no such endpoint or it is closed. */
int tables_verdict(const struct tables *tables, uint32_t slot, enum bh_direction direction,
		   const struct bh_addr *peer, uint8_t proto, uint16_t port);

#endif
