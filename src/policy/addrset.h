/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address that a live pod holds or that has a row in bh_peers, in order: who
 * holds it, what it answers, which class the kernel gives it.
 */
#ifndef POLICY_ADDRSET_H
#define POLICY_ADDRSET_H

#include <bulkhead/abi.h>

#include "policy/signature.h"

struct profile;
struct class;
struct address;

/* Pods of one profile hold the address, n of them. There is an address for each pod of
 * the cluster, so its flags stand where they take no room. */
struct hold {
	struct profile *profile;		  /* null: the place is free */
	struct hold *next;			  /* of the address */
	struct hold *profile_next, *profile_prev; /* of the profile */
	uint32_t n;
	bool is_first; /* it lies in the address itself, else in a struct further_hold */
	bool dirty;    /* of the first: the address's row may not be what is wanted */
	bool settling; /* of the first: in a class that is to be merged, dirty behind the fence */
	bool unfit;    /* of the first: bh_peers had no room for the row it needs, stays dirty */
};

struct further_hold {
	struct hold hold;
	struct address *address;
};

struct address {
	struct bh_addr addr;
	struct class *row; /* in the kernel; null: it follows its region */
	struct address *next_dirty;
	struct hold hold; /* most have one; `next` leads to others */
};

/* Many addresses in one allocation, by number: nearly all of them live as long as the
 * daemon, and numbers are half as large as pointers. */
#define ADDRSET_BLOCK 256

#define ADDRSET_CHUNK 256
struct addrset_chunk {
	struct bh_addr first; /* not above any that is in it */
	uint32_t n;
	uint32_t *v; /* numbers, in order of address; room for ADDRSET_CHUNK */
};

struct addrset {
	struct addrset_chunk *chunks; /* by address */
	size_t n_chunks, cap_chunks;
	struct address **blocks; /* of ADDRSET_BLOCK each */
	size_t n_blocks, cap_blocks;
	uint32_t unused;       /* list by hold.n: a number and one; 0: none */
	size_t n;	       /* addresses */
	struct address *dirty; /* list */
	size_t n_dirty;
};

void addrset_done(struct addrset *set);

struct address *hold_address(struct hold *hold);

struct address *addrset_find(const struct addrset *set, const struct bh_addr *addr);
/* Null: out of memory. */
struct address *addrset_get(struct addrset *set, const struct bh_addr *addr);
/* Frees it if nobody needs it: no pod, no row, not dirty, not settling. */
void address_settle(struct addrset *set, struct address *address);
void address_dirty(struct addrset *set, struct address *address);
/* Nothing is dirty any more but what is unfit. Addresses that are needed no longer are freed. */
void addrset_clean(struct addrset *set);

/* Calls for each address from `first` to `last`, both included, in order. */
void addrset_each(const struct addrset *set, const struct bh_addr *first, const struct bh_addr *last,
		  void (*each)(struct address *address, void *data), void *data);

/* A pod of the profile holds the address, or no more. 0 or -ENOMEM. */
int address_hold(struct addrset *set, const struct bh_addr *addr, struct profile *profile);
void address_release(struct addrset *set, const struct bh_addr *addr, struct profile *profile);

/* What selectors answer for it: two live pods that claim one address are one too
 * many, and nobody here can say whose packets they are: what only one of them may is
 * nobody's. Answers only ever allow, so fewer of them is the closed side. A use;
 * null: out of memory. */
struct signature *address_answers(const struct address *address, struct signatures *signatures);

#endif
