/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subject: everything that the policies of one pod say in one direction, in
 * canonical form. Pods whose policies say the same share it. The number that the
 * kernel knows is the pool entry's.
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
	struct row any;	 /* what an unknown peer meets: the row (subject, BH_PEER_ANY) */
	uint64_t wanted; /* the update that wants it */
	bool installed;	 /* an endpoint had it when the last plan was committed */
	/* scratch of the plan: some address meets another row now; some endpoint goes
	 * from this subject to another */
	bool changed;
	bool given_up;
};

/* For pool_init(). */
void subject_entry_done(struct pool_entry *entry);

struct subject_source {
	struct pool *subjects;
	struct pool *matchers;
	struct port_lists *lists;
	uint64_t update; /* number of this update: marks the matchers it asks for */
	const struct posture_config *posture;
	const char *dns_namespace;    /* null: posture deny implies no DNS */
	const struct peer *dns_peer;  /* the DNS pods, in dns_namespace */
	const struct peer *everybody; /* every pod of every namespace */
};

/* The subject of a pod that is isolated. 0, -ENOMEM, -ENOSPC. */
int subject_get(const struct subject_source *source, const struct isolation *isolation, const struct pod *pod,
		enum bh_direction direction, struct subject **ret_subject, struct err *err);

/* What a peer of this signature meets. 0, -ENOMEM, -ENOSPC. */
int subject_row(struct subject *subject, const answer_t *signature, size_t n, struct port_lists *lists,
		struct row *ret_row, struct err *err);

#endif
