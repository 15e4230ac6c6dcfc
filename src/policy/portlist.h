/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port lists: what a row allows, canonical and content-addressed, each with its
 * place in bh_ports. A list never changes; its place is used again only behind a
 * fence after its last row was erased.
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
	bool written;		/* an earlier plan put it into the kernel */
	bool waiting;		/* nobody uses it; it is among the unused */
	uint32_t users;		/* rows and subjects */
	uint64_t unused_at;	/* the fence that ends what may still read it */
	struct port_list *next; /* among the fresh or the unused */
};

/* One verdict row: ranges that are allowed, and what happens to the rest. */
struct row {
	const struct port_list *list; /* null: no ranges */
	enum bh_action rest;
};

struct port_lists {
	struct pool pool;
	uint8_t used[BH_PORTS_MAX];	/* by so many lists of the pool */
	uint8_t reserved[BH_PORTS_MAX]; /* by rows that an earlier process left */
	uint32_t cursor;
	uint32_t n_used;
	uint64_t now;		  /* the fence that ends what can begin now */
	struct port_list *fresh;  /* not written yet */
	struct port_list *unused; /* oldest first */
	struct port_list **unused_end;
};

void port_lists_init(struct port_lists *lists);
void port_lists_done(struct port_lists *lists);

/* The list of these canonical ranges, without a use; n 0 gives null. -ENOSPC when bh_ports has
 * no room for it or it is longer than BH_PORT_LIST_MAX. */
int port_lists_get(struct port_lists *lists, const struct bh_port *ports, size_t n,
		   const struct port_list **ret_list, struct err *err);
/* A list found in the kernel at `first`: its place stays taken, too. */
int port_lists_adopt(struct port_lists *lists, const struct bh_port *ports, uint32_t first, uint16_t n,
		     const struct port_list **ret_list);
/* Counts a row that has it, or had. Both take null. */
void port_list_use(const struct port_list *list);
void port_list_drop(struct port_lists *lists, const struct port_list *list);
/* The plan that is out has the fresh ones. */
void port_lists_mark_written(struct port_lists *lists);
/* No plan is out: fresh lists that nobody uses go at once. */
void port_lists_drop_fresh(struct port_lists *lists);
/* The places of unused lists are free when this fence is over. */
void port_lists_fenced(struct port_lists *lists, uint64_t fence);
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
