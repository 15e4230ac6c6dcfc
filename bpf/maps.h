/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables, as abi.h describes them. What packets create is preallocated; what
 * policy fills grows with it. The arrays that user space writes by ordered
 * stores are mappable.
 */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include "bpf/base.h"

#define FRAGS_MAX (BH_ENDPOINTS_MAX * BH_FRAG_WAYS)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_config);
} bh_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BH_ENDPOINTS_MAX);
	__type(key, __u32);
	__type(value, struct bh_endpoint);
} bh_endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_LOCALS_MAX);
	__type(key, struct bh_addr);
	__type(value, struct bh_local);
} bh_locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_PEERS_MAX);
	__type(key, struct bh_addr);
	__type(value, __u32);
} bh_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_PREFIXES_MAX);
	__type(key, struct bh_prefix_key);
	__type(value, __u32);
} bh_prefixes SEC(".maps");

/* No program reads it: see abi.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_PREFIXES_MAX);
	__type(key, struct bh_prefix_key);
	__type(value, __u32);
} bh_prefix_list SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_VERDICTS_MAX);
	__type(key, struct bh_verdict_key);
	__type(value, struct bh_verdict);
} bh_verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BH_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct bh_port);
} bh_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BH_FLOWS_MAX);
	__type(key, struct bh_flow_key);
	__type(value, struct bh_flow);
} bh_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} bh_sweeps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAGS_MAX);
	__type(key, __u32);
	__type(value, struct bh_frag);
} bh_frags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_FRONTS_MAX);
	__type(key, struct bh_front);
	__type(value, struct bh_service);
} bh_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_GROUPS_MAX);
	__type(key, struct bh_group_key);
	__type(value, struct bh_group);
} bh_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BH_AFFINITIES_MAX);
	__type(key, struct bh_affinity_key);
	__type(value, struct bh_affinity);
} bh_affinity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_service_gen);
} bh_service_gen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_scratch);
} bh_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BH_ENDPOINTS_MAX);
	__type(key, __u32);
	__type(value, struct bh_usage);
} bh_usage SEC(".maps");

/* What may still be told of the tunnel in this second. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_usage);
} bh_tunnel_usage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BH_EVENTS_BYTES);
} bh_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BH_COUNTERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} bh_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bh_tunnel);
} bh_tunnel SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BH_RANGES_MAX);
	__type(key, struct bh_prefix_key);
	__type(value, struct bh_range);
} bh_ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BH_NEXT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} bh_next SEC(".maps");

/* The flow records of the layout before this one. The loader gives it that layout's
 * value size, or leaves it out: see handover.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BH_FLOWS_MAX);
	__type(key, struct bh_flow_key);
	__type(value, struct bh_flow);
} bh_flows_prev SEC(".maps");

#endif
