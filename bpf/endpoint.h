/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoint rows: whose interface, whose address. Array lookups are inlined, so
 * probing costs loads and no calls. */
#ifndef BPF_ENDPOINT_H
#define BPF_ENDPOINT_H

#include "bpf/maps.h"

static __always_inline struct bh_endpoint *endpoint_at(__u32 slot)
{
	return bpf_map_lookup_elem(&bh_endpoints, &slot);
}

static __always_inline struct bh_endpoint *endpoint_find(__u32 ifindex, __u32 *ret_slot)
{
	for (__u32 step = 0; step < BH_ENDPOINT_PROBE; step++) {
		__u32 slot = (ifindex + step) % BH_ENDPOINTS_MAX;
		struct bh_endpoint *ep = endpoint_at(slot);

		if (ep && ep->ifindex == ifindex) {
			*ret_slot = slot;
			return ep;
		}
	}
	return NULL;
}

static __always_inline bool endpoint_is_open(const struct bh_endpoint *ep)
{
	return READ_ONCE(ep->flags) & BH_EP_OPEN;
}

static __always_inline bool mac_eq(const __u8 *a, const __u8 *b)
{
	return *(const __u16 *)a == *(const __u16 *)b && *(const __u16 *)(a + 2) == *(const __u16 *)(b + 2) &&
	       *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

/* An unused address is all zero and belongs to no one. */
static __always_inline bool endpoint_owns(const struct bh_endpoint *ep, const struct bh_addr *addr)
{
	__u64 equal = 0;

	if (!(addr->w[0] | addr->w[1] | addr->w[2] | addr->w[3]))
		return false;
	if (likely(addr_eq(&ep->addr[0], addr)))
		return true;
	for (int i = 1; i < BH_ENDPOINT_ADDRS; i++)
		equal |= ((__u64)addr_diff(&ep->addr[i], addr) - 1) >> 63; /* 1 where they do not differ */
	return equal;
}

#endif
