// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Baseline: an LRU hash of directed tuples, and a prefix trie from address to a
 * port list that is walked entry by entry. The shape of small policy agents.
 */
#include "tests/bench/baseline_parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BASE_PEERS_MAX);
	__type(key, struct base_prefix);
	__type(value, struct base_ports);
} peers SEC(".maps");

SEC("tc")
int bench_lru(struct __sk_buff *skb)
{
	struct base_tuple tuple = { 0 }, back;
	struct base_prefix key = { .len = 32 };
	struct base_ports *ports;
	__u16 port;

	if (tuple_parse(skb, &tuple) < 0)
		return DROP;
	if (flow_seen(&tuple))
		return NEXT;
	back = tuple_reverse(&tuple);
	if (flow_seen(&back))
		return NEXT;
	key.addr = tuple.dst;
	ports = bpf_map_lookup_elem(&peers, &key);
	if (!ports)
		return deny(skb, &tuple);
	port = bpf_ntohs(tuple.dport);
	for (__u32 i = 0; i < BASE_PORTS_MAX; i++) {
		if (i >= ports->n)
			break;
		if (ports->port[i].proto == tuple.proto && port >= ports->port[i].first &&
		    port <= ports->port[i].last)
			return flow_add(&tuple);
	}
	return deny(skb, &tuple);
}
