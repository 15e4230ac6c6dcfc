/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the baseline programs share with the bench that loads them: IPv4, TCP, one
 * pod's egress. They are designs of our own in the shape that others use, written
 * to be fast, without anti-spoofing, fragments or IPv6. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include <linux/types.h>

#define BASE_FLOWS_MAX 262144
#define BASE_PEERS_MAX 262144
#define BASE_PORTS_MAX 24

struct base_tuple {
	__u32 src;
	__u32 dst;
	__u16 sport;
	__u16 dport;
	__u8 proto;
	__u8 direction;
	__u16 pad;
};

struct base_flow {
	__u64 seen_ns;
	__u64 packets;
};

struct base_prefix {
	__u32 len;
	__u32 addr;
};

/* lru: address -> ports allowed there. */
struct base_ports {
	__u32 n;
	struct {
		__u16 first;
		__u16 last;
		__u32 proto;
	} port[BASE_PORTS_MAX];
};

/* lpm: address -> identity; (identity, protocol, port) -> allowed. */
struct base_policy {
	__u32 identity;
	__u16 port;
	__u8 proto;
	__u8 pad;
};

struct base_event {
	struct base_tuple tuple;
	__u64 time_ns;
	__u32 ifindex;
	__u32 verdict;
};

#endif
