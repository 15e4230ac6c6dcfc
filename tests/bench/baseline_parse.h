/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The baselines' common part: an IPv4 TCP tuple by direct packet access. */
#ifndef BENCH_BASELINE_PARSE_H
#define BENCH_BASELINE_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/baseline.h"

#define NEXT (-1)
#define DROP 2

static __always_inline int tuple_parse(struct __sk_buff *skb, struct base_tuple *tuple)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct tcphdr *tcp = (void *)ip + sizeof(*ip);

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_TCP)
		return -1;
	tuple->src = ip->saddr;
	tuple->dst = ip->daddr;
	tuple->sport = tcp->source;
	tuple->dport = tcp->dest;
	tuple->proto = ip->protocol;
	return 0;
}

static __always_inline struct base_tuple tuple_reverse(const struct base_tuple *t)
{
	struct base_tuple back = { t->dst, t->src, t->dport, t->sport, t->proto, !t->direction, 0 };

	return back;
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BASE_FLOWS_MAX);
	__type(key, struct base_tuple);
	__type(value, struct base_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

static __always_inline int deny(struct __sk_buff *skb, const struct base_tuple *tuple)
{
	struct base_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return DROP;
	event->tuple = *tuple;
	event->time_ns = bpf_ktime_get_ns();
	event->ifindex = skb->ifindex;
	event->verdict = 0;
	bpf_ringbuf_submit(event, 0);
	return DROP;
}

static __always_inline int flow_add(const struct base_tuple *tuple)
{
	struct base_flow flow = { .seen_ns = bpf_ktime_get_ns(), .packets = 1 };

	return bpf_map_update_elem(&flows, tuple, &flow, BPF_ANY) ? DROP : NEXT;
}

static __always_inline bool flow_seen(const struct base_tuple *tuple)
{
	struct base_flow *flow = bpf_map_lookup_elem(&flows, tuple);

	if (!flow)
		return false;
	flow->seen_ns = bpf_ktime_get_ns();
	flow->packets++;
	return true;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
