/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a pod sends (tc ingress on the host side of its veth). */
#ifndef BPF_FROM_POD_H
#define BPF_FROM_POD_H

#include "bpf/hook.h"
#include "bpf/service.h"

static __always_inline int far_closed(struct pass *pass)
{
	pass->far_decided = pass->far_dropped = true;
	pass->rule_direction = BH_INGRESS;
	return -BH_CLOSED;
}

static __always_inline void from_pod_find_far(struct pass *pass)
{
	struct bh_local *local = bpf_map_lookup_elem(&bh_locals, &pass->pkt.dst);
	struct bh_endpoint *row;

	if (!local)
		return;
	pass->receiver_is_node = local->slot == BH_LOCAL_NODE;
	row = endpoint_at(local->slot);
	if (row && row != pass->own.row && READ_ONCE(row->ifindex) != 0)
		end_set(&pass->far, row, local->slot);
}

/* A connection opened: judged for both ends that are here, then recorded. `known`:
 * a live record is there, opened anew by a SYN (S3). */
static __always_inline int from_pod_open(struct pass *pass, const struct bh_flow_key *key,
					 struct flow_view *view, bool known)
{
	struct end none = { 0 };
	int r;

	pass->far = none;
	if (unlikely(nat_is_hairpin(pass)))
		pass->far = pass->own;
	else
		from_pod_find_far(pass);
	if (pass->far.row && !endpoint_is_open(pass->far.row))
		return far_closed(pass);
	r = connection_ask(pass, &pass->own, &pass->far, false);
	if (r < 0) {
		pass->far_dropped = pass->far_decided;
		return r;
	}
	if (known && !flow_is_reply(view) && !(view->flow->state & BH_FLOW_CLOSING) &&
	    flow_dst(view)->ifindex == (pass->far.row ? pass->far.row->ifindex : 0)) {
		flow_stamp(pass, view, flow_src(view), flow_dst(view));
		flow_touch(pass, view);
		return 0;
	}
	return flow_open(pass, key, view, false, 0);
}

/* UDP that never passes, whatever policy says (S14, L11). The tunnel's port is closed
 * to pods wherever they send: a node has more addresses than we know of, and a
 * Service may stand for one. */
static __always_inline int from_pod_check_udp(const struct pass *pass)
{
	const struct packet *pkt = &pass->pkt;

	if (pkt->bits & PKT_FRAG_LATER)
		return 0;
	if (port_is_dhcp(pkt->dport) && is_group_bound(pass))
		return -BH_DHCP;
	if (pass->config->tunnel_port && pkt->dport == pass->config->tunnel_port)
		return -BH_TUNNEL;
	return 0;
}

/* The record of the packet's connection; translated first if it is for a Service. */
static __always_inline int from_pod_find(struct pass *pass, struct bh_flow_key *key, struct flow_view *view)
{
	int r;

	view->src_is_hi = flow_key_fill(key, &pass->pkt.tuple);
	view->flow = flow_find(key);
	if (likely(!service_concerns(pass, view)))
		return 0;
	r = service_apply(pass, view);
	if (r <= SERVICE_NONE)
		return r;
	view->src_is_hi = flow_key_fill(key, &pass->pkt.tuple);
	view->flow = r == SERVICE_FRESH ? NULL : flow_find(key);
	return pass->pkt.proto == IPPROTO_UDP ? from_pod_check_udp(pass) : 0;
}

static __always_inline int from_pod_known(struct pass *pass, const struct flow_view *view)
{
	__u64 until;
	int r;

	if (pass->far.row && !endpoint_is_open(pass->far.row))
		return far_closed(pass);
	if (unlikely(flow_is_stale(pass, flow_src(view), flow_dst(view)))) {
		r = flow_judge_again(pass, view, flow_src(view), flow_dst(view));
		if (r < 0) {
			pass->far_dropped = pass->far_decided;
			return r;
		}
	}
	until = flow_touch(pass, view);
	if (unlikely(view->flow->nat_kind == BH_NAT_REAL) && pass->nat == NAT_NONE)
		nat_reply(pass, view->flow);
	cache_keep(pass, flow_src(view), flow_dst(view), until);
	return 0;
}

