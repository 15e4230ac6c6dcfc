/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Service's translation as one packet meets it. The client's packets leave for
 * the backend, replies come back as from the Service; policy, flow records and
 * counters only ever see the backend (R25).
 *
 * A pod that is its own backend is answered by the Service: its packet goes back
 * into the pod as from the Service's address. The pod could not take it from its
 * own, and so needs no address that is not in the connection already (R17).
 *
 * Replies are written where the next stop is the client: on delivery, or at the
 * client's own interface. The stack in between routes what really is.
 */
#ifndef BPF_NAT_H
#define BPF_NAT_H

#include "bpf/pass.h"
#include "bpf/rewrite.h"

static __always_inline bool nat_equal(const struct bh_nat *nat, const struct bh_addr *addr, __be16 port,
				      __be16 client_port)
{
	return nat->port == port && nat->client_port == client_port && addr_eq(&nat->addr, addr);
}

/* Back to the pod that sent it? */
static __always_inline bool nat_is_hairpin(const struct pass *pass)
{
	return pass->nat == NAT_FORWARD && addr_eq(&pass->pkt.dst, &pass->other.src);
}

/* From the Service's tuple to the backend's. */
static __always_inline void nat_tuple(const struct tuple *from, const struct bh_nat *to, struct tuple *ret)
{
	*ret = *from;
	if (addr_eq(&to->addr, &from->src))
		ret->src = from->dst;
	ret->dst = to->addr;
	ret->sport = to->client_port;
	ret->dport = to->port;
}

/* The record belongs to the packet as it goes on. */
static __always_inline bool nat_fits(const struct pass *pass, const struct bh_flow *flow)
{
	if (likely(flow->nat_kind == BH_NAT_NONE))
		return pass->nat == NAT_NONE;
	if (flow->nat_kind == BH_NAT_ALIAS)
		return false;
	return pass->nat == NAT_NONE ||
	       nat_equal(&flow->nat, &pass->other.dst, pass->other.dport, pass->other.sport);
}

/* What a reply looks like to the client of this connection. */
static __always_inline void nat_reply(struct pass *pass, const struct bh_flow *flow)
{
	const struct tuple *reply = &pass->pkt.tuple;
	struct tuple *ret = &pass->other;

	*ret = *reply;
	if (addr_eq(&reply->dst, &flow->nat.addr))
		ret->dst = reply->src;
	ret->src = flow->nat.addr;
	ret->sport = flow->nat.port;
	ret->dport = flow->nat.client_port;
	pass->nat = NAT_REPLY;
}

/* Straight to far, a local receiver? */
static __always_inline bool may_deliver(const struct pass *pass)
{
	if (!pass->far.row || pass->direction == BH_INGRESS)
		return false;
	return pass->far.row == pass->own.row || (pass->own.row->flags & pass->far.row->flags & BH_EP_ROUTED);
}

/* Is the packet to be written? A reply that the stack routes is, where it ends. */
static __always_inline bool nat_is_due(const struct pass *pass)
{
	if (likely(pass->nat == NAT_NONE))
		return false;
	return pass->nat == NAT_FORWARD || pass->direction == BH_INGRESS || may_deliver(pass);
}

static __always_inline int nat_store(struct __sk_buff *skb, const struct pass *pass)
{
	struct layout at = layout_of(&pass->pkt);
	const struct tuple *came = &pass->pkt.tuple, *leaves = &pass->other;

	if (pass->nat == NAT_FORWARD) {
		came = &pass->other;
		leaves = &pass->pkt.tuple;
	}
	return packet_rewrite(skb, came, leaves, &at) ? -BH_SERVICE_NAT : 0;
}

#endif
