/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP (S7 to S9). Echo is a flow like any other. Errors pass when they quote a
 * live flow of this pod. Redirects, timestamps, masks and quenches never pass.
 * All the rest is judged like a protocol without ports, packet by packet.
 */
#ifndef BPF_ICMP_H
#define BPF_ICMP_H

#include "bpf/flow.h"
#include "bpf/nat.h"

enum icmp_kind {
	ICMP_KIND_NONE, /* not ICMP */
	ICMP_KIND_ECHO_REQUEST,
	ICMP_KIND_ECHO_REPLY,
	ICMP_KIND_ERROR,
	ICMP_KIND_NEVER,
	ICMP_KIND_OTHER,
};

static __always_inline enum icmp_kind icmp4_kind(__u8 type)
{
	switch (type) {
	case 8:
		return ICMP_KIND_ECHO_REQUEST;
	case 0:
		return ICMP_KIND_ECHO_REPLY;
	case 3:
	case 11:
	case 12:
		return ICMP_KIND_ERROR;
	case 4:		/* source quench */
	case 5:		/* redirect */
	case 13 ... 18: /* timestamp, information, mask */
		return ICMP_KIND_NEVER;
	default:
		return ICMP_KIND_OTHER;
	}
}

static __always_inline enum icmp_kind icmp6_kind(__u8 type)
{
	switch (type) {
	case ICMP6_ECHO_REQUEST:
		return ICMP_KIND_ECHO_REQUEST;
	case ICMP6_ECHO_REPLY:
		return ICMP_KIND_ECHO_REPLY;
	case 1 ... 4:
		return ICMP_KIND_ERROR;
	case 139: /* node information */
	case 140:
		return ICMP_KIND_NEVER;
	default:
		return ICMP_KIND_OTHER;
	}
}

static __always_inline enum icmp_kind icmp_kind(const struct packet *pkt)
{
	if (pkt->ethertype == ETH_P_IP && pkt->proto == IPPROTO_ICMP)
		return icmp4_kind(pkt->icmp_type);
	if (pkt->ethertype == ETH_P_IPV6 && pkt->proto == IPPROTO_ICMPV6)
		return icmp6_kind(pkt->icmp_type);
	return ICMP_KIND_NONE;
}

/* Errors that a router on the way may send; the others come from the quoted
 * packet's receiver. */
static __always_inline bool icmp_from_any_router(const struct packet *pkt)
{
	if (pkt->proto == IPPROTO_ICMP)
		return pkt->icmp_type == 3 || pkt->icmp_type == 11;
	return pkt->icmp_type >= 1 && pkt->icmp_type <= 3;
}

/* How many errors that quote its flows an endpoint gets in a second, and how many it
 * sends: whoever knows one flow could flood by them (S8). Two CPUs may begin a second at
 * once and grant a few more. */
#define ICMP_ERRORS_S 1000

struct icmp_rate {
	__u32 since; /* jiffies */
	__u32 seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * BH_ENDPOINTS_MAX);
	__type(key, __u32);
	__type(value, struct icmp_rate);
} bh_icmp_rates SEC(".maps");

/* `now` in jiffies. A global function, as verdict_ask() is. */
int icmp_rate_charge(__u32 slot, __u32 direction, __u32 now, __u32 hz);

__noinline int icmp_rate_charge(__u32 slot, __u32 direction, __u32 now, __u32 hz)
{
	__u32 index = slot * 2 + (direction == BH_EGRESS);
	struct icmp_rate *rate = bpf_map_lookup_elem(&bh_icmp_rates, &index);

	if (!rate)
		return -BH_ICMP_RATE;
	if (now - READ_ONCE(rate->since) >= hz) {
		WRITE_ONCE(rate->since, now);
		WRITE_ONCE(rate->seen, 0);
	}
	return __sync_fetch_and_add(&rate->seen, 1) < ICMP_ERRORS_S ? 0 : -BH_ICMP_RATE;
}

struct icmp_layout {
	struct layout error;
	struct layout quote;
};

/* The quoted header, whole or not at all; ports from the 8 bytes behind it. */
static __always_inline int quote_l4(struct __sk_buff *skb, struct packet *quote, __u32 off)
{
	__u8 head[8];
	__u8 type;

	if (bpf_skb_load_bytes(skb, off, head, sizeof(head)) < 0)
		return -BH_ICMP_ERROR;
	if (proto_has_ports(quote->proto)) {
		quote->sport = *(__be16 *)head;
		quote->dport = *(__be16 *)(head + 2);
		return 0;
	}
	if (quote->proto != (quote->ethertype == ETH_P_IP ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return 0;
	type = head[0];
	quote->icmp_type = type;
	if (icmp_is_request(quote)) {
		quote->sport = *(__be16 *)(head + 4);
		quote->dport = bpf_htons(BH_ECHO_PORT);
	} else if (icmp_is_reply(quote)) {
		quote->sport = bpf_htons(BH_ECHO_PORT);
		quote->dport = *(__be16 *)(head + 4);
	} else {
		return -BH_ICMP_ERROR;
	}
	return 0;
}

static __always_inline int quote_ipv4(struct __sk_buff *skb, struct packet *quote, __u32 off)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, off, &ip, sizeof(ip)) < 0)
		return -BH_ICMP_ERROR;
	if (ip.version != 4 || ip.ihl != 5 || (ip.frag_off & bpf_htons(0x3fff)))
		return -BH_ICMP_ERROR;
	quote->src = addr_v4(ip.saddr);
	quote->dst = addr_v4(ip.daddr);
	quote->proto = ip.protocol;
	quote->l4 = off + sizeof(ip);
	return quote_l4(skb, quote, quote->l4);
}

