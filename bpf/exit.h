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
#include "bpf/reject.h"

static __always_inline void count(__u32 slot, __u8 direction, __u32 reason)
{
	__u32 index = bh_counter_index(slot, direction, reason % BH_REASONS_MAX);
	__u64 *counter = bpf_map_lookup_elem(&bh_counters, &index);

	if (counter)
		*counter += 1;
}

/* What is told, and what is dropped or sent back: once in the verifier's eyes, however many reasons
 * lead here. Global functions, as verdict_ask() is, so rows are looked up anew. */
int pass_tell(struct __sk_buff *skb, const struct pass *pass, __u32 reason);
int pass_drop(struct __sk_buff *skb, const struct pass *pass, __u32 reason);

__noinline int pass_tell(struct __sk_buff *skb, const struct pass *pass, __u32 reason)
{
	if (pass)
		event_report(skb, pass, pass->far_decided ? &pass->far : &pass->own, reason);
	return 0;
}

__noinline int pass_drop(struct __sk_buff *skb, const struct pass *pass, __u32 reason)
{
	if (!pass)
		return ACT_DROP;
	count(pass->own.slot, pass->direction, pass->far_dropped ? BH_PASS : reason);
	if (pass->far_dropped)
		count(pass->far.slot, BH_INGRESS, reason);
	pass_tell(skb, pass, reason);
	return reason == BH_NO_BACKEND ? reject(skb, &pass->pkt) : ACT_DROP;
}

/* Straight to far, a local receiver. */
static __always_inline int deliver(struct __sk_buff *skb, const struct end *far, bool is_own)
{
	count(far->slot, BH_INGRESS, BH_PASS);
	/* Chained, a pod's frame may be for a bridge, and comes back to the pod. */
	if (unlikely(is_own))
		bpf_skb_change_type(skb, 0 /* PACKET_HOST */);
	return bpf_redirect_peer(far->row->ifindex, 0);
}

/* r: 0 or a negative reason. */
static __always_inline int pass_exit(struct __sk_buff *skb, struct pass *pass, int r)
{
	if (r == 0 && nat_is_due(pass))
		r = nat_store(skb, pass);
	if (unlikely(r < 0))
		return pass_drop(skb, pass, -r);
	count(pass->own.slot, pass->direction, BH_PASS);
	if (unlikely(pass->pkt.bits & PKT_FRAG_FIRST))
		frag_remember(pass);
	r = may_deliver(pass) ? deliver(skb, &pass->far, pass->far.row == pass->own.row) : ACT_NEXT;
	if (unlikely(pass->audited))
		pass_tell(skb, pass, BH_PASS);
	return r;
}

#endif
