/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port lists: what a row allows, canonical and content-addressed, each with its
 * place in bh_ports. A list never changes; its place is used again only after the
 * plan that erased its last row has been fenced and committed.
 */
#ifndef POLICY_PORTLIST_H
#define POLICY_PORTLIST_H

#include <bulkhead/abi.h>

#include "base/err.h"
#include "policy/pool.h"

struct port_list {
	struct pool_entry entry; /* key: the ranges, struct bh_port each */
	uint32_t first;		 /* index in bh_ports */
	uint16_t n;
	bool written; /* an earlier plan put it into the kernel */
};

/* One verdict row: ranges that are allowed, and what happens to the rest. */
struct row {
	const struct port_list *list; /* null: no ranges */
	enum bh_action rest;
};

struct port_lists {
	struct pool pool;
	uint8_t used[BH_PORTS_MAX];	/* by lists of the pool */
	uint8_t reserved[BH_PORTS_MAX]; /* by rows that an earlier process left */
	uint32_t cursor;
	uint32_t n_used;
};

void port_lists_init(struct port_lists *lists);
void port_lists_done(struct port_lists *lists);

/* The list of these canonical ranges; n 0 gives null. -ENOSPC when bh_ports has
 * no room for it or it is longer than BH_PORT_LIST_MAX. */
int port_lists_get(struct port_lists *lists, const struct bh_port *ports, size_t n,
		   const struct port_list **ret_list, struct err *err);
/* A list found in the kernel at `first`: its place stays taken, too. */
int port_lists_adopt(struct port_lists *lists, const struct bh_port *ports, uint32_t first, uint16_t n,
		     const struct port_list **ret_list);
/* Frees the lists that are not marked with entry.keep, and their places. */
void port_lists_sweep(struct port_lists *lists);
/* The places that only an earlier process's rows needed are free. */
void port_lists_unreserve(struct port_lists *lists);

bool row_equal(const struct row *a, const struct row *b);
struct bh_verdict row_verdict(const struct row *row);
/* First entry that covers decides, by binary search as the kernel does it. */
enum bh_action row_action(const struct row *row, uint8_t proto, uint16_t port);

/* Ranges being collected for one row. */
struct ranges {
	struct bh_port *v;
	size_t n;
	size_t cap;
	bool failed; /* out of memory at some point */
};
void ranges_done(struct ranges *ranges);
void ranges_add(struct ranges *ranges, uint8_t proto, uint16_t first, uint16_t last);
/* Sorted by (protocol, first), disjoint, adjacent ones joined. */
void ranges_canonical(struct ranges *ranges);

#endif
