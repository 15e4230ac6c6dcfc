/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regions: what longest-prefix match makes of a set of prefixes. Each prefix owns
 * the addresses that no longer prefix of the set holds; region 0 is the rest of
 * the world, which no row describes (BH_PEER_ANY).
 *
 * Lookups work on the raw 128 bits as the kernel's trie does, so an IPv6 prefix
 * such as ::/0 holds v4-mapped addresses too. Families never match each other
 * (R11), therefore ::ffff:0:0/96 becomes a region of its own wherever a wider
 * prefix would swallow it.
 */
#ifndef POLICY_REGIONS_H
#define POLICY_REGIONS_H

#include "policy/matcher.h"

#define REGION_REST 0

struct region {
	struct bh_prefix_key key;    /* of no meaning in REGION_REST */
	uint32_t parent;	     /* index of the next shorter region around it */
	struct class *class;	     /* as installed */
	bool has_row;		     /* in the kernel now */
	struct signature *signature; /* a use; null until regions_sign() */
	struct signature *before;    /* what it, or the region around it, was signed with */
};

/* v[0] is REGION_REST; then sorted by (address, length), so parents come first. */
struct regions {
	struct region *v;
	size_t n;
	size_t cap;
};
/* `signatures` are what it was signed from. */
void regions_done(struct regions *regions, struct signatures *signatures);

/* Collect, then close. 0 or -ENOMEM each. */
int regions_add(struct regions *regions, const struct bh_prefix_key *key);
/* Sorts, drops repetitions, adds the IPv4 root where needed, links parents. `rest` is
 * the class of REGION_REST. */
int regions_close(struct regions *regions, struct class *rest, struct signature *empty);

uint32_t regions_find(const struct regions *regions, const struct bh_addr *addr);
/* The region of exactly this prefix, or REGION_REST. */
uint32_t regions_find_exact(const struct regions *regions, const struct bh_prefix_key *key);

/* Blocks that overlap a thousandfold, each with another except, make signatures
 * that grow with the square of their number. This many answers over all regions
 * are the limit; a hostile policy must not take the daemon's memory. */
#define REGION_ANSWERS_MAX ((size_t)1 << 24)

/* Gives each region the active blocks that hold it. 0, -ENOMEM, -ENOSPC. */
int regions_sign(struct regions *regions, const struct matchers *matchers, struct signatures *signatures);

/* Adds the bounds of every active block. */
int regions_add_blocks(struct regions *regions, const struct matchers *matchers);

/* Calls for each stretch of addresses that the region itself owns, in order. */
void regions_each_own(const struct regions *regions, uint32_t region,
		      void (*each)(const struct bh_addr *first, const struct bh_addr *last, void *data),
		      void *data);

struct bh_prefix_key prefix_key(const struct prefix *prefix);

#endif
