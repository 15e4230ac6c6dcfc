/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flow records are charged to the endpoint that caused them (C14). */
#ifndef BPF_QUOTA_H
#define BPF_QUOTA_H

#include "bpf/endpoint.h"

static __always_inline int quota_charge(__u32 slot, __u32 quota)
{
	struct bh_usage *usage = bpf_map_lookup_elem(&bh_usage, &slot);

	if (!usage)
		return -BH_FLOW_QUOTA;
	if (__sync_fetch_and_add(&usage->flows, 1) < quota)
		return 0;
	__sync_fetch_and_add(&usage->flows, -1);
	return -BH_FLOW_QUOTA;
}

/* Never below zero: the slot may have been claimed anew meanwhile. */
static __always_inline void quota_return(__u32 slot, __u32 ifindex)
{
	struct bh_usage *usage = bpf_map_lookup_elem(&bh_usage, &slot);
	struct bh_endpoint *ep = endpoint_at(slot);

	if (!usage || !ep || ifindex == 0 || READ_ONCE(ep->ifindex) != ifindex)
		return;
	if (__sync_fetch_and_add(&usage->flows, -1) == 0)
		__sync_fetch_and_add(&usage->flows, 1);
}

#endif
