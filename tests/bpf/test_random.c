// SPDX-License-Identifier: Apache-2.0
/*
 * Random policies, three ways: worlds in which labels, blocks, ports and addresses
 * collide all the time; every connection between their pods and addresses is judged
 * by the oracle, by the evaluator and by the kernel's programs. BULKHEAD_SEED
 * repeats a run, BULKHEAD_ROUNDS makes it longer.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cases.h"
#include "lib/kernworld.h"
#include "lib/oracle.h"
#include "lib/randworld.h"
#include "lib/tap.h"

#define STEPS 30 /* events that make a world */

/* Two pods that claim one address are a fault that the compiler's own tests cover;
 * here each address has one meaning. */
static void addresses_untangle(struct randworld *rw)
{
	for (size_t i = 0; i < rw->world.n_pods; i++) {
		struct pod *pod = rw->world.pods[i];
		size_t kept = 0;

		for (size_t k = 0; k < pod->n_addrs; k++) {
			const struct pod *holder;

			if (randworld_holders(rw, &pod->addrs[k], &holder) <= 1)
				pod->addrs[kept++] = pod->addrs[k];
		}
		pod->n_addrs = kept;
	}
	for (size_t i = 0; i < rw->n_endpoints; i++)
		rw->endpoints[i].n_addrs = 0;
}

static struct explain_end end_at(const struct randworld *rw, const struct bh_addr *addr)
{
	struct explain_end end = { .has_addr = true, .addr = *addr };

	if (randworld_holders(rw, addr, &end.pod) == 0)
		end.pod = NULL;
	return end;
}

struct tally {
	unsigned int asked, allowed, denied, audited, wrong;
};

static void ask(struct kernworld *kw, const struct randworld *rw, const struct explain_query *query,
		struct tally *tally)
{
	const struct world *world = &rw->world;
	struct explanation explanation = { 0 };
	enum explain_verdict oracle, kernel;
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	if (explain(world, query, &explanation, NULL) < 0)
		abort();
	oracle = oracle_verdict(world, query);
	kernel = kernworld_verdict(kw, world, query);
	tally->asked++;
	tally->allowed += oracle == EXPLAIN_ALLOW;
	tally->denied += oracle == EXPLAIN_DENY;
	tally->audited += oracle == EXPLAIN_AUDIT;
	if (oracle != kernel || oracle != explanation.verdict) {
		tally->wrong++;
		addr_format(&query->from.addr, from);
		addr_format(&query->to.addr, to);
		tap_note("%s -> %s proto %u port %u: oracle %s, evaluator %s, kernel %s", from, to,
			 query->proto, query->port, verdict_name(oracle), verdict_name(explanation.verdict),
			 verdict_name(kernel));
	}
	explanation_done(&explanation);
}

/* A protocol without ports has one flow record for both directions, so only one of
 * the two can be asked as a first packet. */
static bool is_asked(size_t from, size_t to, uint8_t proto)
{
	return proto != IPPROTO_ESP || (from < to) == ((from + to) % 2 == 0);
}

static void world_ask(struct kernworld *kw, const struct randworld *rw, struct tally *tally)
{
	for (size_t i = 0; i < rand_n_addrs * rand_n_addrs; i++) {
		struct bh_addr from = addr_of(rand_addrs[i / rand_n_addrs]),
			       to = addr_of(rand_addrs[i % rand_n_addrs]);
		struct explain_query query = { .from = end_at(rw, &from), .to = end_at(rw, &to) };

		/* Broadcast is dropped before policy unless a block lists it (S13). */
		if (addr_is_v4(&from) != addr_is_v4(&to) || addr_equal(&from, &to) || from.w[3] == ~0u ||
		    to.w[3] == ~0u)
			continue;
		if (!kernworld_has(kw, &rw->world, query.from.pod) &&
		    !kernworld_has(kw, &rw->world, query.to.pod))
			continue;
		for (size_t p = 0; p < rand_n_ports; p++) {
			if (!is_asked(i / rand_n_addrs, i % rand_n_addrs, rand_ports[p].proto))
				continue;
			query.proto = rand_ports[p].proto;
			query.port = rand_ports[p].port;
			if (query.proto == IPPROTO_ICMP && !addr_is_v4(&to))
				query.proto = IPPROTO_ICMPV6;
			ask(kw, rw, &query, tally);
		}
	}
}

int main(void)
{
	const char *rounds_text = getenv("BULKHEAD_ROUNDS");
	unsigned int rounds = rounds_text ? (unsigned int)strtoul(rounds_text, NULL, 10) : 12;
	uint64_t seed = rng_seed();
	struct kernworld *kw;
	const char *why;

	kw = kernworld_open("192.0.2.100", CASE_NODE_V6, &why);
	if (!kw) {
		tap_skip("random worlds in the kernel", why);
		return tap_done();
	}
	for (unsigned int round = 0; round < rounds; round++) {
		struct tally tally = { 0 };
		struct randworld rw;

		randworld_init(&rw, seed + round);
		for (int step = 0; step < STEPS; step++)
			randworld_step(&rw);
		addresses_untangle(&rw);
		kernworld_start(kw, &rw.world);
		world_ask(kw, &rw, &tally);
		tap_result(tally.wrong == 0,
			   "world of seed %llu: %u connections agree (%u allowed, %u denied, %u audited)",
			   (unsigned long long)(seed + round), tally.asked, tally.allowed, tally.denied,
			   tally.audited);
		kernworld_stop(kw, &rw.world);
		randworld_done(&rw);
	}
	kernworld_close(kw);
	return tap_done();
}
