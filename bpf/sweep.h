/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Expiry of flow records, in the kernel so that no user-space race can delete a
 * record that a packet has just renewed. Started by the daemon, or by a packet when
 * the daemon is gone; see flow.h for who may do what to a record.
 */
#ifndef BPF_SWEEP_H
#define BPF_SWEEP_H

#include "bpf/flow_key.h"
#include "bpf/quota.h"

struct bpf_map;

/* Little, for the stack has none left where a packet sweeps. */
struct sweep {
	__u64 remaining;
};

static __always_inline bool flow_is_closed(__u8 state)
{
	return (state & BH_FLOW_CLOSED) == BH_FLOW_CLOSED;
}

static __always_inline __u32 closed_s(const struct bh_config *config)
{
	return config->tcp_closing_s < BH_FLOW_CLOSED_S ? config->tcp_closing_s : BH_FLOW_CLOSED_S;
}

static __always_inline bool endpoint_is_gone(__u32 slot, __u32 ifindex)
{
	struct bh_endpoint *ep;

	if (ifindex == 0)
		return false;
	ep = endpoint_at(slot);
	return !ep || READ_ONCE(ep->ifindex) != ifindex;
}

/* Records of endpoints that left expire at once and owe nothing to whoever has
 * their slot next. */
static __always_inline void sweep_orphan(struct bh_flow *flow, __u64 now, __u64 expires)
{
	if (endpoint_is_gone(flow->owner, flow->owner_ifindex))
		WRITE_ONCE(flow->owner_ifindex, 0);
	if (expires <= now)
		return;
	if (endpoint_is_gone(flow->end[0].slot, flow->end[0].ifindex) ||
	    endpoint_is_gone(flow->end[1].slot, flow->end[1].ifindex))
		__sync_val_compare_and_swap(&flow->expires, expires, now);
}

/* Closed by both ends or never answered, silent since, and of an endpoint that runs
 * short? */
static __always_inline bool flow_is_spent(const struct bh_flow_key *key, const struct bh_flow *flow,
					  const struct bh_config *config, __u64 now, __u64 expires)
{
	__u32 owner = flow->owner, life = closed_s(config);
	const struct bh_usage *usage;

	if (key->proto != IPPROTO_TCP || flow->nat_kind == BH_NAT_ALIAS)
		return false;
	if (!(flow->state & (BH_FLOW_REPLIED | BH_FLOW_CLOSING)))
		life = config->tcp_syn_s;
	else if (!flow_is_closed(flow->state))
		return false;
	if ((__s64)(now + (__u64)life * config->hz - expires) < BH_FLOW_SPENT_S * (__s64)config->hz)
		return false;
	usage = bpf_map_lookup_elem(&bh_usage, &owner);
	return usage && READ_ONCE(usage->flows) > config->flow_quota / 2;
}

/* When the connection expires that an alias stands for: then so does the alias. */
static __noinline __u64 alias_expires(const struct bh_flow_key *key, const struct bh_flow *alias, __u64 now)
{
	bool client_is_hi = alias->state & BH_FLOW_OPENER_HI;
	const struct bh_addr *front = client_is_hi ? &key->lo : &key->hi;
	const struct bh_addr *client = client_is_hi ? &key->hi : &key->lo;
	struct bh_flow_key real_key;
	const struct bh_flow *real;

	/* To itself, a pod goes by the Service's address (nat.h). */
	if (addr_eq(client, &alias->nat.addr))
		client = front;
	flow_key_sort(&real_key, client, alias->nat.client_port, &alias->nat.addr, alias->nat.port,
		      key->proto);
	real = bpf_map_lookup_elem(&bh_flows, &real_key);
	if (!real || real->nat_kind != BH_NAT_REAL || READ_ONCE(real->expires) <= now ||
	    !addr_eq(&real->nat.addr, front) ||
	    real->nat.port != (client_is_hi ? key->lo_port : key->hi_port) ||
	    real->nat.client_port != (client_is_hi ? key->hi_port : key->lo_port))
		return now;
	return READ_ONCE(real->expires);
}

/* Returns what `expires` is afterwards. */
static __always_inline __u64 alias_sync(const struct bh_flow_key *key, struct bh_flow *alias, __u64 now,
					__u64 expires)
{
	__u64 wanted = alias_expires(key, alias, now);

	if (wanted == now && expires <= now)
		return expires;
	if (wanted != expires)
		__sync_val_compare_and_swap(&alias->expires, expires, wanted);
	return wanted;
}

static long sweep_record(struct bpf_map *map, struct bh_flow_key *key, struct bh_flow *flow,
			 struct sweep *sweep)
{
	__u64 expires = READ_ONCE(flow->expires), now = bpf_jiffies64();
	__u32 owner, owner_ifindex, zero = 0;
	const struct bh_config *config = bpf_map_lookup_elem(&bh_config, &zero);

	if (!config)
		return 1;
	if (flow->nat_kind == BH_NAT_ALIAS)
		expires = alias_sync(key, flow, now, expires);
	sweep_orphan(flow, now, expires);
	if (expires > now && flow_is_spent(key, flow, config, now, expires))
		__sync_val_compare_and_swap(&flow->expires, expires, now);
	sweep->remaining++;
	if ((__s64)(now - expires) <= (__s64)config->hz)
		return 0;
	owner = flow->owner;
	owner_ifindex = flow->owner_ifindex;
	if (__sync_val_compare_and_swap(&flow->expires, expires, 0) != expires)
		return 0;
	if (bpf_map_delete_elem(map, key) == 0) {
		sweep->remaining--;
		quota_return(owner, owner_ifindex);
	}
	return 0;
}

static __always_inline __u32 sweep_run(void)
{
	struct sweep sweep = { 0 };
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&bh_sweeps, &zero);

	if (last)
		WRITE_ONCE(*last, bpf_jiffies64());
	bpf_for_each_map_elem(&bh_flows, sweep_record, &sweep, 0);
	return sweep.remaining;
}

/* Is the daemon gone? One CPU sweeps in its place, the others go on. A walk over a
 * full table takes milliseconds, so this happens only where a connection would
 * be refused otherwise. A global function: the verifier looks at it once. */
bool sweep_if_overdue(__u64 now, __u32 hz);

__noinline bool sweep_if_overdue(__u64 now, __u32 hz)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&bh_sweeps, &zero);
	__u64 seen;

	if (!last)
		return false;
	seen = READ_ONCE(*last);
	if (now - seen < (__u64)BH_SWEEP_OVERDUE_S * hz ||
	    __sync_val_compare_and_swap(last, seen, now) != seen)
		return false;
	sweep_run();
	return true;
}

#endif