static __always_inline int quote_ipv6(struct __sk_buff *skb, struct packet *quote, __u32 off)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, off, &ip, sizeof(ip)) < 0)
		return -BH_ICMP_ERROR;
	if (ip.version != 6)
		return -BH_ICMP_ERROR;
	__builtin_memcpy(&quote->src, &ip.saddr, sizeof(quote->src));
	__builtin_memcpy(&quote->dst, &ip.daddr, sizeof(quote->dst));
	quote->proto = ip.nexthdr;
	quote->l4 = off + sizeof(ip);
	return quote_l4(skb, quote, quote->l4);
}

/* quote->ethertype is known. A global function, as verdict_ask() is. */
int quote_parse(struct __sk_buff *skb, struct packet *quote, __u32 off);

__noinline int quote_parse(struct __sk_buff *skb, struct packet *quote, __u32 off)
{
	if (!quote)
		return -BH_ICMP_ERROR;
	return quote->ethertype == ETH_P_IP ? quote_ipv4(skb, quote, off) : quote_ipv6(skb, quote, off);
}

/*
 * The client of a Service hears of the packet that it sent, not of the one that left
 * for the backend. `outer` and `quote` are the error's tuple and the quoted one. A
 * global function, as verdict_ask() is.
 */
int icmp_rewrite(struct __sk_buff *skb, const struct bh_flow *flow, const struct tuple *outer,
		 const struct tuple *quote, const struct icmp_layout *at);

__noinline int icmp_rewrite(struct __sk_buff *skb, const struct bh_flow *flow, const struct tuple *outer,
			    const struct tuple *quote, const struct icmp_layout *at)
{
	struct tuple to;

	if (!flow || !outer || !quote || !at)
		return -BH_SERVICE_NAT;
	to = *quote;
	if (addr_eq(&quote->src, &flow->nat.addr))
		to.src = quote->dst; /* its own backend */
	to.sport = flow->nat.client_port;
	to.dst = flow->nat.addr;
	to.dport = flow->nat.port;
	if (quote_rewrite(skb, quote, &to, &at->quote))
		return -BH_SERVICE_NAT;
	/* The error is from whom the client dialled, unless a router sent it. */
	to.dst = to.src;
	to.src = addr_eq(&outer->src, &quote->dst) ? flow->nat.addr : outer->src;
	to.sport = outer->sport;
	to.dport = outer->dport;
	return packet_rewrite(skb, outer, &to, &at->error) ? -BH_SERVICE_NAT : 0;
}

/* At the client's own interface, or, when it is its own backend, here and now. */
static __always_inline int icmp_to_client(struct __sk_buff *skb, struct pass *pass,
					  const struct packet *quote, const struct flow_view *view)
{
	struct icmp_layout at = { .error = layout_of(&pass->pkt), .quote = layout_of(quote) };
	bool to_itself = addr_eq(&quote->src, &view->flow->nat.addr);

	if (flow_is_reply(view) || (pass->direction == BH_EGRESS && !to_itself))
		return 0;
	if (to_itself)
		pass->far = pass->own;
	at.quote.l3 = pass->pkt.l4 + sizeof(struct icmp_head);
	return icmp_rewrite(skb, view->flow, &pass->pkt.tuple, &quote->tuple, &at);
}

/* In scratch(). */
struct icmp_work {
	struct packet quote;
	struct bh_flow_key key;
};
_Static_assert(sizeof(struct icmp_work) <= sizeof(struct bh_scratch), "scratch is too small");

/* The quoted packet went the other way: its destination is the side the error
 * comes from. Never refreshes the flow. */
static __always_inline int icmp_error_check(struct __sk_buff *skb, struct pass *pass)
{
	const struct packet *pkt = &pass->pkt;
	struct icmp_work *work = scratch();
	struct packet *quote = &work->quote;
	struct flow_view view;
	struct bh_flow_end *own;
	int r;

	if (!work)
		return -BH_ICMP_ERROR;
	*quote = (struct packet){ .ethertype = pkt->ethertype };
	r = quote_parse(skb, quote, pkt->l4 + sizeof(struct icmp_head));
	if (r < 0)
		return r;
	if (!addr_eq(&quote->src, &pkt->dst))
		return -BH_ICMP_ERROR;
	if (!addr_eq(&quote->dst, &pkt->src) && (pass->direction == BH_EGRESS || !icmp_from_any_router(pkt)))
		return -BH_ICMP_ERROR;
	view.src_is_hi = flow_key_fill(&work->key, &quote->tuple);
	view.flow = flow_find(&work->key);
	if (!view.flow || !flow_is_live(view.flow, pass->now) || view.flow->nat_kind == BH_NAT_ALIAS)
		return -BH_ICMP_ERROR;
	own = pass->direction == BH_EGRESS ? flow_dst(&view) : flow_src(&view);
	if (!end_is_own(pass, own))
		return -BH_ICMP_ERROR;
	/* Policy moved on and no packet of the flow was judged since. */
	if (own->revision != pass->own.revision && !(pass->config->flags & BH_CONFIG_KEEP_FLOWS))
		return -BH_ICMP_ERROR;
	r = icmp_rate_charge(pass->own.slot, pass->direction, pass->now, pass->config->hz);
	if (r < 0)
		return r;
	return view.flow->nat_kind == BH_NAT_REAL ? icmp_to_client(skb, pass, quote, &view) : 0;
}

#endif
