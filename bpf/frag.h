/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Later fragments carry no ports: they borrow those of an allowed first
 * fragment of the same endpoint, for a few seconds (S10). Direct-mapped, so one
 * endpoint's fragments displace only its own.
 */
#ifndef BPF_FRAG_H
#define BPF_FRAG_H

#include "bpf/pass.h"

/* Later fragments come as the first one came, before any translation. */
static __always_inline const struct tuple *frag_tuple(const struct pass *pass)
{
	return pass->nat == NAT_FORWARD ? &pass->other : &pass->pkt.tuple;
}

static __always_inline struct bh_frag *frag_slot(const struct pass *pass)
{
	const struct packet *pkt = &pass->pkt;
	const struct tuple *tuple = frag_tuple(pass);
	__u32 hash = pkt->frag_id ^ tuple->src.w[3] ^ tuple->dst.w[3] ^ pkt->proto;
	__u32 index;

	hash *= 0x9e3779b1;
	index = pass->own.slot * BH_FRAG_WAYS + (hash >> 26) % BH_FRAG_WAYS;
	return bpf_map_lookup_elem(&bh_frags, &index);
}

static __always_inline bool frag_matches(const struct bh_frag *frag, const struct packet *pkt)
{
	return frag->id == pkt->frag_id && frag->proto == pkt->proto && addr_eq(&frag->src, &pkt->src) &&
	       addr_eq(&frag->dst, &pkt->dst);
}

static __always_inline int frag_resolve(struct pass *pass)
{
	const struct bh_frag *frag = frag_slot(pass);

	if (!frag || frag->expires <= pass->now || !frag_matches(frag, &pass->pkt))
		return -BH_FRAG_NO_FIRST;
	pass->pkt.sport = frag->sport;
	pass->pkt.dport = frag->dport;
	return 0;
}

/* The record is switched off while it changes, so that a fragment on another CPU
 * never meets a mixture. */
static __always_inline void frag_remember(struct pass *pass)
{
	const struct packet *pkt = &pass->pkt;
	const struct tuple *tuple = frag_tuple(pass);
	struct bh_frag *frag = frag_slot(pass);

	if (!frag)
		return;
	WRITE_ONCE(frag->expires, 0);
	frag->src = tuple->src;
	frag->dst = tuple->dst;
	frag->id = pkt->frag_id;
	frag->sport = tuple->sport;
	frag->dport = tuple->dport;
	frag->proto = pkt->proto;
	WRITE_ONCE(frag->expires, pass->now + (__u64)pass->config->frag_s * pass->config->hz);
}

#endif
