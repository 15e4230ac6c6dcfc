/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One packet on its way through one program: what is known of it, and what was
 * decided. Filled top down, read by the exit. */
#ifndef BPF_PASS_H
#define BPF_PASS_H

#include "bpf/endpoint.h"
#include "bpf/parse.h"

/* One end of the connection, as far as it is on this node. */
struct end {
	struct bh_endpoint *row; /* null: not an endpoint of ours */
	__u32 slot;
	__u32 revision; /* read before its subjects were: see struct bh_endpoint */
};

/* How a Service's translation concerns the packet (nat.h). */
enum pass_nat {
	NAT_NONE,
	NAT_FORWARD, /* pkt is as it leaves, `other` as it came */
	NAT_REPLY,   /* pkt is as it came, `other` as the client shall see it */
};

struct pass {
	struct packet pkt;
	struct tuple other;
	const struct bh_config *config;
	struct end own; /* the hook's endpoint */
	struct end far; /* from_pod: a local receiver; to_pod: a local sender */
	__u64 now;	/* jiffies64 */
	__u32 ingress_ifindex;
	__u8 direction; /* enum bh_direction of own */
	__u8 nat;	/* enum pass_nat */
	bool alias_due; /* the client's tuple needs a record */
	bool is_moved;	/* it has one, of a connection that lives, to elsewhere */
	__u16 services; /* service_gen(), read before anything was asked */
	bool receiver_is_node;

	/* What policy said, for the event. */
	bool far_decided; /* the rule is far's, not own's */
	bool far_dropped; /* own let it pass, far's counter takes the drop */
	bool reversed;	  /* the packet goes against the direction judged */
	bool audited;
	__u8 rule_direction; /* of the end that decided */
};

static __always_inline void end_set(struct end *end, struct bh_endpoint *row, __u32 slot)
{
	end->row = row;
	end->slot = slot;
	end->revision = READ_ONCE(row->revision);
}

#endif
