/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes and profiles: what the compiler keeps of the world between updates.
 *
 * A scope is a namespace: its object, its policies, its profiles, the matchers that
 * ask in it alone. A profile stands for all pods of a namespace with equal labels and
 * equal ports, who answer alike: matchers are asked of profiles, never of pods, and
 * each once. What a profile answers is kept true at every change; the addresses of
 * those that change their answer become dirty.
 */
#ifndef POLICY_PROFILE_H
#define POLICY_PROFILE_H

#include "policy/addrset.h"
#include "policy/matcher.h"

struct profile;

struct scope {
	struct pool_entry entry; /* key: the name, with its end */
	const struct namespace *object;
	const struct netpol **netpols; /* by name */
	size_t n_netpols, cap_netpols;
	struct profile *profiles;  /* list */
	struct matcher **matchers; /* active ones that ask here alone */
	size_t n_matchers, cap_matchers;
	uint32_t n_locals;	    /* endpoints here */
	struct scope_label *labels; /* of the object, in the index */
	size_t n_labels;
};

/* The scopes with one label: a selector that wants it asks no others. */
struct label_scopes {
	struct pool_entry entry; /* key: the label's key and value, each with its end */
	struct scope_label *first;
};

struct scope_label {
	struct scope *scope;
	struct label_scopes *of;
	struct scope_label *next, *prev;
};

struct profile {
	struct pool_entry entry; /* key: what its pods share, which it holds */
	struct scope *scope;
	uint32_t n_labels;
	uint16_t n_ports;
	struct signature *answers;
	struct hold *holds; /* of its addresses */
	struct profile *next, *prev;
	/* what the policies of such pods make, of meaning in that round of compiling */
	uint64_t compiled;
	struct subject *subject[2];
};

struct profiles {
	struct pool scopes;
	struct pool labels; /* of scopes */
	struct pool profiles;
	struct matcher **everywhere; /* active ones that ask in more than one scope */
	size_t n_everywhere, cap_everywhere;
	struct signatures *signatures;
	struct matchers *matchers;
	struct addrset *addrs;
};

void profiles_init(struct profiles *profiles, struct matchers *matchers, struct signatures *signatures,
		   struct addrset *addrs);
void profiles_done(struct profiles *profiles); /* the addresses were done before */

static inline const char *scope_name(const struct scope *scope)
{
	return scope->entry.key;
}

/* Null: none yet, or for _get out of memory. */
struct scope *scope_find(const struct profiles *profiles, const char *name);
struct scope *scope_get(struct profiles *profiles, const char *name);
/* Nobody may be left that needs it: then it goes. */
void scope_settle(struct profiles *profiles, struct scope *scope);
/* Its labels are others now: finds it by them and asks its pods. 0 or -ENOMEM. */
int scope_relabel(struct profiles *profiles, struct scope *scope);

/* The profile of a live pod. Null: out of memory. */
struct profile *profile_of(struct profiles *profiles, const struct pod *pod);
/* It may have no address left: then it goes. */
void profile_settle(struct profiles *profiles, struct profile *profile);

/* Asks the matchers that were touched and have askers now; forgets the answers of
 * those that have none any more. Blocks are only counted: *ret_blocks says whether
 * some became active or ceased to be. 0 or -ENOMEM (answers are no longer true: begin
 * from nothing). */
int profiles_ask_touched(struct profiles *profiles, bool *ret_blocks);

#endif
