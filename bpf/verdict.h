/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What policy says of one connection in one direction at one pod. */
#ifndef BPF_VERDICT_H
#define BPF_VERDICT_H

#include "bpf/parse.h"
#include "bpf/peer.h"

enum ask_bits {
	ASK_REVERSED = 1 << 0,	/* the packet at hand is a reply */
	ASK_INGRESS = 1 << 1,	/* at the receiver; else at the opener */
	ASK_GROUP_MAC = 1 << 2, /* the frame goes to a group */
};

/* What verdict_ask() makes of its arguments. */
struct question {
	const struct bh_addr *peer;
	__u16 port; /* host order; 0 for port-less protocols */
	__u8 proto;
	bool is_multicast;  /* an ipBlock must list the peer (S13) */
	bool is_dhcp;	    /* a rule must name the port (L11) */
	bool encap_allowed; /* BH_CONFIG_ALLOW_ENCAP */
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

static __always_inline bool port_is_dhcp(__be16 port)
{
	return port == bpf_htons(67) || port == bpf_htons(68) || port == bpf_htons(546) ||
	       port == bpf_htons(547);
}

static __always_inline void question_fill(struct question *ask, const struct tuple *packet, __u32 bits,
					  __u32 config_flags)
{
	bool reversed = bits & ASK_REVERSED, ingress = bits & ASK_INGRESS;
	__be16 port = reversed ? packet->sport : packet->dport;

	ask->peer = reversed == ingress ? &packet->dst : &packet->src;
	ask->proto = packet->proto;
	ask->port = proto_has_ports(packet->proto) ? bpf_ntohs(port) : 0;
	ask->is_multicast = !reversed && ((bits & ASK_GROUP_MAC) || addr_is_multicast(&packet->dst));
	ask->is_dhcp = !ingress && packet->proto == IPPROTO_UDP && port_is_dhcp(port);
	ask->encap_allowed = config_flags & BH_CONFIG_ALLOW_ENCAP;
}

static __always_inline int question_answer(const struct question *ask, __u32 subject)
{
	const struct bh_verdict *row = NULL;
	const struct bh_port *entry;
	__u32 class;

	if (subject == 0) {
		if (ask->is_multicast)
			return -BH_MULTICAST;
		return ask->is_dhcp ? -BH_DHCP : BH_ALLOW;
	}
	class = peer_class(ask->peer);
	if (class != BH_PEER_ANY)
		row = verdict_row(subject, class);
	if (!row && ask->is_multicast)
		return -BH_MULTICAST;
	if (!row)
		row = verdict_row(subject, BH_PEER_ANY);
	if (!row)
		return -BH_POLICY;
	entry = proto_has_ports(ask->proto) ? port_find(row, ask->proto, ask->port) : NULL;
	if (entry)
		return action_answer(entry->action);
	if (row->rest == BH_ALLOW && ask->is_dhcp)
		return -BH_DHCP;
	if (row->rest == BH_ALLOW && proto_is_encap(ask->proto) && !ask->encap_allowed)
		return -BH_ENCAP;
	return action_answer(row->rest);
}

/* BH_ALLOW, BH_AUDIT or a negative reason. A global function: the verifier looks
 * at it once, not once for each path that leads to it. */
int verdict_ask(const struct tuple *packet, __u32 subject, __u32 bits, __u32 config_flags);

__noinline int verdict_ask(const struct tuple *packet, __u32 subject, __u32 bits, __u32 config_flags)
{
	struct question ask;

	if (!packet)
		return -BH_POLICY;
	question_fill(&ask, packet, bits, config_flags);
	return question_answer(&ask, subject);
}

#endif
