/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections of the last second, a table for each CPU: what its record would say of
 * one more packet, kept so that the record need not be looked up. An entry is made by
 * a packet that its record let pass and left unchanged, and it answers for packets
 * of the same tuple on the same hook, as long as
 *
 *   - both ends have the revision that the record was stamped with,
 *   - the Services are those that were asked (UDP asks again when they change),
 *   - the record would not have to be touched: flow_touch() says until when.
 *
 * Whatever else a packet may mean (it opens or closes, it is a fragment, a translated
 * or a port-less one) goes to the record. So an entry may be lost at any time, and two
 * connections that meet in one place only cost each other time.
 */
#ifndef BPF_CACHE_H
#define BPF_CACHE_H

#include "bpf/flow.h"

#define CACHE_SIZE 4096

struct cached {
	struct tuple tuple;
	__u32 hook; /* ifindex and direction; 0: empty */
	__u32 ingress_ifindex;
	__u32 revision; /* of the hook's own end */
	__u32 until;	/* jiffies */
	struct bh_flow_end far;
	__u32 services;
};
BH_ASSERT_SIZE(struct cached, 72);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CACHE_SIZE);
	__type(key, __u32);
	__type(value, struct cached);
} bh_cache SEC(".maps");

static __always_inline __u16 service_gen(void)
{
	__u32 zero = 0;
	const struct bh_service_gen *is = bpf_map_lookup_elem(&bh_service_gen, &zero);

	return is ? (__u16)READ_ONCE(is->gen) : 0;
}

static __always_inline __u32 cache_hook(const struct pass *pass)
{
	return pass->own.row->ifindex << 1 | pass->direction;
}

static __always_inline struct cached *cache_at(const struct pass *pass)
{
	const struct tuple *t = &pass->pkt.tuple;
	__u64 hash = (__u64)t->src.w[3] << 32 | t->dst.w[3];
	__u32 index;

	hash ^= (__u64)t->sport << 16 ^ t->dport ^ (__u64)pass->direction << 32;
	hash *= 0x9e3779b97f4a7c15ULL;
	index = hash >> 52;
	return bpf_map_lookup_elem(&bh_cache, &index);
}
_Static_assert(CACHE_SIZE == 1 << (64 - 52), "the index is the hash's first bits");

/* 0 when they are the same. */
static __always_inline __u64 tuple_diff(const struct tuple *a, const struct tuple *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return (x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]);
}

/* Nothing but the next part of a conversation? */
static __always_inline bool cache_may_answer(const struct packet *pkt)
{
	return !pkt->bits && !(pkt->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) &&
	       (pkt->proto == IPPROTO_TCP || pkt->proto == IPPROTO_UDP);
}

/* Sets the far end, as the record would have. */
static __always_inline bool cache_answers(struct pass *pass)
{
	const struct cached *at;

	if (!cache_may_answer(&pass->pkt))
		return false;
	at = cache_at(pass);
	if (!at || at->hook != cache_hook(pass) || tuple_diff(&at->tuple, &pass->pkt.tuple))
		return false;
	if (at->revision != pass->own.revision || at->ingress_ifindex != pass->ingress_ifindex ||
	    (__s32)(at->until - (__u32)pass->now) <= 0 || at->services != service_gen())
		return false;
	if (!far_resolve(pass, &at->far))
		return false;
	return !pass->far.row || (pass->far.revision == at->far.revision && endpoint_is_open(pass->far.row));
}

/* `own` and `far`: the record's ends. `until`: of flow_touch(). */
static __always_inline void cache_keep(const struct pass *pass, const struct bh_flow *flow,
				       const struct bh_flow_end *own, const struct bh_flow_end *far,
				       __u64 until)
{
	struct cached *at;

	if (!cache_may_answer(&pass->pkt) || flow->nat_kind != BH_NAT_NONE || until <= pass->now)
		return;
	at = cache_at(pass);
	if (!at)
		return;
	at->tuple = pass->pkt.tuple;
	at->hook = cache_hook(pass);
	at->ingress_ifindex = pass->ingress_ifindex;
	at->revision = own->revision;
	at->far = *far;
	at->until = until;
	at->services = service_gen();
}

#endif
