/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every header of the kernel room needs. */
#ifndef BPF_BASE_H
#define BPF_BASE_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <bulkhead/abi.h>
#include <bulkhead/reason.h>

#define READ_ONCE(x)	 (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* "Next program", in tc's words and in tcx's. */
#define ACT_NEXT (-1)
#define ACT_DROP 2

/* 0 when they are the same. Without branches: each would double what the verifier
 * has to follow from there. */
static __always_inline __u32 addr_diff(const struct bh_addr *a, const struct bh_addr *b)
{
	return (a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3]);
}

static __always_inline bool addr_eq(const struct bh_addr *a, const struct bh_addr *b)
{
	return addr_diff(a, b) == 0;
}

static __always_inline struct bh_addr addr_v4(__u32 addr_be)
{
	struct bh_addr addr = { .w = { 0, 0, bpf_htonl(0xffff), addr_be } };

	return addr;
}

static __always_inline bool addr_is_mapped_v4(const struct bh_addr *a)
{
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == bpf_htonl(0xffff);
}

static __always_inline bool addr_is_multicast(const struct bh_addr *a)
{
	if (addr_is_mapped_v4(a))
		return (bpf_ntohl(a->w[3]) >> 28) == 0xe || a->w[3] == 0xffffffff;
	return a->b[0] == 0xff;
}

#endif
