/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the installed state to the compiled one.
 *
 * Three kinds of subjects meet here: *retiring* ones, which open endpoints have
 * now and none is to have; *staying* ones; *new* ones. What the installed classes
 * mean to retiring subjects is not recomputed but copied: each installed class has
 * a *past*, its rows for retiring subjects. A class of the transition is a pair
 * (past, wanted signature), called a group. While addresses move to their groups a
 * retiring subject sees no change at all, a staying one sees each address go from
 * old to new in one write, and a new one already has all its rows. So it never
 * matters how the update came about: a relabelling and a changed policy in one
 * step are as safe as either alone, and a restart, which knows nothing but the
 * kernel's rows, is simply an update in which every subject retires.
 *
 * A subject that one endpoint keeps and another gives up would have to be both, if
 * some address means something else to it now: see subjects_renumber().
 *
 * After the endpoints are written pasts are over. Groups of equal signature then
 * become one class.
 */
#ifndef POLICY_TRANSITION_H
#define POLICY_TRANSITION_H

#include "policy/compile.h"
#include "policy/state.h"

/* Where an address or a region stands. */
struct move {
	uint32_t from;	/* installed class */
	uint32_t group; /* index in transition.groups */
};

struct group {
	uint32_t past;	    /* index in transition.pasts */
	uint32_t signature; /* in compiled.signatures */
	uint32_t class;	    /* during the transition */
	uint32_t final;	    /* after it: the class of all groups of this signature */
	bool is_new;	    /* the class number was not in use */
	struct class rows;  /* for staying and new subjects; its id is not used */
};
#define GROUP_ANY 0 /* what no row describes */

/* An address with a row now, or one that selectors tell from its region. */
struct moving_addr {
	struct bh_addr addr;
	uint32_t region;
	bool has_row;
	uint32_t signature;
	struct move move;
};

struct transition {
	const struct state *old;
	struct compiled *compiled;
	struct regions regions; /* old and wanted prefixes together */
	struct move *region_moves;
	struct moving_addr *addrs; /* sorted */
	size_t n_addrs;
	struct group *groups; /* the first is class BH_PEER_ANY */
	size_t n_groups;
	size_t cap_groups;
	uint32_t *retiring; /* subjects, sorted */
	size_t n_retiring;
	struct subject **wanted; /* subjects, staying and new, by number */
	size_t n_wanted;
	struct pool pasts;	/* arrays of struct class_row; the first is empty */
	struct pool group_keys; /* (past, signature): entry id - 1 is the group's index */
	uint32_t *class_past;	/* for each of old->classes, index of its past */
};

/* Fills *ret; transition_done() in any case. `last_class` is the last class number
 * ever given and grows. 0, -ENOMEM, -ENOSPC. */
int transition_init(struct transition *ret, const struct compile_pools *pools, const struct state *old,
		    struct compiled *compiled, uint32_t *last_class, struct err *err);
void transition_done(struct transition *transition);

/* Gives a new number to every staying subject that some endpoint gives up while an
 * address changes its meaning to it: the endpoint that goes must not see the change
 * before it has its new subject, so the old number retires, and the endpoints that
 * stay get the new one. True: make the transition again. */
bool subjects_renumber(const struct transition *transition, struct pool *subjects);

/* The rows for retiring subjects that a group keeps. */
const struct class_row *group_past(const struct transition *transition, const struct group *group,
				   size_t *ret_n);

/* The endpoint that is installed and goes on, or null: a new one. */
const struct endpoint_state *transition_endpoint(const struct state *old,
						 const struct wanted_endpoint *wanted);
/* "namespace/pod/uid", as endpoint_state.who; caller frees. */
char *endpoint_who(const struct endpoint *endpoint);

#endif
