/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one way out: counts, reports, acts. For each endpoint and direction the
 * packets seen are the sum over all reasons. A packet that its sender's policy
 * lets go and its receiver's refuses counts as passed for the one and dropped
 * for the other.
 */
#ifndef BPF_EXIT_H
#define BPF_EXIT_H

#include "bpf/event.h"
#include "bpf/frag.h"
#include "bpf/nat.h"

static __always_inline void count(__u32 slot, __u8 direction, __u32 reason)
{
	__u32 index = bh_counter_index(slot, direction, reason % BH_REASONS_MAX);
	__u64 *counter = bpf_map_lookup_elem(&bh_counters, &index);

	if (counter)
		*counter += 1;
}

static __always_inline void pass_report(struct __sk_buff *skb, struct pass *pass, __u8 reason)
{
	event_report(skb, pass, pass->far_decided ? &pass->far : &pass->own, reason);
}

/* r: 0 or a negative reason. */
static __always_inline int pass_exit(struct __sk_buff *skb, struct pass *pass, int r)
{
	__u32 reason;

	if (r == 0 && nat_is_due(pass))
		r = nat_store(skb, pass);
	reason = -r;
	count(pass->own.slot, pass->direction, pass->far_dropped ? BH_PASS : reason);
	if (unlikely(r < 0)) {
		if (pass->far_dropped)
			count(pass->far.slot, BH_INGRESS, reason);
		pass_report(skb, pass, reason);
		return ACT_DROP;
	}
	if (unlikely(pass->audited))
		pass_report(skb, pass, BH_PASS);
	if (unlikely(pass->pkt.bits & PKT_FRAG_FIRST))
		frag_remember(pass);
	if (!may_deliver(pass))
		return ACT_NEXT;
	count(pass->far.slot, BH_INGRESS, BH_PASS);
	/* Chained, a pod's frame may be for a bridge, and comes back to the pod. */
	if (unlikely(pass->far.row == pass->own.row))
		bpf_skb_change_type(skb, 0 /* PACKET_HOST */);
	return bpf_redirect_peer(pass->far.row->ifindex, 0);
}

#endif
