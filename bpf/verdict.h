/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What policy says of one connection in one direction at one pod. */
#ifndef BPF_VERDICT_H
#define BPF_VERDICT_H

#include "bpf/parse.h"
#include "bpf/peer.h"

enum question_bits {
	ASK_MULTICAST = 1 << 0,	    /* to a group: an ipBlock must list the peer (S13) */
	ASK_DHCP = 1 << 1,	    /* a rule must name the port (L11) */
	ASK_ENCAP_ALLOWED = 1 << 2, /* BH_CONFIG_ALLOW_ENCAP */
};

struct question {
	struct bh_addr peer;
	__u32 subject;
	__u16 port; /* host order; 0 for port-less protocols */
	__u8 proto;
	__u8 bits; /* enum question_bits */
};

static __always_inline const struct bh_verdict *verdict_row(__u32 subject, __u32 peer)
{
	struct bh_verdict_key key = { .subject = subject, .peer = peer };

	return bpf_map_lookup_elem(&bh_verdicts, &key);
}

static __always_inline __u32 port_rank(__u8 proto, __u16 port)
{
	return (__u32)proto << 16 | port;
}

/*
 * The last entry that begins at or before (proto, port) decides, if it reaches
 * that far. NULL: no entry covers it. The search adds halving steps to `base`,
 * reads the count anew each time and keeps the entry, not its index: so no bound is
 * known of `base` that would make the verifier follow all 8,192 paths.
 */
static __always_inline const struct bh_port *port_find(const struct bh_verdict *row, __u8 proto, __u16 port)
{
	__u32 wanted = port_rank(proto, port), first = row->first, base = 0;
	const struct bh_port *found = NULL;

	for (__u32 step = BH_PORT_LIST_MAX; step; step >>= 1) {
		const struct bh_port *entry;
		__u32 index = first + base + step - 1;

		if (base + step > READ_ONCE(row->count))
			continue;
		entry = bpf_map_lookup_elem(&bh_ports, &index);
		if (!entry)
			return NULL;
		if (port_rank(entry->proto, entry->first) <= wanted) {
			base += step;
			found = entry;
		}
	}
	return found && found->proto == proto && port <= found->last ? found : NULL;
}

static __always_inline bool proto_has_ports(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static __always_inline bool proto_is_encap(__u8 proto)
{
	return proto == IPPROTO_IPIP || proto == IPPROTO_IPV6 || proto == IPPROTO_GRE;
}

static __always_inline int action_answer(__u8 action)
{
	return action == BH_DENY ? -BH_POLICY : action;
}

/* BH_ALLOW, BH_AUDIT or a negative reason. A global function: the verifier looks
 * at it once, not once for each path that leads to it. */
int verdict_ask(const struct question *ask);

__noinline int verdict_ask(const struct question *ask)
{
	const struct bh_verdict *row = NULL;
	const struct bh_port *entry;
	__u32 class;

	if (!ask)
		return -BH_POLICY;
	if (ask->subject == 0) {
		if (ask->bits & ASK_MULTICAST)
			return -BH_MULTICAST;
		return ask->bits & ASK_DHCP ? -BH_DHCP : BH_ALLOW;
	}
	class = peer_class(&ask->peer);
	if (class != BH_PEER_ANY)
		row = verdict_row(ask->subject, class);
	if (!row && (ask->bits & ASK_MULTICAST))
		return -BH_MULTICAST;
	if (!row)
		row = verdict_row(ask->subject, BH_PEER_ANY);
	if (!row)
		return -BH_POLICY;
	entry = proto_has_ports(ask->proto) ? port_find(row, ask->proto, ask->port) : NULL;
	if (entry)
		return action_answer(entry->action);
	if (row->rest == BH_ALLOW && (ask->bits & ASK_DHCP))
		return -BH_DHCP;
	if (row->rest == BH_ALLOW && proto_is_encap(ask->proto) && !(ask->bits & ASK_ENCAP_ALLOWED))
		return -BH_ENCAP;
	return action_answer(row->rest);
}

#endif
