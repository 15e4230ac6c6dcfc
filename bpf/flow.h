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

#include "bpf/flow_key.h"
#include "bpf/handover.h"
#include "bpf/pass.h"
#include "bpf/policy.h"
#include "bpf/scratch.h"
#include "bpf/sweep.h"

/* A record and how the packet lies in it: the index of the source's end, never
 * branched on, so that both ways are one to the verifier. */
struct flow_view {
	struct bh_flow *flow;
	__u64 src_is_hi;
};

static __always_inline struct bh_flow_end *flow_src(const struct flow_view *view)
{
	return &view->flow->end[view->src_is_hi & 1];
}

static __always_inline struct bh_flow_end *flow_dst(const struct flow_view *view)
{
	return &view->flow->end[~view->src_is_hi & 1];
}

static __always_inline bool flow_is_reply(const struct flow_view *view)
{
	return (view->src_is_hi * BH_FLOW_OPENER_HI) ^ (view->flow->state & BH_FLOW_OPENER_HI);
}

static __always_inline bool flow_is_live(const struct bh_flow *flow, __u64 now)
{
	return READ_ONCE(flow->expires) > now;
}

/* In jiffies. */
static __always_inline __u64 flow_life(const struct bh_config *config, __u8 proto, __u8 state)
{
	__u32 seconds;

	if (!config)
		return 0;
	if (proto == IPPROTO_UDP)
		seconds = config->udp_s;
	else if (proto != IPPROTO_TCP)
		seconds = config->other_s;
	else if (flow_is_closed(state))
		seconds = closed_s(config);
	else if (state & BH_FLOW_CLOSING)
		seconds = config->tcp_closing_s;
	else
		seconds = state & BH_FLOW_REPLIED ? config->tcp_established_s : config->tcp_syn_s;
	return (__u64)seconds * config->hz;
}

/* What flow_touch() must know of a packet. */
struct flow_news {
	__u64 now;
	__u8 proto;
	__u8 tcp_flags;
	bool is_reply;
	bool is_own; /* a pod's own word: nobody else can have sent it */
};

/* A pod's reset says that there is nothing left of the connection where it was sent. A
 * stranger's may be a forgery, and a FIN stands for the end that sent it. */
static __always_inline __u8 flow_closing(const struct flow_news *news)
{
	__u8 state = 0;

	if (news->tcp_flags & TCP_RST)
		state |= BH_FLOW_CLOSING | (news->is_own ? BH_FLOW_CLOSED : 0);
	if (news->tcp_flags & TCP_FIN)
		state |= BH_FLOW_CLOSING | (news->is_reply ? BH_FLOW_ANSWER_FIN : BH_FLOW_OPENER_FIN);
	return state;
}

/*
 * FIN and RST shorten a life and never end it (S6). A TCP flow counts as
 * established by what its opener sends after a reply: an answer alone does not
 * buy the long life. `expires` is written once a second at most, so that two
 * CPUs do not fight for the record. Returns until when one more packet like this
 * one would leave the record as it is. A global function, as verdict_ask() is.
 */
__u64 flow_renew_life(struct bh_flow *flow, const struct bh_config *config, const struct flow_news *news);

__noinline __u64 flow_renew_life(struct bh_flow *flow, const struct bh_config *config,
				 const struct flow_news *news)
{
	__u64 expires, wanted, due;
	__u8 before, state;
	bool tcp;

	if (!flow || !config || !news)
		return 0;
	tcp = news->proto == IPPROTO_TCP;
	state = before = flow->state;
	expires = flow->expires;
	due = news->now + config->hz;
	if (news->is_reply)
		state |= BH_FLOW_REPLIED;
	if (tcp)
		state |= flow_closing(news);
	if (unlikely(state != before))
		WRITE_ONCE(flow->state, state);
	if (tcp && news->is_reply && !(state & BH_FLOW_CLOSING))
		return due < expires ? due : expires;
	wanted = news->now + flow_life(config, news->proto, state);
	if (unlikely((state ^ before) & (BH_FLOW_CLOSING | BH_FLOW_CLOSED))) {
		if (wanted < expires)
			WRITE_ONCE(flow->expires, wanted);
		return 0;
	}
	if ((__s64)(wanted - expires) >= (__s64)config->hz) {
		WRITE_ONCE(flow->expires, wanted);
		expires = wanted;
	}
	due -= wanted - expires;
	return due < expires ? due : expires;
}

static __always_inline __u64 flow_touch(const struct pass *pass, const struct flow_view *view)
{
	const struct flow_news news = {
		.now = pass->now,
		.proto = pass->pkt.proto,
		.tcp_flags = pass->pkt.tcp_flags,
		.is_reply = flow_is_reply(view),
		.is_own = pass->direction == BH_EGRESS,
	};

	return flow_renew_life(view->flow, pass->config, &news);
}

/* A record is for packets of its own interfaces only (S2). */
static __always_inline bool end_is_own(const struct pass *pass, const struct bh_flow_end *stamp)
{
	return stamp->ifindex == pass->own.row->ifindex && stamp->slot == pass->own.slot;
}

/* The other end of a record, if it is an endpoint of this node; false when the
 * record names one that is gone. */
