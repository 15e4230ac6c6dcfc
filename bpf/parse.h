/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From bytes to a packet. Nothing unparsed passes: every path that cannot name
 * the protocol and the ports ends in a reason.
 *
 * Headers are read in place when the linear part holds them and copied out when
 * it does not (THREATS L1: a frame from AF_PACKET may have 14 linear bytes). The
 * packet is never pulled (L2), and written only to translate a Service's address,
 * when nothing reads it any more (rewrite.h).
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "bpf/base.h"

enum packet_bits {
	PKT_FRAG_FIRST = 1 << 0, /* offset 0, more to come */
	PKT_FRAG_LATER = 1 << 1,
	PKT_GROUP_MAC = 1 << 2, /* the frame itself goes to a group */
	PKT_SYN = 1 << 3,	/* TCP that asks to open: SYN without ACK, RST, FIN */
	PKT_EXT = 1 << 4,	/* IPv6 headers stood before the protocol's */
	PKT_TALK = 1 << 5,	/* nothing but the next part of a conversation */
};

/* A connection as one of its packets names it. No padding: the second half is the
 * key of the Services' table as it stands. */
struct tuple {
	struct bh_addr src;
	__be16 sport; /* as the flow key has them: echo uses id and BH_ECHO_PORT */
	__u16 pad;
	struct bh_addr dst;
	__be16 dport;
	__u8 proto;
	__u8 pad2;
};
BH_ASSERT_SIZE(struct tuple, 40);

struct packet {
	union {
		struct tuple tuple;
		struct {
			struct bh_addr src;
			__be16 sport;
			__u16 pad;
			struct bh_addr dst;
			__be16 dport;
			__u8 proto;
			__u8 pad2;
		};
	};
	__be32 frag_id;
	__u16 l4;     /* offset of the protocol's header in the frame */
	__u16 l4_len; /* what the IP header says there is, from l4 on */
	__u16 ethertype;
	__u8 bits; /* enum packet_bits */
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 hop_limit;
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define L3_OFF	   ETH_HLEN
#define IP4_L4_OFF (L3_OFF + 20)
#define IP6_L4_OFF (L3_OFF + 40)

/* A pointer to `len` bytes at `off` in the linear part, or null. */
static __always_inline const void *frame_linear(struct __sk_buff *skb, __u32 off, __u32 len)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;

	return likely(data + off + len <= end) ? data + off : NULL;
}

/* The same wherever the bytes are: copied out. */
static __always_inline const void *frame_copy(struct __sk_buff *skb, __u32 off, void *buf, __u32 len)
{
	return bpf_skb_load_bytes(skb, off, buf, len) < 0 ? NULL : buf;
}

/* `plain` is a constant, see hook.h: only what lies in the linear part. */
#define header_at(skb, off, buf, plain)                                                                      \
	((plain) ? frame_linear(skb, off, sizeof(buf)) : frame_copy(skb, off, &(buf), sizeof(buf)))

static __always_inline int short_of(const struct packet *pkt)
{
	return pkt->bits & PKT_FRAG_FIRST ? -BH_FRAG_SHORT : -BH_SHORT;
}

