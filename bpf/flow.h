/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow records: found, judged again, opened, kept alive.
 *
 * A record of a key is rewritten in place and deleted only by the sweeper, one
 * second after it has expired; so a program that holds a pointer never sees it
 * become another key's. The sweeper takes a record by swapping `expires` to 0,
 * whoever renews one swaps too: one of them wins.
 */
#ifndef BPF_FLOW_H
#define BPF_FLOW_H

#include "bpf/handover.h"
#include "bpf/pass.h"
#include "bpf/policy.h"
#include "bpf/sweep.h"

/* A record and how the packet lies in it. */
struct flow_view {
	struct bh_flow *flow;
	bool src_is_hi;
};

static __always_inline __u64 addr_half(const struct bh_addr *a, int half)
{
	return (__u64)bpf_ntohl(a->w[2 * half]) << 32 | bpf_ntohl(a->w[2 * half + 1]);
}

static __always_inline bool src_sorts_after(const struct packet *pkt)
{
	__u64 src = addr_half(&pkt->src, 0), dst = addr_half(&pkt->dst, 0);

	if (src == dst) {
		src = addr_half(&pkt->src, 1);
		dst = addr_half(&pkt->dst, 1);
	}
	if (src == dst)
		return bpf_ntohs(pkt->sport) > bpf_ntohs(pkt->dport);
	return src > dst;
}

/* Returns whether the source is `hi`. */
static __always_inline bool flow_key_fill(struct bh_flow_key *key, const struct packet *pkt)
{
	bool src_is_hi = src_sorts_after(pkt);

	key->lo = src_is_hi ? pkt->dst : pkt->src;
	key->hi = src_is_hi ? pkt->src : pkt->dst;
	key->lo_port = src_is_hi ? pkt->dport : pkt->sport;
	key->hi_port = src_is_hi ? pkt->sport : pkt->dport;
	key->proto = pkt->proto;
	key->pad[0] = key->pad[1] = key->pad[2] = 0;
	return src_is_hi;
}

static __always_inline struct bh_flow_end *flow_src(const struct flow_view *view)
{
	return view->src_is_hi ? &view->flow->end[1] : &view->flow->end[0];
}

static __always_inline struct bh_flow_end *flow_dst(const struct flow_view *view)
{
	return view->src_is_hi ? &view->flow->end[0] : &view->flow->end[1];
}

static __always_inline bool flow_is_reply(const struct flow_view *view)
{
	return view->src_is_hi != !!(view->flow->state & BH_FLOW_OPENER_HI);
}

static __always_inline bool flow_is_live(const struct bh_flow *flow, __u64 now)
{
	return READ_ONCE(flow->expires) > now;
}

static __always_inline __u64 flow_life(const struct pass *pass, __u8 state)
{
	const struct bh_config *config = pass->config;
	__u32 seconds;

	if (pass->pkt.proto == IPPROTO_UDP)
		seconds = config->udp_s;
	else if (pass->pkt.proto != IPPROTO_TCP)
		seconds = config->other_s;
	else if (state & BH_FLOW_CLOSING)
		seconds = config->tcp_closing_s;
	else
		seconds = state & BH_FLOW_REPLIED ? config->tcp_established_s : config->tcp_syn_s;
	return (__u64)seconds * config->hz;
}

/*
 * FIN and RST shorten a life and never end it (S6). A TCP flow counts as
 * established by what its opener sends after a reply: an answer alone does not
 * buy the long life. `expires` is written once a second at most, so that two
 * CPUs do not fight for the record.
 */
static __always_inline void flow_touch(struct pass *pass, const struct flow_view *view)
{
	struct bh_flow *flow = view->flow;
	bool reply = flow_is_reply(view), tcp = pass->pkt.proto == IPPROTO_TCP;
	__u8 before = flow->state, state = before;
	__u64 expires = flow->expires, wanted;

	if (reply)
		state |= BH_FLOW_REPLIED;
	if (tcp && (pass->pkt.tcp_flags & (TCP_FIN | TCP_RST)))
		state |= BH_FLOW_CLOSING;
	if (unlikely(state != before))
		WRITE_ONCE(flow->state, state);
	if (tcp && reply && !(state & BH_FLOW_CLOSING))
		return;
	wanted = pass->now + flow_life(pass, state);
	if (unlikely((state ^ before) & BH_FLOW_CLOSING)) {
		if (wanted < expires)
			WRITE_ONCE(flow->expires, wanted);
		return;
	}
	if ((__s64)(wanted - expires) >= (__s64)pass->config->hz)
		WRITE_ONCE(flow->expires, wanted);
}

/* A record is for packets of its own interfaces only (S2). */
static __always_inline bool end_is_own(const struct pass *pass, const struct bh_flow_end *stamp)
{
	return stamp->ifindex == pass->own.row->ifindex && stamp->slot == pass->own.slot;
}

static __always_inline bool end_is_stale(const struct bh_flow_end *stamp, const struct end *end)
{
	return end->row && stamp->revision != end->revision;
}

static __always_inline bool flow_is_stale(const struct pass *pass, const struct bh_flow_end *own,
					  const struct bh_flow_end *far)
{
	if (pass->config->flags & BH_CONFIG_KEEP_FLOWS)
		return false;
	return end_is_stale(own, &pass->own) || end_is_stale(far, &pass->far);
}

static __always_inline void flow_stamp(const struct pass *pass, const struct flow_view *view,
				       struct bh_flow_end *own, struct bh_flow_end *far)
{
	__u8 state = view->flow->state;

	if (!!(state & BH_FLOW_AUDITED) != pass->audited)
		WRITE_ONCE(view->flow->state, state ^ BH_FLOW_AUDITED);
	WRITE_ONCE(own->revision, pass->own.revision);
	if (pass->far.row)
		WRITE_ONCE(far->revision, pass->far.revision);
}