static __always_inline int from_pod_flow(struct pass *pass)
{
	struct bh_flow_key key;
	struct flow_view view;
	bool known;
	int r = from_pod_find(pass, &key, &view);

	if (r < 0)
		return r;
	known = view.flow && flow_is_live(view.flow, pass->now) && nat_fits(pass, view.flow) &&
		end_is_own(pass, flow_src(&view)) && far_resolve(pass, flow_dst(&view));
	/* Directly, over the tuple of a translated connection. */
	if (unlikely(known && view.flow->nat_kind == BH_NAT_REAL) && pass->nat == NAT_NONE &&
	    !flow_is_reply(&view))
		return -BH_SERVICE_NAT;
	if (likely(known && !(pass->pkt.bits & PKT_SYN))) {
		r = from_pod_known(pass, &view);
	} else {
		r = flow_may_open(&pass->pkt);
		if (r == -BH_NO_FLOW && pass->pkt.proto == IPPROTO_TCP &&
		    (pass->own.row->flags & BH_EP_GRACE))
			return flow_adopt(pass, &key, &view);
		if (r == 0)
			r = from_pod_open(pass, &key, &view, known);
	}
	return r == 0 && unlikely(pass->alias_due) ? alias_open(pass, &key, &view) : r;
}

static __always_inline int from_pod_icmp(struct __sk_buff *skb, struct pass *pass, enum icmp_kind kind)
{
	struct end none = { 0 };

	if (kind == ICMP_KIND_NEVER)
		return -BH_ICMP_TYPE;
	if (kind == ICMP_KIND_ERROR)
		return icmp_error_check(skb, pass);
	pass->far = none; /* the receiver's side is to_pod's */
	pass->receiver_is_node = addr_is_node(&pass->pkt.dst);
	return connection_ask(pass, &pass->own, &pass->far, false);
}

static __always_inline int from_pod_ip(struct __sk_buff *skb, struct pass *pass)
{
	const struct cached *cached;
	enum icmp_kind kind;
	int r = ip_parse(skb, pass);

	if (r < 0)
		return r;
	pass->services = service_gen();
	cached = cache_find(pass);
	if (likely(cached))
		return cached_pass(skb, pass, cached);
	if (unlikely(packet_is_nd(&pass->pkt)))
		return nd_check(skb, pass);
	r = group_mac_check(pass);
	if (r < 0)
		return r;
	if (!endpoint_owns(pass->own.row, &pass->pkt.src))
		return -BH_SRC_ADDR;
	if (addr_is_martian(&pass->pkt.src) || addr_is_martian(&pass->pkt.dst))
		return -BH_MARTIAN;
	if (unlikely(pass->pkt.bits & PKT_FRAG_LATER)) {
		r = frag_resolve(pass);
		if (r < 0)
			return r;
	}
	if (pass->pkt.proto == IPPROTO_UDP) {
		r = from_pod_check_udp(pass);
		if (r < 0)
			return r;
	}
	kind = packet_icmp_kind(&pass->pkt);
	if (unlikely(kind >= ICMP_KIND_ERROR))
		return from_pod_icmp(skb, pass, kind);
	return from_pod_flow(pass);
}

static __always_inline int from_pod(struct __sk_buff *skb, struct pass *pass)
{
	int r = pass_begin(pass, skb, BH_EGRESS);

	if (r < 0)
		return r;
	r = link_check(skb, pass);
	if (r < 0)
		return r;
	if (unlikely(pass->pkt.ethertype == ETH_P_ARP))
		return arp_check(skb, pass);
	return from_pod_ip(skb, pass);
}

#endif
