/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ARP and neighbour discovery from a pod: about its own addresses only (L9, L10). */
#ifndef BPF_NEIGH_H
#define BPF_NEIGH_H

#include "bpf/pass.h"

#define ARP_ETHERNET 1
#define ARP_REQUEST  1
#define ARP_REPLY    2

struct arp_ipv4 {
	__be16 htype;
	__be16 ptype;
	__u8 hlen;
	__u8 plen;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} __attribute__((packed, aligned(2)));

static __always_inline int arp_check(struct __sk_buff *skb, const struct pass *pass)
{
	struct arp_ipv4 arp;
	struct bh_addr sender;
	__u32 spa;

	if (bpf_skb_load_bytes(skb, L3_OFF, &arp, sizeof(arp)) < 0)
		return -BH_SHORT;
	if (arp.htype != bpf_htons(ARP_ETHERNET) || arp.ptype != bpf_htons(ETH_P_IP) || arp.hlen != 6 ||
	    arp.plen != 4 || (arp.op != bpf_htons(ARP_REQUEST) && arp.op != bpf_htons(ARP_REPLY)))
		return -BH_ARP;
	__builtin_memcpy(&spa, arp.spa, sizeof(spa));
	sender = addr_v4(spa);
	if (!mac_eq(arp.sha, pass->own.row->mac) || !endpoint_owns(pass->own.row, &sender))
		return -BH_ARP;
	return 0;
}

#define ND_ROUTER_SOLICIT 133
#define ND_ROUTER_ADVERT  134
#define ND_SOLICIT	  135
#define ND_ADVERT	  136
#define ND_REDIRECT	  137
#define ND_OPT_SOURCE_MAC 1
#define ND_OPT_TARGET_MAC 2
#define ND_OPTIONS_MAX	  4

struct nd_message {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 flags;
	struct bh_addr target;
};

static __always_inline bool packet_is_nd(const struct packet *pkt)
{
	return pkt->proto == IPPROTO_ICMPV6 && pkt->ethertype == ETH_P_IPV6 &&
	       !(pkt->bits & PKT_FRAG_LATER) && pkt->icmp_type >= ND_ROUTER_SOLICIT &&
	       pkt->icmp_type <= ND_REDIRECT;
}

/* What holds in both directions: no routers among pods, no hop in between, no
 * headers before it (RFC 6980). */
static __always_inline int nd_check_shape(const struct packet *pkt)
{
	if (pkt->icmp_type != ND_SOLICIT && pkt->icmp_type != ND_ADVERT)
		return -BH_ND;
	if (pkt->hop_limit != 255 || pkt->icmp_code != 0 || (pkt->bits & (PKT_EXT | PKT_FRAG_FIRST)))
		return -BH_ND;
	return pkt->l4_len < sizeof(struct nd_message) ? -BH_SHORT : 0;
}

/* Link-layer options name our own MAC; without_source: none may stand there. */
static __always_inline int nd_check_options(struct __sk_buff *skb, const struct pass *pass,
					    bool without_source)
{
	__u32 off = pass->pkt.l4 + sizeof(struct nd_message);
	__u32 end = pass->pkt.l4 + pass->pkt.l4_len;
	__u8 option[8];

	for (int i = 0; i < ND_OPTIONS_MAX; i++) {
		if (off == end)
			return 0;
		if (off + sizeof(option) > end || bpf_skb_load_bytes(skb, off, option, sizeof(option)) < 0)
			return -BH_ND;
		if (option[1] == 0)
			return -BH_ND;
		if (option[0] == ND_OPT_SOURCE_MAC || option[0] == ND_OPT_TARGET_MAC) {
			if (option[1] != 1 || !mac_eq(option + 2, pass->own.row->mac))
				return -BH_ND;
			if (without_source && option[0] == ND_OPT_SOURCE_MAC)
				return -BH_ND;
		}
		off += option[1] * 8u;
	}
	return off == end ? 0 : -BH_ND;
}

static __always_inline bool addr_is_zero(const struct bh_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

static __always_inline int nd_check(struct __sk_buff *skb, const struct pass *pass)
{
	const struct packet *pkt = &pass->pkt;
	bool probing = addr_is_zero(&pkt->src); /* duplicate address detection */
	struct nd_message nd;
	int r = nd_check_shape(pkt);

	if (r < 0)
		return r;
	if (bpf_skb_load_bytes(skb, pkt->l4, &nd, sizeof(nd)) < 0)
		return -BH_SHORT;
	if (probing ? pkt->icmp_type != ND_SOLICIT : !endpoint_owns(pass->own.row, &pkt->src))
		return -BH_ND;
	if ((probing || pkt->icmp_type == ND_ADVERT) && !endpoint_owns(pass->own.row, &nd.target))
		return -BH_ND;
	return nd_check_options(skb, pass, probing);
}

#endif