/*
 * Policy changed since: judged again in the flow's own direction, whichever way
 * this packet goes. A refused record stays unstamped: a later change may allow
 * it again while it lives. What the node opened is never judged (R16).
 */
static __always_inline int flow_judge_again(struct pass *pass, const struct flow_view *view,
					    struct bh_flow_end *own, struct bh_flow_end *far)
{
	bool reply = flow_is_reply(view);
	bool own_opened = (pass->direction == BH_EGRESS) != reply;
	__u8 state = view->flow->state;
	int r = 0;

	if (!(state & BH_FLOW_NODE)) {
		pass->receiver_is_node = addr_is_node(reply ? &pass->pkt.src : &pass->pkt.dst);
		if (own_opened)
			r = connection_ask(pass, &pass->own, &pass->far, reply);
		else
			r = connection_ask(pass, &pass->far, &pass->own, reply);
	}
	if (r < 0)
		return r;
	flow_stamp(pass, view, own, far);
	return 0;
}

static __always_inline void flow_end_fill(struct bh_flow_end *stamp, const struct end *end)
{
	stamp->ifindex = end->row ? end->row->ifindex : 0;
	stamp->slot = end->row ? end->slot : 0;
	stamp->revision = end->row ? end->revision : 0;
}

static __always_inline void flow_fill(struct bh_flow *flow, const struct pass *pass, bool src_is_hi,
				      __u8 state)
{
	bool own_is_hi = src_is_hi == (pass->direction == BH_EGRESS);

	flow_end_fill(&flow->end[0], own_is_hi ? &pass->far : &pass->own);
	flow_end_fill(&flow->end[1], own_is_hi ? &pass->own : &pass->far);
	flow->owner = pass->own.slot;
	flow->owner_ifindex = pass->own.row->ifindex;
	WRITE_ONCE(flow->state, state);
}

/* An echo reply: the only ICMP among flows that does not open one. */
static __always_inline bool icmp_only_answers(const struct packet *pkt)
{
	if (pkt->proto != (pkt->ethertype == ETH_P_IP ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	return icmp_is_reply(pkt);
}

/* Does this packet open, and nothing else? Only such a one makes a record (S4, S7). */
static __always_inline int flow_may_open(const struct packet *pkt)
{
	if (pkt->bits & PKT_FRAG_LATER)
		return -BH_FRAG_NO_FIRST;
	if (pkt->proto == IPPROTO_TCP && !(pkt->bits & PKT_SYN))
		return -BH_NO_FLOW;
	return icmp_only_answers(pkt) ? -BH_NO_FLOW : 0;
}

static __always_inline int flow_charge(const struct pass *pass)
{
	const struct bh_config *config = pass->config;
	int r = quota_charge(pass->own.slot, config->flow_quota);

	if (unlikely(r < 0) && sweep_if_overdue(pass->now, config->hz))
		r = quota_charge(pass->own.slot, config->flow_quota);
	return r;
}

/* Takes over a record of this key: expired, or another interface's leftover, or
 * a connection opened anew. */
static __always_inline int flow_renew(struct pass *pass, const struct flow_view *view, __u8 state,
				      __u64 expires)
{
	struct bh_flow *flow = view->flow;
	__u32 owner = flow->owner, owner_ifindex = flow->owner_ifindex;
	bool same = owner == pass->own.slot && owner_ifindex == pass->own.row->ifindex;
	__u64 old = READ_ONCE(flow->expires);
	int r;

	if (old == 0)
		return -BH_FLOW_TABLE; /* being deleted this moment */
	if (!same) {
		r = flow_charge(pass);
		if (r < 0)
			return r;
	}
	/* Losing to another CPU is as good: it judged the same key. */
	if (__sync_val_compare_and_swap(&flow->expires, old, expires) == 0) {
		if (!same)
			quota_return(pass->own.slot, pass->own.row->ifindex);
		return -BH_FLOW_TABLE;
	}
	flow_fill(flow, pass, view->src_is_hi, state);
	if (!same)
		quota_return(owner, owner_ifindex);
	return 0;
}

static __always_inline int flow_insert(struct pass *pass, const struct bh_flow_key *key, bool src_is_hi,
				       __u8 state, __u64 expires)
{
	struct bh_flow fresh = { .expires = expires };
	int r = flow_charge(pass);

	if (r < 0)
		return r;
	flow_fill(&fresh, pass, src_is_hi, state);
	r = bpf_map_update_elem(&bh_flows, key, &fresh, BPF_NOEXIST);
	if (r == 0)
		return 0;
	quota_return(pass->own.slot, pass->own.row->ifindex);
	/* Another CPU was faster with the same connection. */
	return r == -17 /* EEXIST */ ? 0 : -BH_FLOW_TABLE;
}

/* `reversed`: the packet's receiver counts as the opener. `extra`: further
 * state bits. */
static __always_inline int flow_open(struct pass *pass, const struct bh_flow_key *key,
				     const struct flow_view *view, bool reversed, __u8 extra)
{
	__u8 state = view->src_is_hi != reversed ? BH_FLOW_OPENER_HI : 0;
	__u64 expires;

	state |= extra;
	if (pass->audited)
		state |= BH_FLOW_AUDITED;
	if (pass->pkt.proto == IPPROTO_TCP && (pass->pkt.tcp_flags & (TCP_FIN | TCP_RST)))
		state |= BH_FLOW_CLOSING;
	expires = pass->now + flow_life(pass, state);
	if (view->flow)
		return flow_renew(pass, view, state, expires);
	return flow_insert(pass, key, view->src_is_hi, state, expires);
}

#endif