static __always_inline int parse_tcp(struct __sk_buff *skb, struct packet *pkt, __u32 off, bool plain)
{
	struct tcphdr buf;
	const struct tcphdr *tcp;
	__u32 header;

	if (pkt->l4_len < sizeof(buf))
		return short_of(pkt);
	tcp = header_at(skb, off, buf, plain);
	if (!tcp)
		return -BH_SHORT;
	header = tcp->doff * 4;
	if (header < sizeof(buf))
		return -BH_MALFORMED;
	if (header > pkt->l4_len)
		return short_of(pkt);
	pkt->sport = tcp->source;
	pkt->dport = tcp->dest;
	pkt->tcp_flags = ((const __u8 *)tcp)[13];
	if ((pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN)
		pkt->bits |= PKT_SYN;
	return 0;
}

static __always_inline int parse_udp(struct __sk_buff *skb, struct packet *pkt, __u32 off, bool plain)
{
	struct udphdr buf;
	const struct udphdr *udp;
	__u32 len;

	if (pkt->l4_len < sizeof(buf))
		return short_of(pkt);
	udp = header_at(skb, off, buf, plain);
	if (!udp)
		return -BH_SHORT;
	len = bpf_ntohs(udp->len);
	if (len < sizeof(buf))
		return -BH_MALFORMED;
	if (len > pkt->l4_len && !(pkt->bits & PKT_FRAG_FIRST))
		return -BH_MALFORMED;
	pkt->sport = udp->source;
	pkt->dport = udp->dest;
	return 0;
}

struct sctp_common {
	__be16 source;
	__be16 dest;
	__be32 vtag;
	__be32 checksum;
};

static __always_inline int parse_sctp(struct __sk_buff *skb, struct packet *pkt, __u32 off, bool plain)
{
	struct sctp_common buf;
	const struct sctp_common *sctp;

	if (pkt->l4_len < sizeof(buf))
		return short_of(pkt);
	sctp = header_at(skb, off, buf, plain);
	if (!sctp)
		return -BH_SHORT;
	pkt->sport = sctp->source;
	pkt->dport = sctp->dest;
	return 0;
}

/* Both families' ICMP as far as we read it (<linux/icmp.h> needs a libc). */
struct icmp_head {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id; /* of an echo */
	__be16 sequence;
};

#define ICMP4_ECHO_REQUEST 8
#define ICMP4_ECHO_REPLY   0
#define ICMP6_ECHO_REQUEST 128
#define ICMP6_ECHO_REPLY   129

static __always_inline bool icmp_is_request(const struct packet *pkt)
{
	return pkt->icmp_type == (pkt->proto == IPPROTO_ICMP ? ICMP4_ECHO_REQUEST : ICMP6_ECHO_REQUEST);
}

static __always_inline bool icmp_is_reply(const struct packet *pkt)
{
	return pkt->icmp_type == (pkt->proto == IPPROTO_ICMP ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY);
}

static __always_inline int parse_icmp(struct __sk_buff *skb, struct packet *pkt, __u32 off, bool plain)
{
	struct icmp_head buf;
	const struct icmp_head *icmp;

	if (pkt->l4_len < sizeof(buf))
		return short_of(pkt);
	icmp = header_at(skb, off, buf, plain);
	if (!icmp)
		return -BH_SHORT;
	pkt->icmp_type = icmp->type;
	pkt->icmp_code = icmp->code;
	if (icmp_is_request(pkt)) {
		pkt->sport = icmp->id;
		pkt->dport = bpf_htons(BH_ECHO_PORT);
	} else if (icmp_is_reply(pkt)) {
		pkt->sport = bpf_htons(BH_ECHO_PORT);
		pkt->dport = icmp->id;
	}
	return 0;
}

static __always_inline int parse_l4(struct __sk_buff *skb, struct packet *pkt, __u32 off, bool plain)
{
	pkt->l4 = off;
	if (pkt->bits & PKT_FRAG_LATER)
		return 0;
	if (pkt->proto == IPPROTO_TCP)
		return parse_tcp(skb, pkt, off, plain);
	if (pkt->proto == IPPROTO_UDP)
		return parse_udp(skb, pkt, off, plain);
	if (plain)
		return -BH_SHORT;
	if (pkt->proto == (pkt->ethertype == ETH_P_IP ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return parse_icmp(skb, pkt, off, plain);
	if (pkt->proto == IPPROTO_SCTP)
		return parse_sctp(skb, pkt, off, plain);
	return 0;
}

/* A later fragment that reaches back into the first one's header would change
 * what was judged (S10). */
static __always_inline __u32 l4_header_min(__u8 proto)
{
	if (proto == IPPROTO_TCP)
		return 20;
	return proto == IPPROTO_SCTP ? 12 : 8;
}

/* offset in bytes. Both families: all but the last carry multiples of 8 bytes,
 * and none reaches beyond 64 KiB. */
static __always_inline int parse_fragment(struct packet *pkt, __u32 offset, bool more)
{
	if (pkt->l4_len == 0 || (more && (pkt->l4_len & 7)))
		return -BH_MALFORMED;
	if (offset + pkt->l4_len > 65535 - 20)
		return -BH_MALFORMED;
	if (offset == 0) {
		pkt->bits |= PKT_FRAG_FIRST;
		return 0;
	}
	if (offset < l4_header_min(pkt->proto))
		return -BH_FRAG_SHORT;
	pkt->bits |= PKT_FRAG_LATER;
	return 0;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *pkt, bool plain)
{
	struct iphdr buf;
	const struct iphdr *ip = header_at(skb, L3_OFF, buf, plain);
	__u32 total, frag;
	int r;

	if (!ip)
		return -BH_SHORT;
	pkt->src = addr_v4(ip->saddr);
	pkt->dst = addr_v4(ip->daddr);
	pkt->proto = ip->protocol;
	pkt->hop_limit = ip->ttl;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ip->ihl < 5 || total < ip->ihl * 4u)
		return -BH_MALFORMED;
	if (total > skb->len - L3_OFF)
		return -BH_SHORT;
	if (ip->ihl != 5)
		return -BH_IP_OPTIONS;
	pkt->l4_len = total - sizeof(*ip);
	frag = bpf_ntohs(ip->frag_off);
	if (unlikely(frag & 0xbfff)) {
		if (plain)
			return -BH_FRAG_OFF;
		if (frag & 0x8000)
			return -BH_MALFORMED;
		pkt->frag_id = ip->id;
		r = parse_fragment(pkt, (frag & 0x1fff) * 8, frag & 0x2000);
		if (r < 0)
			return r;
	}
	return parse_l4(skb, pkt, IP4_L4_OFF, plain);
}

#endif
