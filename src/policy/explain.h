/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why: one connection judged rule by rule, with the clause that failed. The
 * same evaluator answers for live drops, bulkheadctl explain, matrix, and the
 * case table. It reads the world, not the compiled tables; the tests hold the
 * two and the kernel against each other.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "base/err.h"
#include "policy/model.h"

/* One end of the question. pod null: an address outside the pods. */
struct explain_end {
	const struct pod *pod;
	bool has_addr; /* false: pod without a known address; ipBlocks cannot be judged */
	struct bh_addr addr;
	bool is_own_node; /* the node that hosts the other end (R16) */
};

struct explain_query {
	struct explain_end from;
	struct explain_end to;
	uint8_t proto; /* IPPROTO_* */
	uint16_t port; /* destination port, host order; 0 for port-less protocols */
};

enum explain_clause {
	CLAUSE_NONE,
	CLAUSE_NO_RULES,  /* the policy lists no rule in this direction */
	CLAUSE_POD_LABEL, /* podSelector does not match the peer's labels */
	CLAUSE_NAMESPACE, /* peer's namespace is not the policy's, or namespaceSelector fails */
	CLAUSE_NOT_A_POD, /* selectors match only pods (and never hostNetwork pods) */
	CLAUSE_BLOCK,	  /* address outside ipBlock.cidr */
	CLAUSE_EXCEPT,	  /* address inside an except */
	CLAUSE_PROTOCOL,
	CLAUSE_PORT,
	CLAUSE_NAMED_PORT, /* the destination serves no such port name and protocol */
	CLAUSE_INVALID,	   /* the rule or item is invalid (R23) */
	CLAUSE_POSTURE,	   /* posture deny isolates the pod; no policy selects it */
};

enum explain_verdict { EXPLAIN_ALLOW, EXPLAIN_DENY, EXPLAIN_AUDIT, EXPLAIN_UNKNOWN };

/* One direction: the sender's egress or the receiver's ingress. */
struct explain_side {
	bool judged; /* false: that end is no pod under policy */
	bool isolated;
	bool by_posture; /* isolated because of the posture */
	enum explain_verdict verdict;
	const char *exemption; /* static text when something other than a rule allows: node, self; or null */
	const struct netpol **isolating; /* every policy that isolates this pod here */
	size_t n_isolating;
	/* the rule that allows, or the one that came nearest */
	const struct netpol *policy; /* null: none */
	size_t rule;		     /* index in policy->rules[direction] */
	enum explain_clause clause;  /* CLAUSE_NONE when allowed */
	char *clause_text;	     /* "podSelector wants role in (api), pod has role=job"; owned */
};

struct explanation {
	enum explain_verdict verdict; /* of both directions together */
	struct explain_side side[2];  /* indexed by enum bh_direction */
};
void explanation_done(struct explanation *explanation);

/* 0 or -ENOMEM. */
int explain(const struct world *world, const struct explain_query *query, struct explanation *ret,
	    struct err *err);

/* The sentence operators read: one line per side, "denied by ...", names
 * escaped. Caller frees; null: out of memory. */
char *explanation_sentence(const struct world *world, const struct explain_query *query,
			   const struct explanation *explanation);

/* Static word for a clause: "pod label", "namespace", ... */
const char *explain_clause_name(enum explain_clause clause);

#define PROTO_TEXT_MAX 16
/* An IP protocol's name, or its number: "TCP", "ICMPv6", "47". */
const char *proto_text(uint8_t proto, char buf[PROTO_TEXT_MAX]);
bool proto_has_ports(uint8_t proto);

#endif
