/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subject: everything that the policies of one pod say in one direction, in
 * canonical form. Pods whose policies say the same share it.
 *
 * The kernel knows it by a number, which it gets when its rows are planned and gives
 * up with its last endpoint. Numbers are never given twice: packets may still hold
 * the old one.
 *
 * The key is the content itself, in 32-bit words: what happens to the rest, then
 * the rules, sorted and once each. A rule is a header (enum rule_word), then
 * its selectors' and blocks' matchers, its port ranges (protocol and bounds), and
 * the matchers of its named egress ports.
 */
#ifndef POLICY_SUBJECT_H
#define POLICY_SUBJECT_H

#include "policy/isolation.h"
#include "policy/matcher.h"
#include "policy/portlist.h"

/* A matcher of the subject and the rule where it stands. */
struct subject_use {
	uint32_t matcher;
	uint32_t rule;
	enum matcher_kind kind;
};

struct subject_rule {
	bool anyone;		/* no peers: R7 */
	bool all_ports;		/* no ports: port-less protocols too (R20) */
	const uint32_t *ranges; /* pairs of words */
	uint32_t n_ranges;
	uint8_t met; /* scratch of subject_row(): which kinds of peers matched */
};

struct subject {
	struct pool_entry entry;
	enum bh_action otherwise;
	struct subject_rule *rules;
	size_t n_rules;
	struct subject_use *uses; /* sorted by matcher, then rule */
	size_t n_uses;
	struct matcher **matchers; /* each once */
	size_t n_matchers;
	struct row any;	  /* what an unknown peer meets: the row (subject, BH_PEER_ANY) */
	uint32_t number;  /* in the kernel; 0: none */
	bool live;	  /* with that number every class has its rows */
	uint32_t wanted;  /* endpoints' directions that want it */
	uint32_t held;	  /* endpoints' directions that have it, by any number */
	uint64_t left_at; /* the fence that ends what an endpoint that left it may still see */
	/* scratch of the plan: some address meets another row now; some endpoint goes
	 * from this subject to another */
	bool changed;
	bool given_up;
	uint64_t plan;	/* the last that numbered it */
	uint64_t stamp; /* the last class that got its row */
};

struct subjects {
	struct pool pool;
	uint32_t last_number;
	uint64_t stamp; /* the last given for subject.stamp */
	struct matchers *matchers;
	struct port_lists *lists;
};
void subjects_init(struct subjects *subjects, struct matchers *matchers, struct port_lists *lists);
void subjects_done(struct subjects *subjects);

/* One more endpoint wants it: its matchers are asked for it. 0 or -ENOMEM. */
int subject_want(struct subjects *subjects, struct subject *subject);
void subject_unwant(struct subjects *subjects, struct subject *subject);
/* An endpoint has it no more, or never got it: frees it when nobody is left. */
void subject_settle(struct subjects *subjects, struct subject *subject);

struct subject_source {
	struct subjects *subjects;
	const struct posture_config *posture;
	const char *dns_namespace;    /* null: posture deny implies no DNS */
	const struct peer *dns_peer;  /* the DNS pods, in dns_namespace */
	const struct peer *everybody; /* every pod of every namespace */
};

/* The subject of a pod that is isolated; nobody wants a new one yet. 0, -ENOMEM,
 * -ENOSPC. */
int subject_get(const struct subject_source *source, const struct isolation *isolation, const struct pod *pod,
		enum bh_direction direction, struct subject **ret_subject, struct err *err);

/* What a peer of this signature meets. 0, -ENOMEM, -ENOSPC. */
int subject_row(struct subject *subject, const struct signature *signature, struct port_lists *lists,
		struct row *ret_row, struct err *err);

#endif
