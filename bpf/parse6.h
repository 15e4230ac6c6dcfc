/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPv6 and the headers that may stand before the protocol's (S11). The walk is
 * bounded, each step by the length rule of the header it stands on. By default
 * only Fragment passes; RH0, RH2 and "no next header" never do.
 */
#ifndef BPF_PARSE6_H
#define BPF_PARSE6_H

#include "bpf/parse.h"

#define EXT_HEADERS_MAX	 6
#define NEXTHDR_MOBILITY 135
#define NEXTHDR_HIP	 139
#define NEXTHDR_SHIM6	 140

struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 id;
};

struct ext_walk {
	__u32 off;  /* of the header we stand on */
	__u32 end;  /* where the IP payload ends */
	__u8 proto; /* the type of the header we stand on */
	bool options_allowed;
	bool fragment_seen;
};

static __always_inline bool is_ext_header(__u8 proto)
{
	switch (proto) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_NONE:
	case IPPROTO_DSTOPTS:
	case NEXTHDR_MOBILITY:
	case NEXTHDR_HIP:
	case NEXTHDR_SHIM6:
		return true;
	default:
		return false;
	}
}

/* A real fragment must name its protocol itself: what hides behind further
 * headers cannot be known for the later parts (RFC 7112). */
static __always_inline int ext_fragment(struct __sk_buff *skb, struct packet *pkt, struct ext_walk *walk)
{
	struct frag_hdr frag;
	__u32 offset;
	int r;

	if (walk->fragment_seen)
		return -BH_EXT_HEADER;
	if (walk->off + sizeof(frag) > walk->end ||
	    bpf_skb_load_bytes(skb, walk->off, &frag, sizeof(frag)) < 0)
		return -BH_SHORT;
	walk->fragment_seen = true;
	walk->off += sizeof(frag);
	walk->proto = frag.nexthdr;
	offset = bpf_ntohs(frag.frag_off);
	if (!(offset & 0xfff9))
		return 0; /* atomic: a whole packet behind a fragment header */
	if (is_ext_header(frag.nexthdr))
		return -BH_EXT_HEADER;
	pkt->proto = frag.nexthdr;
	pkt->frag_id = frag.id;
	pkt->l4_len = walk->end - walk->off;
	r = parse_fragment(pkt, offset & 0xfff8, offset & 1);
	return r < 0 ? r : 1;
}

static __always_inline int ext_options(struct __sk_buff *skb, struct ext_walk *walk, bool first)
{
	__u8 head[4];
	__u32 len;

	if (!walk->options_allowed || walk->proto == IPPROTO_NONE || walk->proto >= NEXTHDR_MOBILITY)
		return -BH_EXT_HEADER;
	if (walk->proto == IPPROTO_HOPOPTS && !first)
		return -BH_EXT_HEADER;
	if (walk->off + 8 > walk->end || bpf_skb_load_bytes(skb, walk->off, head, sizeof(head)) < 0)
		return -BH_SHORT;
	if (walk->proto == IPPROTO_ROUTING && (head[2] == 0 || head[2] == 2))
		return -BH_EXT_HEADER;
	len = walk->proto == IPPROTO_AH ? (head[1] + 2u) * 4 : (head[1] + 1u) * 8;
	walk->off += len;
	walk->proto = head[0];
	return walk->off > walk->end ? -BH_SHORT : 0;
}

/* 0 at the protocol's header, or a reason. */
static __always_inline int ext_walk(struct __sk_buff *skb, struct packet *pkt, struct ext_walk *walk)
{
	int r;

	for (int i = 0; i < EXT_HEADERS_MAX; i++) {
		if (!is_ext_header(walk->proto))
			return 0;
		if (walk->proto == IPPROTO_FRAGMENT)
			r = ext_fragment(skb, pkt, walk);
		else
			r = ext_options(skb, walk, i == 0);
		if (r)
			return r < 0 ? r : 0;
	}
	return is_ext_header(walk->proto) ? -BH_EXT_HEADER : 0;
}

static __always_inline int parse_ipv6_ext(struct __sk_buff *skb, struct packet *pkt, bool options_allowed)
{
	struct ext_walk walk = {
		.off = IP6_L4_OFF,
		.end = IP6_L4_OFF + pkt->l4_len,
		.proto = pkt->proto,
		.options_allowed = options_allowed,
	};
	int r = ext_walk(skb, pkt, &walk);

	if (r < 0)
		return r;
	pkt->bits |= PKT_EXT;
	pkt->proto = walk.proto;
	pkt->l4_len = walk.end - walk.off;
	return parse_l4(skb, pkt, walk.off, false);
}

/* IPv4 inside IPv6 addresses would alias the v4-mapped keys of every table. */
static __always_inline bool addr_is_v4_in_v6(const struct bh_addr *a)
{
	if (a->w[0] || a->w[1])
		return false;
	if (a->w[2] == bpf_htonl(0xffff))
		return true;
	return a->w[2] == 0 && a->w[3] != 0; /* ::1 among them */
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *pkt, bool options_allowed,
				      bool plain)
{
	struct ipv6hdr buf;
	const struct ipv6hdr *ip = header_at(skb, L3_OFF, buf, plain);

	if (!ip)
		return -BH_SHORT;
	pkt->src = *(const struct bh_addr *)&ip->saddr;
	pkt->dst = *(const struct bh_addr *)&ip->daddr;
	pkt->proto = ip->nexthdr;
	pkt->hop_limit = ip->hop_limit;
	pkt->l4_len = bpf_ntohs(ip->payload_len);
	if (ip->version != 6)
		return -BH_MALFORMED;
	if (pkt->l4_len + sizeof(*ip) > skb->len - L3_OFF)
		return -BH_SHORT;
	if (addr_is_v4_in_v6(&pkt->src) || addr_is_v4_in_v6(&pkt->dst))
		return -BH_MARTIAN;
	if (!plain && unlikely(is_ext_header(pkt->proto)))
		return parse_ipv6_ext(skb, pkt, options_allowed);
	return parse_l4(skb, pkt, IP6_L4_OFF, plain);
}

#endif
