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

enum judge_bits {
	JUDGE_REVERSED = ASK_REVERSED,
	JUDGE_GROUP_MAC = ASK_GROUP_MAC,
	JUDGE_NODE = 1 << 8,   /* the receiver is this node */
	JUDGE_ITSELF = 1 << 9, /* both ends are one pod (R17) */
};

/* What connection_judge() says: a reason in the lowest byte, and whose. */
enum judge_answer {
	JUDGE_REASON = 0xff,
	JUDGE_OPENER = 1 << 8,	 /* the opener's rule decided it */
	JUDGE_RECEIVER = 1 << 9, /* the receiver's did */
	JUDGE_AUDITED = 1 << 10,
};

static __always_inline __u32 judge_note(int answer, __u32 whose)
{
	if (answer == BH_ALLOW)
		return 0;
	return answer < 0 ? whose | (-answer & JUDGE_REASON) : whose | JUDGE_AUDITED;
}

/* The opener's side. BH_ALLOW, BH_AUDIT or a negative reason. */
static __always_inline int egress_ask(const struct tuple *packet, const struct bh_endpoint *opener,
				      __u32 bits, __u32 config_flags)
{
	if ((bits & JUDGE_NODE) && (opener->flags & BH_EP_TO_NODE))
		return BH_ALLOW; /* R16 */
	if (endpoint_owns(opener, bits & JUDGE_REVERSED ? &packet->src : &packet->dst))
		return BH_ALLOW; /* R17 */
	return verdict_ask(packet, subject_of(opener, BH_EGRESS), bits, config_flags);
}

/* Either end may be null. An enum judge_answer. A global function, as verdict_ask()
 * is. */
__u32 connection_judge(const struct tuple *packet, const struct bh_endpoint *opener,
		       const struct bh_endpoint *receiver, __u32 bits, __u32 config_flags);

__noinline __u32 connection_judge(const struct tuple *packet, const struct bh_endpoint *opener,
				  const struct bh_endpoint *receiver, __u32 bits, __u32 config_flags)
{
	__u32 said = 0, more;

	if (!packet)
		return BH_POLICY;
	if (opener)
		said = judge_note(egress_ask(packet, opener, bits, config_flags), JUDGE_OPENER);
	if ((said & JUDGE_REASON) || !receiver || (bits & JUDGE_ITSELF))
		return said;
	more = judge_note(
		verdict_ask(packet, subject_of(receiver, BH_INGRESS), bits | ASK_INGRESS, config_flags),
		JUDGE_RECEIVER);
	/* What was said last is what is told. */
	return more ? more | (said & JUDGE_AUDITED) : said;
}

static __always_inline void pass_note(struct pass *pass, const struct end *end, __u8 direction, bool reversed)
{
	pass->far_decided = end == &pass->far;
	pass->rule_direction = direction;
	pass->reversed = reversed;
}

/* Either end's row may be null; pass->receiver_is_node is set. 0, or a negative
 * reason. */
static __always_inline int connection_ask(struct pass *pass, struct end *opener, struct end *receiver,
					  bool reversed)
{
	__u32 bits = reversed ? JUDGE_REVERSED : 0, said;

	if (pass->pkt.bits & PKT_GROUP_MAC)
		bits |= JUDGE_GROUP_MAC;
	if (pass->receiver_is_node)
		bits |= JUDGE_NODE;
	if (opener->row == receiver->row)
		bits |= JUDGE_ITSELF;
	said = connection_judge(&pass->pkt.tuple, opener->row, receiver->row, bits, pass->config->flags);
	if (said & JUDGE_RECEIVER)
		pass_note(pass, receiver, BH_INGRESS, reversed);
	else if (said & JUDGE_OPENER)
		pass_note(pass, opener, BH_EGRESS, reversed);
	pass->audited |= !!(said & JUDGE_AUDITED);
	return -(int)(said & JUDGE_REASON);
}

#endif
