/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet's addresses and ports rewritten, checksums with them. Checksums are
 * corrected by what changed, so a wrong one stays wrong and one that the hardware
 * or the kernel still has to fill in stays to be filled in. Lengths never change.
 * The last thing done to a packet: nothing is read from it afterwards.
 */
#ifndef BPF_REWRITE_H
#define BPF_REWRITE_H

#include "bpf/parse.h"
#include "bpf/sctp_crc.h"

/* "This sum covers an IPv6 pseudo header": from kernel 6.16 on; refused before. */
#define CSUM_IPV6 (1ULL << 7)

/* Where things are in the packet, and what it is. */
struct layout {
	__u16 l3; /* offset of the IP header */
	__u16 l4;
	__u16 l4_len;
	__u8 proto;
	__u8 bits; /* enum packet_bits */
};

static __always_inline struct layout layout_of(const struct packet *pkt)
{
	struct layout at = {
		.l3 = L3_OFF,
		.l4 = pkt->l4,
		.l4_len = pkt->l4_len,
		.proto = pkt->proto,
		.bits = pkt->bits,
	};

	return at;
}

/* Where the protocol's own sum is, if it covers the addresses; 0: none here. */
static __always_inline __u32 sum_offset(const struct layout *at)
{
	if (at->bits & PKT_FRAG_LATER)
		return 0;
	if (at->proto == IPPROTO_TCP)
		return at->l4 + 16;
	if (at->proto == IPPROTO_UDP)
		return at->l4 + 6;
	return at->proto == IPPROTO_ICMPV6 ? at->l4 + 2 : 0;
}

