/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space hears of: drops and audited connections, so many per second and
 * endpoint, and every one that it does not hear of is counted (C15). */
#ifndef BPF_EVENT_H
#define BPF_EVENT_H

#include "bpf/pass.h"

/* A bucket per second. Two CPUs may refill at once and grant a few more; the
 * three counts stay exact. */
static __always_inline bool event_granted(struct bh_usage *usage, const struct bh_config *config, __u64 now)
{
	if (now - READ_ONCE(usage->refilled) >= config->hz || usage->refilled == 0) {
		WRITE_ONCE(usage->refilled, now);
		WRITE_ONCE(usage->tokens, config->event_rate);
	}
	if (READ_ONCE(usage->tokens) == 0)
		return false;
	return (__s32)__sync_fetch_and_add(&usage->tokens, -1) > 0;
}

/* What the client dialled. */
static __always_inline void event_fill_service(struct bh_event *event, const struct pass *pass)
{
	struct bh_addr none = { 0 };

	__builtin_memset(event->pad2, 0, sizeof(event->pad2));
	event->service = none;
	event->service_port = 0;
	if (pass->nat == NAT_FORWARD) {
		event->service = pass->other.dst;
		event->service_port = pass->other.dport;
	} else if (pass->nat == NAT_REPLY) {
		event->service = pass->other.src;
		event->service_port = pass->other.sport;
	}
}

static __always_inline void event_fill(struct bh_event *event, struct __sk_buff *skb, const struct pass *pass,
				       __u32 ifindex, __u32 revision, __u8 reason)
{
	const struct packet *pkt = &pass->pkt;
	bool reversed = pass->reversed;

	event->time_ns = bpf_ktime_get_ns();
	event->ifindex = ifindex;
	event->revision = revision;
	event->src = reversed ? pkt->dst : pkt->src;
	event->dst = reversed ? pkt->src : pkt->dst;
	event->sport = reversed ? pkt->dport : pkt->sport;
	event->dport = reversed ? pkt->sport : pkt->dport;
	event->proto = pkt->proto;
	event->direction = pass->rule_direction;
	event->reason = reason;
	event->action = reason == BH_PASS ? BH_AUDIT : BH_DENY;
	event->tcp_flags = pkt->tcp_flags;
	event->icmp_type = pkt->icmp_type;
	event->icmp_code = pkt->icmp_code;
	event->pad = 0;
	event->ethertype = pkt->ethertype;
	event->length = skb->len;
	event_fill_service(event, pass);
}

/* Every IPv6 host chatters to groups (listener reports, router solicitations) when
 * its interface comes up: counted, but not worth an operator's line. */
static __always_inline bool is_chatter(const struct pass *pass, __u8 reason)
{
	if (!(pass->pkt.bits & PKT_GROUP_MAC) || pass->pkt.ethertype != ETH_P_IPV6)
		return false;
	return reason == BH_DST_MAC || reason == BH_EXT_HEADER || reason == BH_ND || reason == BH_CLOSED;
}

static __always_inline void event_report(struct __sk_buff *skb, const struct pass *pass,
					 const struct end *end, __u8 reason)
{
	__u32 slot = end->slot, zero = 0;
	const struct bh_config *config = bpf_map_lookup_elem(&bh_config, &zero);
	struct bh_usage *usage = bpf_map_lookup_elem(&bh_usage, &slot);
	const struct bh_endpoint *row = endpoint_at(slot);
	struct bh_event *event;

	if (!usage || !row || !config)
		return;
	if (is_chatter(pass, reason) || !event_granted(usage, config, pass->now)) {
		__sync_fetch_and_add(&usage->suppressed, 1);
		return;
	}
	event = bpf_ringbuf_reserve(&bh_events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&usage->lost, 1);
		return;
	}
	event_fill(event, skb, pass, row->ifindex, end->revision, reason);
	bpf_ringbuf_submit(event, 0);
	__sync_fetch_and_add(&usage->emitted, 1);
}

#endif
