/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tunnel between nodes: one device for all of them. What leaves through it is
 * told its node here, by the pod range that its destination is in; what comes in
 * must have been sent by the node whose range its source is in, and be for a pod
 * range of this one (S14, F32). The kernel's routes only lead to the device, so a
 * node has no more state than its ranges.
 */
#ifndef BPF_TUNNEL_H
#define BPF_TUNNEL_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "bpf/exit.h"
#include "bpf/verdict.h"

#define TUNNEL_PACKET_HOST 0

struct inner {
	struct bh_addr src, dst;
	struct bh_addr outer; /* coming in: the node that says it sent it */
	__u8 proto;
};

/* Inner frames are plain IP; nodes have no use for ARP or neighbour discovery with
 * each other, and whatever else it says, a pod's interface judges it. */
static __always_inline int inner_read(struct __sk_buff *skb, struct inner *inner)
{
	struct iphdr ip4;
	struct ipv6hdr ip6;

	if (skb->vlan_present)
		return -BH_VLAN;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip4, sizeof(ip4)) < 0)
			return -BH_SHORT;
		inner->src = addr_v4(ip4.saddr);
		inner->dst = addr_v4(ip4.daddr);
		inner->proto = ip4.protocol;
		return 0;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return -BH_ETHERTYPE;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip6, sizeof(ip6)) < 0)
		return -BH_SHORT;
	__builtin_memcpy(&inner->src, &ip6.saddr, sizeof(inner->src));
	__builtin_memcpy(&inner->dst, &ip6.daddr, sizeof(inner->dst));
	inner->proto = ip6.nexthdr;
	return 0;
}

static __always_inline void addr_mask(struct bh_addr *addr, __u32 len)
{
	for (__u32 i = 0; i < 4; i++) {
		__u32 keep = len > i * 32 ? len - i * 32 : 0;

		if (keep < 32)
			addr->w[i] &= bpf_htonl(keep ? 0xffffffffu << (32 - keep) : 0);
	}
}

static __always_inline struct bh_range *range_find(const struct bh_tunnel *tunnel, const struct bh_addr *addr)
{
	for (int i = 0; i < BH_RANGE_LENS; i++) {
		struct bh_prefix_key key = { .len = tunnel->lens[i], .addr = *addr };
		struct bh_range *range;

		if (key.len == 0)
			break;
		addr_mask(&key.addr, key.len);
		range = bpf_map_lookup_elem(&bh_ranges, &key);
		if (range)
			return range;
	}
	return NULL;
}

static __always_inline bool range_is_own(const struct bh_range *range)
{
	return addr_is_zero(&range->node);
}

static __always_inline struct bh_tunnel *tunnel_get(void)
{
	__u32 zero = 0;
	struct bh_tunnel *tunnel = bpf_map_lookup_elem(&bh_tunnel, &zero);

	return tunnel && tunnel->is_on ? tunnel : NULL;
}

/* The outer source, if it is of the tunnel's family and network. */
static __always_inline int outer_read(struct __sk_buff *skb, const struct bh_tunnel *tunnel,
				      struct bh_addr *ret_src)
{
	bool is_v4 = addr_is_mapped_v4(&tunnel->local);
	struct bpf_tunnel_key key = { 0 };

	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), is_v4 ? 0 : BPF_F_TUNINFO_IPV6) < 0 ||
	    key.tunnel_id != tunnel->vni)
		return -BH_TUNNEL_SENDER;
	if (is_v4)
		*ret_src = addr_v4(bpf_htonl(key.remote_ipv4));
	else
		__builtin_memcpy(ret_src, key.remote_ipv6, sizeof(*ret_src));
	return 0;
}

