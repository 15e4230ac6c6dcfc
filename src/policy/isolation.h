/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a pod is isolated in a direction, by whom, and what happens there to
 * what no rule allows (R1, R3, SEMANTICS 1.4). Shared by the evaluator and the
 * compiler; what a rule matches is not.
 */
#ifndef POLICY_ISOLATION_H
#define POLICY_ISOLATION_H

#include "policy/model.h"

struct isolation {
	bool isolated;
	bool by_posture;	  /* posture deny applies to the pod */
	enum bh_action otherwise; /* BH_DENY or BH_AUDIT, when isolated */
	const struct netpol **v;  /* the policies that isolate, by name; owned */
	size_t n;
};
void isolation_done(struct isolation *isolation);

/* A pod that policies speak of: not hostNetwork (R10), not finished (R22). */
bool pod_is_live(const struct pod *pod);

/* The posture that counts in a namespace: its own before the cluster's; an exempt
 * namespace is never under deny. ns may be null (no object describes it). */
enum posture posture_in(const struct posture_config *config, const char *namespace,
			const struct namespace *ns);

/* Posture deny implies 53/UDP and 53/TCP from every pod to these pods. */
bool pod_serves_dns(const struct posture_config *config, const struct pod *pod);
#define DNS_PORT 53

/* R16: may the pods under `posture` reach their own node without a rule? */
bool posture_opens_node(const struct posture_config *config, enum posture posture);

/* Starts an isolation from the posture, then adds policies of the pod's namespace
 * one by one; those that do not select the pod in this direction change nothing.
 * Order does not matter (R5). 0 or -ENOMEM. */
void isolation_init(struct isolation *isolation, enum posture posture);
int isolation_add(struct isolation *isolation, const struct posture_config *config, enum posture posture,
		  const struct netpol *netpol, const struct pod *pod, enum bh_direction direction);
void isolation_sort(struct isolation *isolation);

#endif
