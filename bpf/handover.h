/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From one layout of the tables to the next (F28). The programs of the old layout
 * send packets on to those of the new one as soon as a flag says so: every hook of
 * the node changes at the same moment, because a connection whose two ends were
 * judged on different flow tables would lose its replies. The new programs, while
 * that lasts, fetch a record they miss from the old table.
 */
#ifndef BPF_HANDOVER_H
#define BPF_HANDOVER_H

#include "bpf/moving.h"

/* Bytes of an old flow record, set before the load; 0: no handover is under way, and
 * the verifier takes the code for it away. */
const volatile __u32 bh_flows_prev_size SEC(".rodata.handover") = 0;

_Static_assert(sizeof(struct bh_flow) % sizeof(__u64) == 0, "flow_fetch() copies words");

/* Has the packet been judged on this very hook? Does not return once the next layout's
 * programs judge. One test of one word, for packets of ordinary days. */
static __always_inline bool is_done(struct __sk_buff *skb, __u32 direction, __u32 flags)
{
	if (likely(!(flags & (BH_CONFIG_HANDED_OVER | BH_CONFIG_MOVING))))
		return false;
	if (flags & BH_CONFIG_HANDED_OVER)
		bpf_tail_call_static(skb, &bh_next, direction);
	return (flags & BH_CONFIG_MOVING) && judged_take(skb, direction);
}

/* Records only grow at their end, so the old one is the beginning of the new one.
 * Put there before it is taken here: whoever misses it in both, looks once more. */
static __noinline int flow_fetch(const struct bh_flow_key *key)
{
	__u32 size = bh_flows_prev_size;
	struct bh_flow flow = { 0 };
	const __u64 *prev;
	long r;

	/* Another CPU was faster. Also, libbpf gives the old table this one's name, and
	 * whoever goes by names takes the first: the one that is mentioned first. */
	if (bpf_map_lookup_elem(&bh_flows, key))
		return 0;
	prev = bpf_map_lookup_elem(&bh_flows_prev, key);
	if (!prev)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < sizeof(flow) / sizeof(__u64); i++) {
		if ((i + 1) * sizeof(__u64) <= size)
			((__u64 *)&flow)[i] = prev[i];
	}
	r = bpf_map_update_elem(&bh_flows, key, &flow, BPF_NOEXIST);
	if (r == 0 || r == -17 /* EEXIST */)
		bpf_map_delete_elem(&bh_flows_prev, key);
	return 0;
}

static __always_inline struct bh_flow *flow_find(const struct bh_flow_key *key)
{
	struct bh_flow *flow = bpf_map_lookup_elem(&bh_flows, key);

	if (likely(flow) || likely(bh_flows_prev_size == 0))
		return flow;
	flow_fetch(key);
	return bpf_map_lookup_elem(&bh_flows, key);
}

#endif