/* A UDP sum of zero means "none" and stays so. */
static __always_inline __u64 sum_flags(const struct layout *at)
{
	return at->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

static __always_inline int rewrite_addr4(struct __sk_buff *skb, const struct layout *at, __u32 off,
					 __be32 from, __be32 to)
{
	__u32 sum = sum_offset(at);
	int r = bpf_l3_csum_replace(skb, at->l3 + 10, from, to, 4);

	if (r == 0 && sum)
		r = bpf_l4_csum_replace(skb, sum, from, to, sum_flags(at) | BPF_F_PSEUDO_HDR | 4);
	return r ? r : bpf_skb_store_bytes(skb, at->l3 + off, &to, 4, 0);
}

static __always_inline int rewrite_addr6(struct __sk_buff *skb, const struct layout *at, __u32 off,
					 const struct bh_addr *from, const struct bh_addr *to)
{
	__s64 diff = bpf_csum_diff((__be32 *)from->w, 16, (__be32 *)to->w, 16, 0);
	__u64 flags = sum_flags(at) | BPF_F_PSEUDO_HDR;
	__u32 sum = sum_offset(at);
	int r = 0;

	if (sum) {
		r = bpf_l4_csum_replace(skb, sum, 0, diff, flags | CSUM_IPV6);
		if (r)
			r = bpf_l4_csum_replace(skb, sum, 0, diff, flags);
	}
	return r ? r : bpf_skb_store_bytes(skb, at->l3 + off, to, 16, 0);
}

static __always_inline int rewrite_addrs(struct __sk_buff *skb, const struct tuple *from,
					 const struct tuple *to, const struct layout *at)
{
	int r = 0;

	if (addr_is_mapped_v4(&from->src)) {
		if (from->src.w[3] != to->src.w[3])
			r = rewrite_addr4(skb, at, 12, from->src.w[3], to->src.w[3]);
		if (r == 0 && from->dst.w[3] != to->dst.w[3])
			r = rewrite_addr4(skb, at, 16, from->dst.w[3], to->dst.w[3]);
		return r;
	}
	if (!addr_eq(&from->src, &to->src))
		r = rewrite_addr6(skb, at, 8, &from->src, &to->src);
	if (r == 0 && !addr_eq(&from->dst, &to->dst))
		r = rewrite_addr6(skb, at, 24, &from->dst, &to->dst);
	return r;
}

/* SCTP's sum covers ports but no addresses. It is over the whole message, so of a
 * first fragment it cannot be corrected. */
static __always_inline int rewrite_sctp_sum(struct __sk_buff *skb, const struct tuple *from,
					    const struct tuple *to, const struct layout *at)
{
	__u32 changed = (__u16)(from->sport ^ to->sport) | (__u32)(__u16)(from->dport ^ to->dport) << 16;
	__u32 sum;

	if ((at->bits & PKT_FRAG_FIRST) || bpf_skb_load_bytes(skb, at->l4 + 8, &sum, sizeof(sum)) < 0)
		return -1;
	sum ^= sctp_crc_change(changed, at->l4_len);
	return bpf_skb_store_bytes(skb, at->l4 + 8, &sum, sizeof(sum), 0);
}

static __always_inline int rewrite_ports(struct __sk_buff *skb, const struct tuple *from,
					 const struct tuple *to, const struct layout *at)
{
	__be16 ports[2] = { to->sport, to->dport };
	__u32 sum = sum_offset(at);
	int r = 0;

	if ((at->bits & PKT_FRAG_LATER) || (from->sport == to->sport && from->dport == to->dport))
		return 0;
	if (at->proto == IPPROTO_SCTP)
		r = rewrite_sctp_sum(skb, from, to, at);
	if (sum && from->sport != to->sport)
		r = bpf_l4_csum_replace(skb, sum, from->sport, to->sport, sum_flags(at) | 2);
	if (r == 0 && sum && from->dport != to->dport)
		r = bpf_l4_csum_replace(skb, sum, from->dport, to->dport, sum_flags(at) | 2);
	return r ? r : bpf_skb_store_bytes(skb, at->l4, ports, sizeof(ports), 0);
}

/* 0, or negative: the packet may be half written and must be dropped. Global
 * functions: the verifier looks at each once. */
int packet_rewrite(struct __sk_buff *skb, const struct tuple *from, const struct tuple *to,
		   const struct layout *at);
int quote_rewrite(struct __sk_buff *skb, const struct tuple *from, const struct tuple *to,
		  const struct layout *at);

__noinline int packet_rewrite(struct __sk_buff *skb, const struct tuple *from, const struct tuple *to,
			      const struct layout *at)
{
	int r;

	if (!from || !to || !at)
		return -1;
	r = rewrite_addrs(skb, from, to, at);
	return r ? r : rewrite_ports(skb, from, to, at);
}

static __always_inline int quote_addrs(struct __sk_buff *skb, const struct tuple *from,
				       const struct tuple *to, const struct layout *at, __u32 sum)
{
	struct layout header = *at;
	__s64 diff;
	int r;

	if (addr_is_mapped_v4(&from->src)) {
		header.bits = PKT_FRAG_LATER; /* no sum but the header's */
		return rewrite_addrs(skb, from, to, &header);
	}
	diff = bpf_csum_diff((__be32 *)from->src.w, 16, (__be32 *)to->src.w, 16, 0);
	diff = bpf_csum_diff((__be32 *)from->dst.w, 16, (__be32 *)to->dst.w, 16, diff);
	r = bpf_l4_csum_replace(skb, sum, 0, diff, 0);
	if (r == 0)
		r = bpf_skb_store_bytes(skb, at->l3 + 8, &to->src, 16, 0);
	return r ? r : bpf_skb_store_bytes(skb, at->l3 + 24, &to->dst, 16, 0);
}

/* What an ICMP error quotes; `at` is where the quoted packet lies. Its own protocol's
 * sum is left as it is: nobody checks it, and of TCP it is not even there. A quoted
 * IPv4 header's sum is corrected, so that only ports and IPv6 addresses change the
 * error's. */
__noinline int quote_rewrite(struct __sk_buff *skb, const struct tuple *from, const struct tuple *to,
			     const struct layout *at)
{
	__be16 ports[2];
	__u32 sum;
	int r;

	if (!from || !to || !at)
		return -1;
	sum = at->l3 - sizeof(struct icmp_head) + 2;
	r = quote_addrs(skb, from, to, at, sum);
	if (r == 0)
		r = bpf_l4_csum_replace(skb, sum, from->sport, to->sport, 2);
	if (r == 0)
		r = bpf_l4_csum_replace(skb, sum, from->dport, to->dport, 2);
	ports[0] = to->sport;
	ports[1] = to->dport;
	return r ? r : bpf_skb_store_bytes(skb, at->l4, ports, sizeof(ports), 0);
}

#endif
