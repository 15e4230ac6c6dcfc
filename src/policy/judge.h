/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule against one connection, with how far it got. The evaluator keeps the
 * finding that got furthest: that is the rule an operator means.
 */
#ifndef POLICY_JUDGE_H
#define POLICY_JUDGE_H

#include "policy/explain.h"

/* One direction of a connection: the pod under policy and the other end. */
struct judged {
	const struct world *world;
	enum bh_direction direction;
	const struct pod *pod;
	const struct explain_end *peer;
	const struct pod *destination; /* whose named ports count (R14); null: no pod */
	uint8_t proto;
	uint16_t port;
};

enum judge_outcome { JUDGE_MISS, JUDGE_UNKNOWN, JUDGE_MATCH };

/* Why a rule missed. Pointers are into the world. */
struct finding {
	enum judge_outcome outcome;
	int distance; /* smaller is nearer; only misses compare */
	enum explain_clause clause;
	const struct netpol *policy;
	size_t rule;
	const struct peer *peer;
	const struct requirement *unmet;
	const struct prefix *except;
	const struct port_match *port;
};

void rule_judge(const struct judged *judged, const struct netpol *policy, size_t rule,
		struct finding *ret_finding);

/* The clause in words; caller frees, null: out of memory. */
char *finding_text(const struct judged *judged, const struct finding *finding);

#endif
