// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Baseline: identities. Endpoint by address, connection tracking by directed
 * tuple in an LRU hash, identity by longest prefix, policy by (identity, protocol,
 * port) with its wildcards one after the other. The shape of identity designs, at
 * their lower bound: no services, no encryption, no metrics but one.
 */
#include "tests/bench/baseline_parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BASE_PEERS_MAX);
	__type(key, struct base_prefix);
	__type(value, __u32);
} identities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct base_policy);
	__type(value, __u32);
} policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} metrics SEC(".maps");

static __always_inline int counted(int verdict)
{
	__u32 key = verdict == DROP;
	__u64 *n = bpf_map_lookup_elem(&metrics, &key);

	if (n)
		*n += 1;
	return verdict;
}

static __always_inline bool policy_allows(__u32 identity, const struct base_tuple *tuple)
{
	struct base_policy key = { .identity = identity, .port = tuple->dport, .proto = tuple->proto };

	if (bpf_map_lookup_elem(&policy, &key))
		return true;
	key.identity = 0;
	if (bpf_map_lookup_elem(&policy, &key))
		return true;
	key.identity = identity;
	key.port = 0;
	if (bpf_map_lookup_elem(&policy, &key))
		return true;
	key.proto = 0;
	return bpf_map_lookup_elem(&policy, &key) != NULL;
}

SEC("tc")
int bench_lpm(struct __sk_buff *skb)
{
	struct base_tuple tuple = { 0 }, back;
	struct base_prefix key = { .len = 32 };
	__u32 *endpoint, *identity;

	if (tuple_parse(skb, &tuple) < 0)
		return DROP;
	endpoint = bpf_map_lookup_elem(&endpoints, &tuple.src);
	if (!endpoint)
		return DROP;
	key.addr = tuple.dst;
	identity = bpf_map_lookup_elem(&identities, &key);
	if (flow_seen(&tuple))
		return counted(NEXT);
	back = tuple_reverse(&tuple);
	if (flow_seen(&back))
		return counted(NEXT);
	if (!policy_allows(identity ? *identity : 2, &tuple)) {
		deny(skb, &tuple);
		return counted(DROP);
	}
	return counted(flow_add(&tuple));
}
