/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what is installed to what is wanted, for the addresses that are dirty.
 *
 * Three kinds of subjects' numbers meet here: *retiring* ones, which endpoints have
 * now or had a moment ago and none is to have; *live* ones, which stay; those of
 * *fresh* subjects. What the installed classes mean to retiring numbers is not
 * recomputed but copied: each class has a *past*, its rows for retiring numbers. A
 * class of the transition is a pair (past, wanted signature), called a group. While
 * addresses move to their groups a retiring subject sees no change at all, a live one
 * sees each address go from old to new in one write, and a fresh one already has all
 * its rows. So it never matters how the update came about: a relabelling and a changed
 * policy in one step are as safe as either alone, and a restart, which knows nothing
 * but the kernel's rows, is simply an update in which every subject retires.
 *
 * A subject that one endpoint keeps and another gives up would have to be both, if
 * some address means something else to it now: see subjects_renumber().
 *
 * A past ends with the fence behind the endpoints' writes. Addresses in a group whose
 * signature has another class are *settling*: dirty again when that fence is over.
 *
 * An address for whose new row bh_peers has no room goes on following its region. What
 * that answers is what ipBlocks answer for the address, and selectors only ever add to
 * it: so what selectors allow it is denied, and nothing else changes. It stays dirty.
 *
 * Classes that no dirty address leaves or enters are not looked at, unless a fresh
 * subject needs rows in them.
 */
#ifndef POLICY_TRANSITION_H
#define POLICY_TRANSITION_H

#include "policy/compile.h"
#include "policy/state.h"

/* Where a region stands. */
struct move {
	struct class *from; /* installed */
	uint32_t group;	    /* index in transition.groups */
};

struct group {
	uint32_t past;		     /* index in transition.pasts */
	struct signature *signature; /* a use */
	struct class *class;
	bool is_new; /* the class is not the state's yet, and ours */
};
#define GROUP_ANY 0 /* what no row describes */

struct moving_addr {
	struct address *address;
	uint32_t group;
	uint32_t region;
};

/* How many addresses and regions go from a class to a group. */
struct flow {
	struct pool_entry entry;
	struct class *from;
	uint32_t group;
	uint32_t n;
};

/* A row that an installed class gets. */
struct row_add {
	struct class *class;
	uint32_t subject;
	struct row row;
};

struct transition {
	struct state *state;
	struct compile *compile;
	uint64_t plan; /* its number */
	bool regions_move;
	struct regions united;	       /* old and wanted prefixes together, when they move */
	const struct regions *regions; /* these, or the state's */
	struct move *region_moves;
	struct moving_addr *addrs; /* in order */
	size_t n_addrs;
	size_t n_rooms;	      /* for rows that bh_peers still has */
	size_t n_unfit;	      /* addresses that found none */
	struct group *groups; /* the first is class BH_PEER_ANY */
	size_t n_groups, cap_groups;
	uint32_t *retiring; /* numbers, sorted */
	size_t n_retiring;
	struct subject **fresh;
	size_t n_fresh;
	struct row_add *adds;
	size_t n_adds, cap_adds;
	struct pool pasts;	/* arrays of struct class_row; the first is empty */
	struct pool group_keys; /* (past, signature): entry id - 1 is the group's index */
	struct pool flows;	/* by class; for each the group first that most of it goes to */
};

/* Fills *ret; transition_done() in any case. 0, -ENOMEM, -ENOSPC. */
int transition_init(struct transition *ret, struct state *state, struct compile *compile, struct err *err);
void transition_done(struct transition *transition);

/* Takes its number from every live subject that some endpoint gives up, or gave up
 * without a fence since, while an address changes its meaning to it: the endpoint that
 * goes must not see the change before it has its new subject, so the old number
 * retires, and the endpoints that stay get a new one. True: make the transition again. */
bool subjects_renumber(const struct transition *transition);

/* The class that the kernel gives the address until the plan is over. */
struct class *moving_from(const struct transition *transition, const struct moving_addr *moving);

bool number_retires(const struct transition *transition, uint32_t number);

/* The endpoint that is installed and goes on, or null: a new one. */
const struct endpoint_state *endpoint_before(const struct state *state, const struct local *local);

#endif
