/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's tables as user space knows them: what the plans so far left there, or
 * what a restart found.
 *
 * Rows are kept by class. A row that a class does not list is the row of
 * BH_PEER_ANY, and what that lacks is denied, as in the kernel.
 *
 * What nobody can reach any more stays for a while: a packet may still hold it. The
 * clock of that is the *fence*: everything that became unreachable before a fence
 * began is unreachable for every packet when it is over.
 */
#ifndef POLICY_STATE_H
#define POLICY_STATE_H

#include <bulkhead/plan.h>

#include "policy/addrset.h"
#include "policy/portlist.h"
#include "policy/regions.h"

struct class_row {
	uint32_t subject; /* its number */
	struct row row;
};

struct class
{
	uint32_t id;
	struct signature *signature; /* a use; null: of a process before, or nobody's any more */
	struct class_row *rows;	     /* by subject */
	size_t n_rows, cap_rows;
	uint32_t members;   /* addresses and regions with a row that leads here */
	size_t at;	    /* in state.classes */
	struct class *next; /* among the abandoned */
	uint64_t left_at;   /* the fence that ends what may still hold it; 0: somebody has it */
	/* scratch of the plan, of meaning where `plan` is its number */
	uint64_t plan;
	uint32_t leaving; /* members that may go */
	uint32_t past;
	uint32_t n_adds;
	struct group *taken; /* keeps its number for these */
};

struct endpoint_state {
	uint32_t ifindex;	    /* 0: nothing known in this slot */
	uint32_t flags;		    /* within BH_EP_POLICY_FLAGS */
	uint32_t number[2];	    /* by direction; 0: not isolated */
	struct subject *subject[2]; /* whose numbers they are or were; null: of a process before */
	uint32_t revision;
	char *who; /* namespace/pod/uid as registered; null after a restart: anyone */
};

/* The number of a subject that no endpoint has any more. */
struct retired {
	uint32_t number;
	uint64_t left_at;
};

struct state {
	struct class any; /* BH_PEER_ANY */
	struct class **classes;
	size_t n_classes, cap_classes;
	struct class *abandoned, **abandoned_end; /* oldest first */
	struct regions regions;			  /* those with a row, and the rest */
	bool regions_settling;			  /* some are in a class that is to be merged */
	struct address **settling;
	size_t n_settling, cap_settling;
	struct endpoint_state *endpoints; /* by slot, BH_ENDPOINTS_MAX */
	struct retired *retired;
	size_t n_retired, cap_retired;
	size_t n_adopted; /* numbers of before that lie in `retired` until a plan leaves them */
	uint32_t last_adopted;
	struct subject **live; /* by number */
	size_t n_live, cap_live;
	size_t n_verdicts; /* rows in the kernel, unreachable ones too */
	size_t n_peers, n_prefixes;
	size_t peers_max;
	size_t n_unfit;	  /* addresses without a row that they need */
	bool peers_freed; /* there is room for some of them now */
	uint64_t fence;	  /* the one that would begin now */
	uint64_t fenced;  /* the last one that is over */
	uint64_t plan;	  /* number of the last */
	uint32_t last_class;
	uint32_t revision;
};

/* An empty kernel. 0 or -ENOMEM. */
int state_init(struct state *state, struct signatures *signatures);
void state_done(struct state *state, struct signatures *signatures, struct port_lists *lists);

/* Into an empty state. 0 or -ENOMEM. `ret_last_subject` gets the highest number. */
int state_adopt(struct state *state, const struct bh_snapshot *snapshot, struct addrset *addrs,
		struct signatures *signatures, struct port_lists *lists, uint32_t *ret_last_subject);

/* Null: out of memory. It belongs to the caller until state_add_class(). */
struct class *class_new(uint32_t id);
void class_free(struct class *class, struct signatures *signatures, struct port_lists *lists);
void state_add_class(struct state *state, struct class *class); /* room was reserved */
/* Nobody has it any more: it waits for the fence. */
void state_abandon_class(struct state *state, struct class *class, struct signatures *signatures);
/* So does a subject's number. Room was reserved. */
void state_retire(struct state *state, uint32_t number);

/* By bh_peers, else by longest prefix. */
const struct class *state_class_of(const struct state *state, const struct addrset *addrs,
				   const struct bh_addr *addr);
/* The row as the kernel finds it: own, or BH_PEER_ANY's, or none (deny). */
struct row state_row(const struct state *state, uint32_t subject, const struct class *class);

/* Own row of a class, or null. */
const struct row *class_row_find(const struct class *class, uint32_t subject);
bool class_reserve(struct class *class, size_t more);
/* Puts it in its place and counts its list. Room was reserved. */
void class_row_add(struct class *class, uint32_t subject, const struct row *row);
void class_row_remove(struct class *class, size_t at, struct port_lists *lists);

/* The live subject of that number, or null. */
struct subject *state_live(const struct state *state, uint32_t number);
void state_unlive(struct state *state, struct subject *subject);

#endif
