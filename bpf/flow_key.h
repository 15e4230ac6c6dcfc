/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The direction-free key of a flow record: see abi.h. */
#ifndef BPF_FLOW_KEY_H
#define BPF_FLOW_KEY_H

#include "bpf/parse.h"

static __always_inline void word_pick(__u32 *lo, __u32 *hi, __u32 src, __u32 dst, __u32 swap)
{
	__u32 both = (src ^ dst) & swap;

	*lo = src ^ both;
	*hi = dst ^ both;
}

/* Returns 1 where the source is `hi`, else 0. */
static __always_inline __u64 flow_key_sort(struct bh_flow_key *key, const struct bh_addr *src, __be16 sport,
					   const struct bh_addr *dst, __be16 dport, __u8 proto)
{
	__u64 src_is_hi = bh_sorts_after(src, sport, dst, dport);
	__u32 swap = -(__u32)src_is_hi, ports;

	/* Word for word: the compiler would keep them all, and spill. */
	for (int i = 0; i < 4; i++) {
		asm volatile("" ::: "memory");
		word_pick(&key->lo.w[i], &key->hi.w[i], src->w[i], dst->w[i], swap);
	}
	ports = (sport ^ dport) & swap;
	key->lo_port = sport ^ ports;
	key->hi_port = dport ^ ports;
	key->proto = proto;
	key->pad[0] = key->pad[1] = key->pad[2] = 0;
	return src_is_hi;
}

static __always_inline __u64 flow_key_fill(struct bh_flow_key *key, const struct tuple *t)
{
	return flow_key_sort(key, &t->src, t->sport, &t->dst, t->dport, t->proto);
}

#endif
