/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the stack sends to a pod (tc egress on the host side of its veth). */
#ifndef BPF_TO_POD_H
#define BPF_TO_POD_H

#include "bpf/cache.h"
#include "bpf/hook.h"

/* The node itself (R16, S17: ingress_ifindex is 0 only for what this node's own
 * sockets send), or the pod's own packet coming back through a Service (R17):
 * from_pod has checked whose it is. */
static __always_inline bool is_trusted(const struct pass *pass)
{
	return pass->ingress_ifindex == 0 || pass->ingress_ifindex == pass->own.row->ifindex;
}

/* A routed pod's address enters through that pod's interface only (S2). */
static __always_inline bool is_forged(const struct pass *pass, const struct bh_endpoint *sender)
{
	return sender && (sender->flags & BH_EP_ROUTED) && sender->ifindex != pass->ingress_ifindex;
}

static __always_inline const struct bh_endpoint *local_sender(const struct pass *pass)
{
	struct bh_local *local = bpf_map_lookup_elem(&bh_locals, &pass->pkt.src);
	const struct bh_endpoint *row;

	if (!local)
		return NULL;
	row = endpoint_at(local->slot);
	return row && READ_ONCE(row->ifindex) != 0 ? row : NULL;
}

/* A backend's answer reaches the client as from the Service. */
static __always_inline void to_pod_touch(struct pass *pass, const struct flow_view *view)
{
	__u64 until = flow_touch(pass, view);

	if (unlikely(view->flow->nat_kind == BH_NAT_REAL) && flow_is_reply(view))
		nat_reply(pass, view->flow);
	cache_keep(pass, flow_dst(view), flow_src(view), until);
}

/* The far end stays empty: replies go back through the stack, which may have
 * translated this packet's destination on its way. */
static __always_inline int to_pod_open(struct pass *pass, const struct bh_flow_key *key,
				       struct flow_view *view, bool known)
{
	struct end none = { 0 };
	int r;

	if (is_forged(pass, local_sender(pass)))
		return -BH_SRC_ADDR;
	pass->far = none;
	r = connection_ask(pass, &pass->far, &pass->own, false);
	if (r < 0)
		return r;
	if (known && !flow_is_reply(view) && !(view->flow->state & BH_FLOW_CLOSING)) {
		flow_stamp(pass, view, flow_dst(view), flow_src(view));
		flow_touch(pass, view);
		return 0;
	}
	return flow_open(pass, key, view, false, 0);
}

/* Always passes; a record is made so that the answer does. Any segment but a
 * reset makes one: the node's connections may outlive an idle record. */
static __always_inline int to_pod_trusted(struct pass *pass, const struct bh_flow_key *key,
					  struct flow_view *view, bool known)
{
	struct end none = { 0 };
	const struct packet *pkt = &pass->pkt;

	if (known && !(pkt->bits & PKT_SYN)) {
		to_pod_touch(pass, view);
		return 0;
	}
	if ((pkt->bits & PKT_FRAG_LATER) || (pkt->tcp_flags & TCP_RST) || icmp_only_answers(pkt))
		return 0;
	pass->far = none;
	flow_open(pass, key, view, false, BH_FLOW_NODE);
	return 0;
}

static __always_inline int to_pod_known(struct pass *pass, struct flow_view *view)
{
	int r;

	if (unlikely(is_forged(pass, pass->far.row)))
		return -BH_SRC_ADDR;
	if (unlikely(flow_is_stale(pass, flow_dst(view), flow_src(view)))) {
		r = flow_judge_again(pass, view, flow_dst(view), flow_src(view));
		if (r < 0)
			return r;
	}
	to_pod_touch(pass, view);
	return 0;
}

static __always_inline int to_pod_flow(struct pass *pass)
{
	struct bh_flow_key key;
	struct flow_view view;
	bool known;
	int r;

	view.src_is_hi = flow_key_fill(&key, &pass->pkt.tuple);
	view.flow = flow_find(&key);
	known = view.flow && flow_is_live(view.flow, pass->now) && nat_fits(pass, view.flow) &&
		end_is_own(pass, flow_dst(&view)) && far_resolve(pass, flow_src(&view));
	if (is_trusted(pass))
		return to_pod_trusted(pass, &key, &view, known);
	/* A forwarded packet that wears the node's address is not the node (S17). */
	if (known && (view.flow->state & BH_FLOW_NODE) && !flow_is_reply(&view))
		known = false;
	if (likely(known && !(pass->pkt.bits & PKT_SYN)))
		return to_pod_known(pass, &view);
	r = flow_may_open(&pass->pkt);
	if (r == -BH_NO_FLOW && pass->pkt.proto == IPPROTO_TCP && (pass->own.row->flags & BH_EP_GRACE))
		return flow_adopt(pass, &key, &view);
	return r < 0 ? r : to_pod_open(pass, &key, &view, known);
}

static __always_inline int to_pod_icmp(struct __sk_buff *skb, struct pass *pass, enum icmp_kind kind)
{
	struct end none = { 0 };

	if (kind == ICMP_KIND_NEVER)
		return -BH_ICMP_TYPE;
	if (is_trusted(pass))
		return 0;
	if (kind == ICMP_KIND_ERROR)
		return icmp_error_check(skb, pass);
	pass->far = none;
	return connection_ask(pass, &pass->far, &pass->own, false);
}

static __always_inline int to_pod_ip(struct __sk_buff *skb, struct pass *pass)
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
		return nd_check_shape(&pass->pkt);
	if (addr_is_martian(&pass->pkt.src) || addr_is_martian(&pass->pkt.dst) ||
	    addr_is_multicast(&pass->pkt.src))
		return -BH_MARTIAN;
	if (unlikely(pass->pkt.bits & PKT_FRAG_LATER)) {
		r = frag_resolve(pass);
		if (r < 0)
			return r;
	}
	kind = packet_icmp_kind(&pass->pkt);
	if (unlikely(kind >= ICMP_KIND_ERROR))
		return to_pod_icmp(skb, pass, kind);
	return to_pod_flow(pass);
}

static __always_inline int to_pod(struct __sk_buff *skb, struct pass *pass)
{
	int r = pass_begin(pass, skb, BH_INGRESS);

	if (r < 0)
		return r;
	r = link_check(skb, pass);
	if (r < 0)
		return r;
	/* Other pods' lies about neighbours were dropped where they were told. */
	if (unlikely(pass->pkt.ethertype == ETH_P_ARP))
		return 0;
	return to_pod_ip(skb, pass);
}

#endif
