/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An interface goes from the filters that an ADD attaches to TCX links by having both
 * for a moment (dataplane/hook_move.c), and every packet meets the program twice then:
 * in the link, and after it in the filter. Judged a second time it would be counted
 * twice, or, translated by then, taken for another. So while that may be, what the
 * first lets go on to the stack carries a mark in cb[], which nothing touches between
 * the two, and the second lets it go on as it is.
 *
 * cb[] comes to us as the sender's stack left it. A mark is 64 bits that nobody knows:
 * drawn at each load, another for each direction, and mixed with the interface. The
 * places are among those that the stack of the node clears when it takes a packet.
 */
#ifndef BPF_MOVING_H
#define BPF_MOVING_H

#include "bpf/maps.h"

/* By direction; drawn by the loader. */
const volatile __u64 bh_marks[2] SEC(".rodata.marks") = { 0, 0 };

static __always_inline __u32 flags_now(void)
{
	__u32 zero = 0;
	const struct bh_config *config = bpf_map_lookup_elem(&bh_config, &zero);

	return config ? READ_ONCE(config->flags) : 0;
}

static __always_inline __u64 mark_of(const struct __sk_buff *skb, __u32 direction)
{
	return (direction == BH_INGRESS ? bh_marks[BH_INGRESS] : bh_marks[BH_EGRESS]) ^ skb->ifindex;
}

/* The last thing done to a packet. The flags are read anew: kept from the beginning, they
 * would make the verifier follow the whole program twice, and 6.1's gives up. */
static __always_inline int judged(struct __sk_buff *skb, __u32 direction, int action)
{
	__u64 mark = mark_of(skb, direction);

	if (unlikely(flags_now() & BH_CONFIG_MOVING) && action == ACT_NEXT) {
		skb->cb[0] = (__u32)mark;
		skb->cb[1] = (__u32)(mark >> 32);
	}
	return action;
}

/* Takes the mark away: it is good for one packet and one program. */
static __always_inline bool judged_take(struct __sk_buff *skb, __u32 direction)
{
	__u64 mark = mark_of(skb, direction);

	if (skb->cb[0] != (__u32)mark || skb->cb[1] != (__u32)(mark >> 32))
		return false;
	skb->cb[0] = skb->cb[1] = 0;
	return true;
}

#endif