static __always_inline bool far_resolve(struct pass *pass, const struct bh_flow_end *stamp)
{
	struct bh_endpoint *row;

	if (stamp->ifindex == 0)
		return true;
	row = endpoint_at(stamp->slot);
	if (!row || READ_ONCE(row->ifindex) != stamp->ifindex)
		return false;
	end_set(&pass->far, row, stamp->slot);
	return true;
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

/* What a record shall say. A translated connection's says what the client dialled, its
 * alias where that went. */
static __always_inline void flow_fill(struct bh_flow *flow, const struct pass *pass, __u64 src_is_hi,
				      __u8 nat_kind)
{
	__u64 own_is_hi = pass->direction == BH_EGRESS ? src_is_hi : src_is_hi ^ 1;
	const struct tuple *to = nat_kind == BH_NAT_ALIAS ? &pass->pkt.tuple : &pass->other;

	flow_end_fill(&flow->end[own_is_hi & 1], &pass->own);
	flow_end_fill(&flow->end[~own_is_hi & 1], &pass->far);
	flow->owner = pass->own.slot;
	flow->owner_ifindex = pass->own.row->ifindex;
	flow->nat.addr = to->dst;
	flow->nat.port = to->dport;
	flow->nat.client_port = to->sport;
	flow->nat_kind = nat_kind;
	flow->services = pass->services;
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

/* Takes over a record of this key: expired, or another interface's leftover, or
 * a connection opened anew. */
static __always_inline int flow_renew(struct bh_flow *flow, const struct bh_flow *fresh, __u32 quota)
{
	__u32 owner = flow->owner, owner_ifindex = flow->owner_ifindex;
	bool same = owner == fresh->owner && owner_ifindex == fresh->owner_ifindex;
	__u64 old = READ_ONCE(flow->expires);
	int r;

	if (old == 0)
		return -BH_FLOW_TABLE; /* being deleted this moment */
	if (!same) {
		r = quota_charge(fresh->owner, quota);
		if (r < 0)
			return r;
	}
	/* Losing to another CPU is as good: it judged the same key. */
	if (__sync_val_compare_and_swap(&flow->expires, old, fresh->expires) == 0) {
		if (!same)
			quota_return(fresh->owner, fresh->owner_ifindex);
		return -BH_FLOW_TABLE;
	}
	flow->end[0] = fresh->end[0];
	flow->end[1] = fresh->end[1];
	flow->owner = fresh->owner;
	flow->owner_ifindex = fresh->owner_ifindex;
	flow->nat = fresh->nat;
	flow->services = fresh->services;
	WRITE_ONCE(flow->nat_kind, fresh->nat_kind);
	WRITE_ONCE(flow->state, fresh->state);
	if (!same)
		quota_return(owner, owner_ifindex);
	return 0;
}

/* 1: somebody was faster. */
static __always_inline int flow_insert(const struct bh_flow_key *key, const struct bh_flow *fresh,
				       __u32 quota)
{
	int r = quota_charge(fresh->owner, quota);

	if (r < 0)
		return r;
	r = bpf_map_update_elem(&bh_flows, key, fresh, BPF_NOEXIST);
	if (r == 0)
		return 0;
	quota_return(fresh->owner, fresh->owner_ifindex);
	return r == -17 /* EEXIST */ ? 1 : -BH_FLOW_TABLE;
}

/* Puts the record in scratch() there and charges it to its owner; `flow` is what the key
 * holds, or null. Of a translated connection a dead record may be there even so. A global
 * function, as verdict_ask() is; in kernel 6.1 a map takes no argument of one as its
 * key. */
int flow_put(const struct bh_flow_key *asked, struct bh_flow *flow, __u32 quota);

__noinline int flow_put(const struct bh_flow_key *asked, struct bh_flow *flow, __u32 quota)
{
	const struct bh_flow *fresh = scratch();
	struct bh_flow_key key;
	int r;

	if (!asked || !fresh)
		return -BH_FLOW_TABLE;
	if (flow)
		return flow_renew(flow, fresh, quota);
	key = *asked;
	r = flow_insert(&key, fresh, quota);
	if (r && fresh->nat_kind != BH_NAT_NONE && (flow = flow_find(&key)))
		return flow_renew(flow, fresh, quota);
	return r < 0 ? r : 0; /* faster, with the same connection */
}

static __always_inline int flow_write(struct pass *pass, const struct bh_flow_key *key,
				      const struct flow_view *view, __u8 state, __u8 nat_kind)
{
	const struct bh_config *config = pass->config;
	struct bh_flow *fresh = scratch();
	int r;

	if (!fresh)
		return -BH_FLOW_TABLE;
	if (pass->audited)
		state |= BH_FLOW_AUDITED;
	if (pass->pkt.proto == IPPROTO_TCP && (pass->pkt.tcp_flags & (TCP_FIN | TCP_RST)))
		state |= BH_FLOW_CLOSING;
	fresh->state = state;
	fresh->expires = pass->now + flow_life(config, pass->pkt.proto, state);
	flow_fill(fresh, pass, view->src_is_hi, nat_kind);
	r = flow_put(key, view->flow, config->flow_quota);
	if (unlikely(r == -BH_FLOW_QUOTA) && sweep_if_overdue(pass->now, config->hz))
		r = flow_put(key, view->flow, config->flow_quota);
	return r;
}

/* `reversed`: the packet's receiver counts as the opener. `extra`: further
 * state bits. */
static __always_inline int flow_open(struct pass *pass, const struct bh_flow_key *key,
				     const struct flow_view *view, bool reversed, __u8 extra)
{
	__u8 state = (view->src_is_hi ^ reversed) * BH_FLOW_OPENER_HI;

	return flow_write(pass, key, view, state | extra,
			  pass->nat == NAT_FORWARD ? BH_NAT_REAL : BH_NAT_NONE);
}

#endif
