// SPDX-License-Identifier: Apache-2.0
#include "lib/universe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/oracle.h"
#include "policy/explain.h"

#define CLOSED 3 /* beside enum bh_action */

uint64_t seed;
struct bh_addr addrs[ADDRS_MAX];

void universe_init(void)
{
	seed = rng_seed();
	for (size_t i = 0; i < rand_n_addrs; i++)
		assert_int_equal(addr_parse(rand_addrs[i], &addrs[i]), 0);
}

unsigned int rounds(unsigned int standard)
{
	const char *text = getenv("BULKHEAD_ROUNDS");

	return text ? (unsigned int)strtoul(text, NULL, 10) : standard;
}

uint8_t bit_of(int verdict)
{
	return (uint8_t)(1 << (verdict < 0 ? CLOSED : verdict));
}

void kernel_matrix(const struct simkernel *kernel, struct matrix *ret)
{
	EACH_CONNECTION(slot, d, a, q)
	ret->v[slot][d][a][q] = bit_of(simkernel_verdict(kernel, slot, (enum bh_direction)d, &addrs[a],
							 rand_ports[q].proto, rand_ports[q].port));
}

void say_where(const char *what, uint32_t slot, int d, size_t a, size_t q)
{
	print_error("%s: seed %llu, slot %u, %s, %s, protocol %u port %u\n", what, (unsigned long long)seed,
		    slot, d == BH_INGRESS ? "ingress" : "egress", rand_addrs[a], rand_ports[q].proto,
		    rand_ports[q].port);
}

bool matrix_within(const char *what, const struct matrix *allowed, const struct matrix *got)
{
	EACH_CONNECTION(slot, d, a, q)
	{
		if (got->v[slot][d][a][q] & ~allowed->v[slot][d][a][q]) {
			say_where(what, slot, d, a, q);
			print_error("  got mask %#x, allowed %#x\n", got->v[slot][d][a][q],
				    allowed->v[slot][d][a][q]);
			return false;
		}
	}
	return true;
}

void matrix_unite(struct matrix *into, const struct matrix *other)
{
	EACH_CONNECTION(slot, d, a, q)
	into->v[slot][d][a][q] |= other->v[slot][d][a][q];
}

static const struct endpoint *endpoint_at(const struct randworld *rw, uint32_t slot)
{
	for (size_t i = 0; i < rw->n_endpoints; i++) {
		if (rw->endpoints[i].slot == slot)
			return &rw->endpoints[i];
	}
	return NULL;
}

void endpoints_attach(const struct randworld *rw, struct simkernel *kernel)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		const struct endpoint *endpoint = endpoint_at(rw, slot);
		uint32_t ifindex = kernel->endpoints[slot].ifindex;

		if (ifindex && (!endpoint || endpoint->ifindex != ifindex))
			simkernel_release(kernel, slot);
		if (endpoint && kernel->endpoints[slot].ifindex == 0)
			simkernel_claim(kernel, slot, endpoint->ifindex);
	}
}

void plan_make(struct tables *tables, struct feeder *feeder, const struct randworld *rw, struct plan *plan)
{
	struct err err = { 0 };
	int r = feeder_update(feeder, tables, &rw->world, rw->endpoints, rw->n_endpoints, plan, &err);

	if (r < 0)
		fail_msg("seed %llu: tables_update: %s", (unsigned long long)seed, err.msg);
	assert_int_equal(r, plan->n ? 0 : 1);
}

void plan_write(struct plan *plan, struct simkernel *kernel)
{
	for (size_t i = 0; i < plan->n; i++)
		simkernel_apply(kernel, &plan->v[i]);
	plan->n = 0;
}

static int action_of(enum explain_verdict verdict)
{
	static const int actions[] = { BH_ALLOW, BH_DENY, BH_AUDIT };

	assert_true(verdict < EXPLAIN_UNKNOWN);
	return actions[verdict];
}

static struct explain_query query_of(const struct pod *own, const struct bh_addr *own_addr, int d, size_t a,
				     const struct pod *peer, size_t q)
{
	struct explain_end mine = { .pod = own, .has_addr = true, .addr = *own_addr };
	struct explain_end other = { .pod = peer, .has_addr = true, .addr = addrs[a] };

	return (struct explain_query){
		.from = d == BH_EGRESS ? mine : other,
		.to = d == BH_EGRESS ? other : mine,
		.proto = rand_ports[q].proto,
		.port = rand_ports[q].port,
	};
}

/* Oracle, evaluator, tables and kernel on one connection. R17 is not the tables'
 * business, so a pod's own address is left out. Where two live pods claim one
 * address, or bh_peers is too small for all of them, the tables may deny more than
 * either, and never allow more. */
static void connection_check(const struct randworld *rw, const struct tables *tables,
			     const struct simkernel *kernel, const struct endpoint *endpoint, int d, size_t a,
			     size_t q, bool peers_are_few)
{
	const struct pod *own = randworld_pod(rw, endpoint), *peer;
	enum bh_direction direction = (enum bh_direction)d;
	size_t holders = randworld_holders(rw, &addrs[a], &peer);
	int got = simkernel_verdict(kernel, endpoint->slot, direction, &addrs[a], rand_ports[q].proto,
				    rand_ports[q].port);
	struct explanation explanation;
	struct explain_query query;
	int want;

	assert_int_equal(got, tables_verdict(tables, endpoint->slot, direction, &addrs[a],
					     rand_ports[q].proto, rand_ports[q].port));
	if (!own) {
		assert_int_equal(got, -ENOENT);
		return;
	}
	query = query_of(own, &endpoint->addrs[0], d, a, peer, q);
	if (peer == own || addr_equal(&query.from.addr, &query.to.addr))
		return;
	want = action_of(oracle_side(&rw->world, &query, direction));
	if (holders > 1 || peers_are_few ? got == BH_ALLOW && want != BH_ALLOW : got != want) {
		say_where("oracle and kernel differ", endpoint->slot, d, a, q);
		fail_msg("oracle %d, kernel %d, %zu holders", want, got, holders);
	}
	assert_int_equal(explain(&rw->world, &query, &explanation, NULL), 0);
	if (action_of(explanation.side[d].verdict) != want) {
		say_where("oracle and evaluator differ", endpoint->slot, d, a, q);
		fail_msg("oracle %d, evaluator %d", want, action_of(explanation.side[d].verdict));
	}
	assert_int_equal(!explanation.side[d].clause_text, want == BH_ALLOW);
	explanation_done(&explanation);
}

void world_check(const struct randworld *rw, const struct tables *tables, const struct simkernel *kernel,
		 bool peers_are_few)
{
	for (size_t e = 0; e < rw->n_endpoints; e++) {
		for (int d = 0; d < 2; d++) {
			for (size_t a = 0; a < rand_n_addrs; a++) {
				for (size_t q = 0; q < rand_n_ports; q++)
					connection_check(rw, tables, kernel, &rw->endpoints[e], d, a, q,
							 peers_are_few);
			}
		}
	}
}
