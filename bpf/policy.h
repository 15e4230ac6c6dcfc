/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A connection judged: the opener's egress AND the receiver's ingress (R6), as
 * far as either is on this node. `reversed`: the packet at hand is a reply, so
 * its source is the receiver.
 */
#ifndef BPF_POLICY_H
#define BPF_POLICY_H

#include "bpf/pass.h"
#include "bpf/verdict.h"

static __always_inline bool port_is_dhcp(__be16 port)
{
	return port == bpf_htons(67) || port == bpf_htons(68) || port == bpf_htons(546) ||
	       port == bpf_htons(547);
}

/* Both words of the row at once, so that the two directions belong together. */
static __always_inline __u32 subject_of(const struct bh_endpoint *row, __u8 direction)
{
	__u64 both = READ_ONCE(*(const __u64 *)&row->egress);

	/* The first field is the lower half on little-endian machines. */
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		return direction == BH_EGRESS ? (__u32)both : (__u32)(both >> 32);
	return direction == BH_EGRESS ? (__u32)(both >> 32) : (__u32)both;
}

/* Is the receiver this node itself? */
static __always_inline bool addr_is_node(const struct bh_addr *addr)
{
	struct bh_local *local = bpf_map_lookup_elem(&bh_locals, addr);

	return local && local->slot == BH_LOCAL_NODE;
}

static __always_inline bool is_group_bound(const struct pass *pass)
{
	return (pass->pkt.bits & PKT_GROUP_MAC) || addr_is_multicast(&pass->pkt.dst);
}

static __always_inline void question_fill(struct question *ask, const struct pass *pass, bool reversed)
{
	const struct packet *pkt = &pass->pkt;
	__be16 port = reversed ? pkt->sport : pkt->dport;

	ask->proto = pkt->proto;
	ask->port = proto_has_ports(pkt->proto) ? bpf_ntohs(port) : 0;
	ask->bits = pass->config->flags & BH_CONFIG_ALLOW_ENCAP ? ASK_ENCAP_ALLOWED : 0;
	if (!reversed && is_group_bound(pass))
		ask->bits |= ASK_MULTICAST;
}

static __always_inline void pass_note(struct pass *pass, const struct end *end, __u8 direction, bool reversed)
{
	pass->far_decided = end == &pass->far;
	pass->rule_direction = direction;
	pass->reversed = reversed;
}

/* The opener's side. BH_ALLOW, BH_AUDIT or a negative reason. */
static __always_inline int egress_ask(struct pass *pass, struct end *opener, bool reversed)
{
	const struct bh_addr *receiver = reversed ? &pass->pkt.src : &pass->pkt.dst;
	struct question ask = { .peer = *receiver };

	if (pass->receiver_is_node && (opener->row->flags & BH_EP_TO_NODE))
		return BH_ALLOW; /* R16 */
	if (endpoint_owns(opener->row, receiver))
		return BH_ALLOW; /* R17 */
	question_fill(&ask, pass, reversed);
	if (ask.proto == IPPROTO_UDP && port_is_dhcp(bpf_htons(ask.port)))
		ask.bits |= ASK_DHCP;
	ask.subject = subject_of(opener->row, BH_EGRESS);
	return verdict_ask(&ask);
}

static __always_inline int ingress_ask(struct pass *pass, struct end *receiver, bool reversed)
{
	struct question ask = { .peer = reversed ? pass->pkt.dst : pass->pkt.src };

	question_fill(&ask, pass, reversed);
	ask.subject = subject_of(receiver->row, BH_INGRESS);
	return verdict_ask(&ask);
}

/* Either end's row may be null; pass->receiver_is_node is set. 0, or a negative
 * reason. */
static __always_inline int connection_ask(struct pass *pass, struct end *opener, struct end *receiver,
					  bool reversed)
{
	int r;

	if (opener->row) {
		r = egress_ask(pass, opener, reversed);
		if (r != BH_ALLOW)
			pass_note(pass, opener, BH_EGRESS, reversed);
		if (r < 0)
			return r;
		pass->audited |= r == BH_AUDIT;
	}
	if (receiver->row && receiver->row != opener->row) {
		r = ingress_ask(pass, receiver, reversed);
		if (r != BH_ALLOW)
			pass_note(pass, receiver, BH_INGRESS, reversed);
		if (r < 0)
			return r;
		pass->audited |= r == BH_AUDIT;
	}
	return 0;
}

#endif