static __always_inline int tunnel_from_node(struct __sk_buff *skb, struct inner *inner)
{
	struct bh_tunnel *tunnel = tunnel_get();
	struct bh_range *range;
	int r;

	if (!tunnel)
		return -BH_TUNNEL_SENDER;
	/* Of what is in another network than ours nothing is known. */
	r = outer_read(skb, tunnel, &inner->outer);
	if (r < 0)
		return r;
	r = inner_read(skb, inner);
	if (r < 0)
		return r;
	range = range_find(tunnel, &inner->src);
	if (!range || !addr_eq(&range->node, &inner->outer))
		return -BH_TUNNEL_SENDER;
	range = range_find(tunnel, &inner->dst);
	if (!range || !range_is_own(range))
		return -BH_TUNNEL_RANGE;
	/* Frames carry the sender's own MAC twice (see link_tunnel_ensure()): without
	 * this program the stack takes none of them. */
	return bpf_skb_change_type(skb, TUNNEL_PACKET_HOST) < 0 ? -BH_MALFORMED : 0;
}

/* No "don't fragment" on the outside: a path that is narrower than every link we
 * know of is slow then, and not a black hole. */
static __always_inline int outer_write(struct __sk_buff *skb, const struct bh_tunnel *tunnel,
				       const struct bh_addr *node)
{
	struct bpf_tunnel_key key = { .tunnel_id = tunnel->vni, .tunnel_ttl = 64 };

	if (addr_is_mapped_v4(&tunnel->local)) {
		key.remote_ipv4 = bpf_ntohl(node->w[3]);
		key.local_ipv4 = bpf_ntohl(tunnel->local.w[3]);
		return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_ZERO_CSUM_TX);
	}
	__builtin_memcpy(key.remote_ipv6, node, sizeof(key.remote_ipv6));
	__builtin_memcpy(key.local_ipv6, &tunnel->local, sizeof(key.local_ipv6));
	return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6);
}

static __always_inline int tunnel_to_node(struct __sk_buff *skb, struct inner *inner)
{
	struct bh_tunnel *tunnel = tunnel_get();
	struct bh_range *range;
	int r;

	if (!tunnel)
		return -BH_TUNNEL_RANGE;
	r = inner_read(skb, inner);
	if (r < 0)
		return r;
	range = range_find(tunnel, &inner->dst);
	if (!range || range_is_own(range))
		return -BH_TUNNEL_RANGE;
	return outer_write(skb, tunnel, &range->node) < 0 ? -BH_TUNNEL_RANGE : 0;
}

/* The ports of what is inside, where it can have some. A fragment's first bytes are
 * told as they are: they decide nothing. */
static __always_inline void inner_ports(struct __sk_buff *skb, const struct inner *inner,
					struct bh_event *event)
{
	__u32 off = addr_is_mapped_v4(&inner->src) ? IP4_L4_OFF : IP6_L4_OFF;
	__be16 ports[2] = { 0 };

	if (proto_has_ports(inner->proto) && bpf_skb_load_bytes(skb, off, ports, sizeof(ports)) < 0)
		ports[0] = ports[1] = 0;
	event->sport = ports[0];
	event->dport = ports[1];
}

static __always_inline void tunnel_report(struct __sk_buff *skb, const struct inner *inner, __u8 reason,
					  __u8 direction)
{
	__u32 zero = 0;
	struct bh_usage *usage = bpf_map_lookup_elem(&bh_tunnel_usage, &zero);
	const struct bh_config *config = bpf_map_lookup_elem(&bh_config, &zero);
	struct bh_event *event;

	if (!usage || !config || !event_granted(usage, config, bpf_jiffies64()))
		return;
	event = bpf_ringbuf_reserve(&bh_events, sizeof(*event), 0);
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = bpf_ktime_get_ns();
	event->ifindex = skb->ifindex;
	event->src = inner->src;
	event->dst = inner->dst;
	event->proto = inner->proto;
	event->direction = direction;
	event->reason = reason;
	event->action = BH_DENY;
	event->ethertype = bpf_ntohs(skb->protocol);
	event->length = skb->len;
	event->service = inner->outer;
	inner_ports(skb, inner, event);
	bpf_ringbuf_submit(event, 0);
}

/* Drops only, among those of no endpoint: what passes is counted where a pod sends
 * or receives it. */
static __always_inline int tunnel_exit(struct __sk_buff *skb, const struct inner *inner, int r,
				       __u8 direction)
{
	if (r == 0)
		return ACT_NEXT;
	count(BH_ENDPOINTS_MAX, direction, -r);
	tunnel_report(skb, inner, -r, direction);
	return ACT_DROP;
}

#endif
