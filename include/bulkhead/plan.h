/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The plan: the ordered writes that take the kernel's tables from one policy
 * to the next. Made by src/policy, applied by src/dataplane in exactly this
 * order; fixed-size records, so the two may be separate processes. A crash
 * between any two writes leaves each pod with its old or its new policy.
 */
#ifndef BULKHEAD_PLAN_H
#define BULKHEAD_PLAN_H

#include <bulkhead/abi.h>

enum bh_write_kind {
	BH_WRITE_NONE = 0,
	BH_WRITE_PORT = 1,     /* bh_ports[index] = port */
	BH_WRITE_VERDICT = 2,  /* bh_verdicts[key] = verdict */
	BH_WRITE_PEER = 3,     /* bh_peers[addr] = class */
	BH_WRITE_PREFIX = 4,   /* bh_prefixes[prefix] = class */
	BH_WRITE_ENDPOINT = 5, /* subjects, revision and policy flags of one slot: the commit */
	BH_ERASE_PEER = 6,
	BH_ERASE_PREFIX = 7,
	BH_ERASE_VERDICT = 8,
};

/* Flags that a BH_WRITE_ENDPOINT replaces; the others stay as they are. */
#define BH_EP_POLICY_FLAGS (BH_EP_OPEN | BH_EP_TO_NODE)

struct bh_write {
	__u32 kind; /* enum bh_write_kind */
	union {
		struct {
			__u32 index;
			struct bh_port port;
		} port;
		struct {
			struct bh_verdict_key key;
			struct bh_verdict verdict;
		} verdict;
		struct {
			struct bh_addr addr;
			__u32 class;
		} peer;
		struct {
			struct bh_prefix_key prefix;
			__u32 class;
		} prefix;
		struct {
			__u32 slot;
			__u32 ifindex; /* refused when the slot is someone else's by now */
			__u32 flags;   /* within BH_EP_POLICY_FLAGS */
			__u32 egress;
			__u32 ingress;
			__u32 revision;
		} endpoint;
	};
};
BH_ASSERT_SIZE(struct bh_write, 28);

/* What the kernel's tables hold, as read at start: the other direction of the
 * same interface. Arrays belong to whoever filled it. */
struct bh_peer_row {
	struct bh_addr addr;
	__u32 class;
};

struct bh_prefix_row {
	struct bh_prefix_key prefix;
	__u32 class;
};

struct bh_verdict_row {
	struct bh_verdict_key key;
	struct bh_verdict verdict;
};

struct bh_snapshot {
	struct bh_peer_row *peers;
	struct bh_prefix_row *prefixes;
	struct bh_verdict_row *verdicts;
	struct bh_port *ports;	       /* all BH_PORTS_MAX entries */
	struct bh_endpoint *endpoints; /* all BH_ENDPOINTS_MAX rows */
	__u32 n_peers;
	__u32 n_prefixes;
	__u32 n_verdicts;
};

#endif
