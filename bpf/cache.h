/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections of the last second, a table for each CPU: what its record would say of
 * one more packet, kept so that the record need not be looked up. An entry is made by
 * a packet that its record let pass and left unchanged, and it answers for packets
 * of the same tuple on the same hook, as long as
 *
 *   - both ends have the revision that the record was stamped with,
 *   - the Services are those that were asked (UDP asks again when they change), and
 *     no client was sent elsewhere over ports that it talks by,
 *   - the record would not have to be touched: flow_touch() says until when.
 *
 * Whatever else a packet may mean (it opens or closes, it is a fragment or has no
 * ports) goes to the record. So an entry may be lost at any time, and two connections
 * that meet in one place only cost each other time.
 *
 * No other connection has the same tuple while an entry lasts: the record of a closed
 * one lives on for longer than the second that entries do.
 */
#ifndef BPF_CACHE_H
#define BPF_CACHE_H

#include "bpf/flow.h"
#include "bpf/nat.h"

#define CACHE_SIZE 4096

struct cached {
	struct tuple tuple; /* as packets come */
	__u32 hook;	    /* ifindex and direction; 0: empty */
	__u32 ingress_ifindex;
	__u32 revision; /* of the hook's own end */
	__u32 until;	/* jiffies */
	__u16 services; /* as in struct pass */
	__u16 is_translated;
	struct bh_flow_end far;
	struct tuple other; /* as they leave; only where they are translated */
};
BH_ASSERT_SIZE(struct cached, 112);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CACHE_SIZE);
	__type(key, __u32);
	__type(value, struct cached);
} bh_cache SEC(".maps");

/* bh_cache_gen[0] grows when a client was sent elsewhere: cache_renounce(). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bh_cache_gen SEC(".maps");

/* Which Services were asked. The sum of two counters that only grow: it stays while
 * neither does. */
static __always_inline __u16 service_gen(void)
{
	__u32 zero = 0;
	const struct bh_service_gen *changes = bpf_map_lookup_elem(&bh_service_gen, &zero);
	const __u32 *moved = bpf_map_lookup_elem(&bh_cache_gen, &zero);

	return changes && moved ? READ_ONCE(changes->gen) + READ_ONCE(*moved) : 0;
}

/* Entries on any CPU may lead where a client's packets no longer go. */
static __always_inline void cache_renounce(void)
{
	__u32 zero = 0;
	__u32 *moved = bpf_map_lookup_elem(&bh_cache_gen, &zero);

	if (moved)
		__sync_fetch_and_add(moved, 1);
}

static __always_inline __u32 cache_hook(const struct pass *pass)
{
	return pass->own.row->ifindex << 1 | pass->direction;
}

static __always_inline struct cached *cache_at(const struct tuple *came, __u32 hook)
{
	__u64 hash = (__u64)came->src.w[3] << 32 | came->dst.w[3];
	__u32 index;

	hash ^= (__u64)came->sport << 16 ^ came->dport ^ (__u64)hook << 32;
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

/* Sets the far end, as the record would have. */
static __always_inline bool cached_holds(struct pass *pass, const struct cached *at)
{
	if (at->hook != cache_hook(pass) || tuple_diff(&at->tuple, &pass->pkt.tuple))
		return false;
	if (at->revision != pass->own.revision || at->ingress_ifindex != pass->ingress_ifindex ||
	    (__s32)(at->until - (__u32)pass->now) <= 0 || at->services != pass->services)
		return false;
	if (!far_resolve(pass, &at->far))
		return false;
	return !pass->far.row || (pass->far.revision == at->far.revision && endpoint_is_open(pass->far.row));
}

/* The entry for this packet, or null. */
static __always_inline const struct cached *cache_find(struct pass *pass)
{
	const struct end none = { 0 };
	const struct cached *at;

	if (!(pass->pkt.bits & PKT_TALK))
		return NULL;
	at = cache_at(&pass->pkt.tuple, cache_hook(pass));
	if (at && cached_holds(pass, at))
		return at;
	pass->far = none; /* the record says who it is */
	return NULL;
}

/* 0, or a negative reason. */
static __always_inline int cached_pass(struct __sk_buff *skb, const struct pass *pass,
				       const struct cached *at)
{
	struct layout layout;

	if (likely(!at->is_translated))
		return 0;
	layout = layout_of(&pass->pkt);
	return packet_rewrite(skb, &pass->pkt.tuple, &at->other, &layout) ? -BH_SERVICE_NAT : 0;
}

/* What an entry says beside tuples and the far end. */
struct cache_mark {
	__u32 hook;
	__u32 ingress_ifindex;
	__u32 revision;
	__u32 until;
	__u16 services;
	__u8 nat; /* enum pass_nat */
	bool is_translated;
};

/* A global function, as verdict_ask() is. */
int cache_put(const struct tuple *packet, const struct tuple *other, const struct bh_flow_end *far,
	      const struct cache_mark *mark);

__noinline int cache_put(const struct tuple *packet, const struct tuple *other, const struct bh_flow_end *far,
			 const struct cache_mark *mark)
{
	const struct tuple *came = packet, *leaves = other;
	struct cached *at;

	if (!packet || !other || !far || !mark)
		return 0;
	if (mark->nat == NAT_FORWARD) {
		came = other;
		leaves = packet;
	}
	at = cache_at(came, mark->hook);
	if (!at)
		return 0;
	at->tuple = *came;
	at->hook = mark->hook;
	at->ingress_ifindex = mark->ingress_ifindex;
	at->revision = mark->revision;
	at->until = mark->until;
	at->services = mark->services;
	at->is_translated = mark->is_translated;
	at->far = *far;
	if (mark->nat)
		at->other = *leaves;
	return 0;
}

/* `own` and `far`: the record's ends. `until`: of flow_touch(). */
static __always_inline void cache_keep(const struct pass *pass, const struct bh_flow_end *own,
				       const struct bh_flow_end *far, __u64 until)
{
	const struct cache_mark mark = {
		.hook = cache_hook(pass),
		.ingress_ifindex = pass->ingress_ifindex,
		.revision = own->revision,
		.until = until,
		.services = pass->services,
		.nat = pass->nat,
		.is_translated = nat_is_due(pass),
	};

	if ((pass->pkt.bits & PKT_TALK) && until > pass->now)
		cache_put(&pass->pkt.tuple, &pass->other, far, &mark);
}

#endif
