/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Port unreachable", back to the pod that sent the packet and in its place: who dials a
 * Service that nobody serves hears so at once, as from a host where nobody listens, and
 * does not wait for a timeout. It takes the packet's way back through to_pod, where
 * what came from the pod itself is trusted.
 */
#ifndef BPF_REJECT_H
#define BPF_REJECT_H

#include "bpf/parse.h"
#include "bpf/scratch.h"

/* What an error has to quote: the IP header and the ports behind it. */
#define QUOTE_PORTS 8

struct reject4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp_head icmp;
	__u8 quote[sizeof(struct iphdr) + QUOTE_PORTS];
} __attribute__((packed, aligned(2)));

struct reject6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct icmp_head icmp;
	__u8 quote[sizeof(struct ipv6hdr) + QUOTE_PORTS];
} __attribute__((packed, aligned(2)));

/* What an ICMPv6 sum covers beside the message. */
struct pseudo6 {
	struct in6_addr src, dst;
	__be32 length;
	__be32 next;
};

struct reject_work {
	union {
		struct reject4 v4;
		struct reject6 v6;
	};
	struct pseudo6 pseudo;
};
_Static_assert(sizeof(struct reject_work) <= sizeof(struct bh_scratch), "scratch is too small");

static __always_inline __u16 sum_fold(__s64 sum)
{
	__u32 sum32 = sum;

	sum32 = (sum32 & 0xffff) + (sum32 >> 16);
	sum32 = (sum32 & 0xffff) + (sum32 >> 16);
	return ~sum32;
}

/* `len`: of the whole frame that takes the packet's place. */
static __always_inline int reject_send(struct __sk_buff *skb, const void *frame, __u32 len)
{
	if (bpf_skb_change_tail(skb, len, 0) < 0 || bpf_skb_store_bytes(skb, 0, frame, len, 0) < 0)
		return ACT_DROP;
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline bool eth_turn(struct __sk_buff *skb, struct ethhdr *eth)
{
	struct ethhdr came;

	if (bpf_skb_load_bytes(skb, 0, &came, sizeof(came)) < 0)
		return false;
	__builtin_memcpy(eth->h_dest, came.h_source, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, came.h_dest, sizeof(eth->h_source));
	eth->h_proto = came.h_proto;
	return true;
}

static __always_inline int reject_ipv4(struct __sk_buff *skb, struct reject4 *f)
{
	const struct iphdr *came = (const void *)f->quote;

	if (!eth_turn(skb, &f->eth) || bpf_skb_load_bytes(skb, L3_OFF, f->quote, sizeof(f->quote)) < 0)
		return ACT_DROP;
	__builtin_memset(&f->ip, 0, sizeof(f->ip));
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.tot_len = bpf_htons(sizeof(*f) - L3_OFF);
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_ICMP;
	f->ip.saddr = came->daddr;
	f->ip.daddr = came->saddr;
	f->ip.check = sum_fold(bpf_csum_diff(NULL, 0, (void *)&f->ip, sizeof(f->ip), 0));
	__builtin_memset(&f->icmp, 0, sizeof(f->icmp));
	f->icmp.type = 3;
	f->icmp.code = 3;
	f->icmp.checksum =
		sum_fold(bpf_csum_diff(NULL, 0, (void *)&f->icmp, sizeof(f->icmp) + sizeof(f->quote), 0));
	return reject_send(skb, f, sizeof(*f));
}

static __always_inline int reject_ipv6(struct __sk_buff *skb, struct reject6 *f, struct pseudo6 *pseudo)
{
	const struct ipv6hdr *came = (const void *)f->quote;
	__s64 sum;

	if (!eth_turn(skb, &f->eth) || bpf_skb_load_bytes(skb, L3_OFF, f->quote, sizeof(f->quote)) < 0)
		return ACT_DROP;
	__builtin_memset(&f->ip, 0, sizeof(f->ip));
	f->ip.version = 6;
	f->ip.payload_len = bpf_htons(sizeof(f->icmp) + sizeof(f->quote));
	f->ip.nexthdr = IPPROTO_ICMPV6;
	f->ip.hop_limit = 64;
	f->ip.saddr = came->daddr;
	f->ip.daddr = came->saddr;
	pseudo->src = f->ip.saddr;
	pseudo->dst = f->ip.daddr;
	pseudo->length = bpf_htonl(sizeof(f->icmp) + sizeof(f->quote));
	pseudo->next = bpf_htonl(IPPROTO_ICMPV6);
	__builtin_memset(&f->icmp, 0, sizeof(f->icmp));
	f->icmp.type = 1;
	f->icmp.code = 4;
	sum = bpf_csum_diff(NULL, 0, (void *)pseudo, sizeof(*pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, (void *)&f->icmp, sizeof(f->icmp) + sizeof(f->quote), sum);
	f->icmp.checksum = sum_fold(sum);
	return reject_send(skb, f, sizeof(*f));
}

/* The action for it. Only from_pod, and only for whole packets or first fragments: a
 * later one has no ports to quote. */
static __always_inline int reject(struct __sk_buff *skb, const struct packet *pkt)
{
	struct reject_work *work = scratch();

	if (!work || (pkt->bits & (PKT_FRAG_LATER | PKT_EXT)))
		return ACT_DROP;
	return pkt->ethertype == ETH_P_IP ? reject_ipv4(skb, &work->v4)
					  : reject_ipv6(skb, &work->v6, &work->pseudo);
}

#endif
