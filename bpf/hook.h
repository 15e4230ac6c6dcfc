/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What both hooks do alike: whose interface, which frame, which kind of packet. */
#ifndef BPF_HOOK_H
#define BPF_HOOK_H

#include "bpf/exit.h"
#include "bpf/icmp.h"
#include "bpf/neigh.h"
#include "bpf/parse6.h"

/* -BH_NO_ENDPOINT leaves own.slot at the slot that counts strangers. */
static __always_inline int pass_begin(struct pass *pass, struct __sk_buff *skb, __u8 direction)
{
	struct bh_endpoint *row;
	__u32 zero = 0, slot = BH_ENDPOINTS_MAX;

	pass->direction = pass->rule_direction = direction;
	pass->own.slot = BH_ENDPOINTS_MAX;
	pass->ingress_ifindex = skb->ingress_ifindex;
	pass->now = bpf_jiffies64();
	pass->config = bpf_map_lookup_elem(&bh_config, &zero);
	row = endpoint_find(skb->ifindex, &slot);
	if (!row || !pass->config)
		return -BH_NO_ENDPOINT;
	end_set(&pass->own, row, slot);
	return 0;
}

static __always_inline bool mac_is_broadcast(const __u8 *mac)
{
	return *(const __u16 *)mac == 0xffff && *(const __u16 *)(mac + 2) == 0xffff &&
	       *(const __u16 *)(mac + 4) == 0xffff;
}

/* from_pod only: a pod speaks as itself, to the node (L8). */
static __always_inline int macs_check(const struct ethhdr *eth, const struct pass *pass)
{
	const struct bh_endpoint *row = pass->own.row;

	if (!mac_eq(eth->h_source, row->mac))
		return -BH_SRC_MAC;
	if (!(row->flags & BH_EP_ROUTED) || mac_eq(eth->h_dest, row->host_mac))
		return 0;
	if (pass->pkt.ethertype == ETH_P_ARP && mac_is_broadcast(eth->h_dest))
		return 0;
	/* A neighbour solicitation goes to a group; whether it is one, the parser
	 * will know: see group_mac_check(). */
	if (pass->pkt.ethertype == ETH_P_IPV6 && *(const __u16 *)eth->h_dest == 0x3333)
		return 0;
	return -BH_DST_MAC;
}

/* What is no neighbour discovery goes to the node's MAC (L8). */
static __always_inline int group_mac_check(const struct pass *pass)
{
	return (pass->pkt.bits & PKT_GROUP_MAC) && (pass->own.row->flags & BH_EP_ROUTED) ? -BH_DST_MAC : 0;
}

/* In this order: VLAN and ethertype, closed, MACs. */
static __always_inline int link_check(struct __sk_buff *skb, struct pass *pass)
{
	const struct ethhdr *eth;
	__u16 type;

	if (skb->vlan_present)
		return -BH_VLAN;
	eth = frame_linear(skb, 0, sizeof(*eth));
	if (!eth)
		return -BH_SHORT;
	type = bpf_ntohs(eth->h_proto);
	pass->pkt.ethertype = type;
	if (type == ETH_P_8021Q || type == ETH_P_8021AD)
		return -BH_VLAN;
	if (type != ETH_P_IP && type != ETH_P_IPV6 && type != ETH_P_ARP)
		return -BH_ETHERTYPE;
	if (!endpoint_is_open(pass->own.row))
		return -BH_CLOSED;
	if (eth->h_dest[0] & 1)
		pass->pkt.bits |= PKT_GROUP_MAC;
	return pass->direction == BH_EGRESS ? macs_check(eth, pass) : 0;
}

/* Every frame there is. A global function, as verdict_ask() is; pkt->ethertype and
 * bits are known. */
int packet_parse(struct __sk_buff *skb, struct packet *pkt, __u32 flags);

__noinline int packet_parse(struct __sk_buff *skb, struct packet *pkt, __u32 flags)
{
	int r;

	if (!pkt)
		return -BH_SHORT;
	if (pkt->ethertype == ETH_P_IP)
		r = parse_ipv4(skb, pkt, false);
	else
		r = parse_ipv6(skb, pkt, flags & BH_CONFIG_ALLOW_EXT_HEADERS, false);
	if (r < 0)
		return r;
	if (unlikely(pkt->bits & (PKT_FRAG_FIRST | PKT_FRAG_LATER)) && (flags & BH_CONFIG_DROP_FRAGMENTS))
		return -BH_FRAG_OFF;
	return 0;
}

/* A whole TCP or UDP packet whose headers lie in the linear part is read where it
 * is; anything else about it, also what is wrong with it, is for packet_parse(), which
 * sets again whatever this has set by then. */
static __always_inline bool packet_parse_plain(struct __sk_buff *skb, struct packet *pkt)
{
	int r;

	if (pkt->ethertype == ETH_P_IP)
		r = parse_ipv4(skb, pkt, true);
	else
		r = parse_ipv6(skb, pkt, false, true);
	if (r == 0 && !pkt->bits && !(pkt->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)))
		pkt->bits = PKT_TALK;
	return r == 0;
}

static __always_inline int ip_parse(struct __sk_buff *skb, struct pass *pass)
{
	if (likely(packet_parse_plain(skb, &pass->pkt)))
		return 0;
	return packet_parse(skb, &pass->pkt, pass->config->flags);
}

/* Never on a wire (S16). IPv6 loopback and mapped addresses were the parser's. */
static __always_inline bool addr_is_martian(const struct bh_addr *addr)
{
	__u32 top;

	if (!addr_is_mapped_v4(addr))
		return addr_is_zero(addr);
	top = bpf_ntohl(addr->w[3]) >> 24;
	return top == 0 || top == 127;
}

/* What kind of ICMP, where a later fragment can only be an echo's. */
static __always_inline enum icmp_kind packet_icmp_kind(const struct packet *pkt)
{
	enum icmp_kind kind;

	if (likely(pkt->proto == IPPROTO_TCP || pkt->proto == IPPROTO_UDP))
		return ICMP_KIND_NONE;
	kind = icmp_kind(pkt);
	return kind != ICMP_KIND_NONE && (pkt->bits & PKT_FRAG_LATER) ? ICMP_KIND_ECHO_REPLY : kind;
}

/*
 * Attached to a pod that already talked: connections whose opening nobody saw
 * pass if policy allows them in either direction (ARCHITECTURE "Flows").
 */
static __always_inline int flow_adopt(struct pass *pass, const struct bh_flow_key *key,
				      const struct flow_view *view)
{
	struct end none = { 0 };
	bool reversed = false;
	int r;

	if (pass->pkt.tcp_flags & TCP_RST)
		return -BH_OLD_FLOW;
	pass->far = none;
	pass->receiver_is_node = addr_is_node(&pass->pkt.dst);
	if (pass->direction == BH_EGRESS)
		r = connection_ask(pass, &pass->own, &pass->far, false);
	else
		r = connection_ask(pass, &pass->far, &pass->own, false);
	if (r < 0) {
		reversed = true;
		pass->receiver_is_node = addr_is_node(&pass->pkt.src);
		if (pass->direction == BH_EGRESS)
			r = connection_ask(pass, &pass->far, &pass->own, true);
		else
			r = connection_ask(pass, &pass->own, &pass->far, true);
	}
	if (r < 0)
		return -BH_OLD_FLOW;
	return flow_open(pass, key, view, reversed, BH_FLOW_REPLIED);
}

#endif
