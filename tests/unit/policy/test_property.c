// SPDX-License-Identifier: Apache-2.0
/*
 * The compiler against everything else that knows what policies mean, over random
 * worlds and random stories. BULKHEAD_SEED repeats a run, BULKHEAD_ROUNDS makes it
 * longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/oracle.h"
#include "lib/randworld.h"
#include "lib/simkernel.h"
#include "policy/explain.h"

#define ADDRS_MAX 16
#define PORTS_MAX 16
#define SLOTS	  8
#define CLOSED	  3 /* beside enum bh_action */

static uint64_t seed;

static unsigned int rounds(unsigned int standard)
{
	const char *text = getenv("BULKHEAD_ROUNDS");

	return text ? (unsigned int)strtoul(text, NULL, 10) : standard;
}

/* Verdicts of every connection in the universe, as one bit each of enum bh_action
 * or CLOSED: sets of verdicts are masks. */
struct matrix {
	uint8_t v[SLOTS][2][ADDRS_MAX][PORTS_MAX];
};

static struct bh_addr addrs[ADDRS_MAX];

static void universe_init(void)
{
	for (size_t i = 0; i < rand_n_addrs; i++)
		assert_int_equal(addr_parse(rand_addrs[i], &addrs[i]), 0);
}

#define EACH_CONNECTION(slot, d, a, q)                                                                       \
	for (uint32_t slot = 0; slot < SLOTS; slot++)                                                        \
		for (int d = 0; d < 2; d++)                                                                  \
			for (size_t a = 0; a < rand_n_addrs; a++)                                            \
				for (size_t q = 0; q < rand_n_ports; q++)

static uint8_t bit_of(int verdict)
{
	return (uint8_t)(1 << (verdict < 0 ? CLOSED : verdict));
}

static void kernel_matrix(const struct simkernel *kernel, struct matrix *ret)
{
	EACH_CONNECTION(slot, d, a, q)
	ret->v[slot][d][a][q] = bit_of(simkernel_verdict(kernel, slot, (enum bh_direction)d, &addrs[a],
							 rand_ports[q].proto, rand_ports[q].port));
}

static void say_where(const char *what, uint32_t slot, int d, size_t a, size_t q)
{
	print_error("%s: seed %llu, slot %u, %s, %s, protocol %u port %u\n", what, (unsigned long long)seed,
		    slot, d == BH_INGRESS ? "ingress" : "egress", rand_addrs[a], rand_ports[q].proto,
		    rand_ports[q].port);
}

/* The two matrices may differ only where the first allows it as a set. */
static bool matrix_within(const char *what, const struct matrix *allowed, const struct matrix *got)
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

static void matrix_unite(struct matrix *into, const struct matrix *other)
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

/* ADD and DEL, as the plugin does them before the daemon hears of it. */
static void endpoints_attach(const struct randworld *rw, struct simkernel *kernel)
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

static void plan_make(struct tables *tables, const struct randworld *rw, struct plan *plan)
{
	struct err err = { 0 };
	int r = tables_update(tables, &rw->world, rw->endpoints, rw->n_endpoints, plan, &err);

	if (r < 0)
		fail_msg("seed %llu: tables_update: %s", (unsigned long long)seed, err.msg);
	assert_int_equal(r, plan->n ? 0 : 1);
}

/* The same world compiled into an empty kernel: what an update must end at. */
static void scratch_matrix(const struct randworld *rw, struct matrix *ret)
{
	struct tables *tables = tables_new();
	struct simkernel *kernel = simkernel_new();
	struct plan plan = { 0 };

	assert_non_null(tables);
	endpoints_attach(rw, kernel);
	plan_make(tables, rw, &plan);
	for (size_t i = 0; i < plan.n; i++)
		simkernel_apply(kernel, &plan.v[i]);
	tables_commit(tables);
	kernel_matrix(kernel, ret);
	plan_done(&plan);
	tables_free(tables);
	simkernel_free(kernel);
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
 * address, the tables may deny more than either, and never allow more. */
static void connection_check(const struct randworld *rw, const struct tables *tables,
			     const struct simkernel *kernel, const struct endpoint *endpoint, int d, size_t a,
			     size_t q)
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
	if (holders > 1 ? got == BH_ALLOW && want != BH_ALLOW : got != want) {
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

static void world_check(const struct randworld *rw, const struct tables *tables,
			const struct simkernel *kernel)
{
	for (size_t e = 0; e < rw->n_endpoints; e++) {
		for (int d = 0; d < 2; d++) {
			for (size_t a = 0; a < rand_n_addrs; a++) {
				for (size_t q = 0; q < rand_n_ports; q++)
					connection_check(rw, tables, kernel, &rw->endpoints[e], d, a, q);
			}
		}
	}
}

static void every_evaluator_agrees_on_random_worlds(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < rounds(300); i++) {
		struct tables *tables = tables_new();
		struct simkernel *kernel = simkernel_new();
		struct plan plan = { 0 };
		struct randworld rw;

		randworld_init(&rw, seed + i * 7919u);
		endpoints_attach(&rw, kernel);
		plan_make(tables, &rw, &plan);
		for (size_t k = 0; k < plan.n; k++)
			simkernel_apply(kernel, &plan.v[k]);
		tables_commit(tables);
		world_check(&rw, tables, kernel);
		plan_done(&plan);
		tables_free(tables);
		simkernel_free(kernel);
		randworld_done(&rw);
	}
}

static void any_order_of_the_input_gives_the_same_plan(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < rounds(200); i++) {
		struct tables *one = tables_new(), *two = tables_new();
		struct plan first = { 0 }, second = { 0 };
		struct randworld rw;

		randworld_init(&rw, seed + i * 104729u);
		plan_make(one, &rw, &first);
		randworld_shuffle(&rw);
		plan_make(two, &rw, &second);
		assert_int_equal(first.n, second.n);
		if (first.n)
			assert_memory_equal(first.v, second.v, first.n * sizeof(*first.v));
		plan_done(&first);
		plan_done(&second);
		tables_free(one);
		tables_free(two);
		randworld_done(&rw);
	}
}

/* Packets that are in the middle of their three lookups while a plan runs: what
 * they hold must lead to an old or a new verdict until the next fence lets them
 * finish. */
struct in_flight {
	unsigned int stage; /* 0: none, 1: has subjects, 2: and classes, 3: and rows */
	uint32_t subject[SLOTS][2];
	bool open[SLOTS];
	uint32_t ifindex[SLOTS];
	uint32_t class[ADDRS_MAX];
	struct bh_verdict row[SLOTS][2][ADDRS_MAX];
	struct matrix allowed; /* by any state since it began */
};

static void in_flight_begin(struct in_flight *f, const struct simkernel *kernel, const struct matrix *allowed)
{
	f->stage = 1;
	f->allowed = *allowed;
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		const struct bh_endpoint *endpoint = &kernel->endpoints[slot];

		f->open[slot] = endpoint->ifindex && endpoint->flags & BH_EP_OPEN;
		f->ifindex[slot] = endpoint->ifindex;
		f->subject[slot][BH_EGRESS] = endpoint->egress;
		f->subject[slot][BH_INGRESS] = endpoint->ingress;
	}
}

static void in_flight_advance(struct in_flight *f, const struct simkernel *kernel)
{
	if (f->stage == 1) {
		for (size_t a = 0; a < rand_n_addrs; a++)
			f->class[a] = simkernel_class(kernel, &addrs[a]);
	} else if (f->stage == 2) {
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			for (int d = 0; d < 2; d++) {
				for (size_t a = 0; a < rand_n_addrs; a++)
					f->row[slot][d][a] =
						simkernel_row(kernel, f->subject[slot][d], f->class[a]);
			}
		}
	}
	f->stage += f->stage && f->stage < 3;
}

/* Where the packet would come out if it did all the rest now. */
static int in_flight_verdict(const struct in_flight *f, const struct simkernel *kernel, uint32_t slot, int d,
			     size_t a, size_t q)
{
	uint32_t class = f->stage > 1 ? f->class[a] : simkernel_class(kernel, &addrs[a]);
	struct bh_verdict row =
		f->stage > 2 ? f->row[slot][d][a] : simkernel_row(kernel, f->subject[slot][d], class);

	if (f->subject[slot][d] == 0)
		return BH_ALLOW;
	return (int)simkernel_ports(kernel, &row, rand_ports[q].proto, rand_ports[q].port);
}

static void in_flight_check(const struct in_flight *f, const struct simkernel *kernel)
{
	struct matrix got = { 0 };

	if (!f->stage)
		return;
	EACH_CONNECTION(slot, d, a, q)
	{
		if (f->open[slot] && f->ifindex[slot] == kernel->endpoints[slot].ifindex)
			got.v[slot][d][a][q] = bit_of(in_flight_verdict(f, kernel, slot, d, a, q));
	}
	if (!matrix_within("a packet in flight met a mix", &f->allowed, &got))
		fail_msg("at stage %u", f->stage);
}

struct story {
	struct randworld rw;
	struct simkernel *kernel;
	struct tables *tables;
	struct matrix now;
	struct in_flight flight;
	unsigned int step;
	const char *event;
};

static void story_adopt(struct story *s)
{
	const struct bh_snapshot snapshot = simkernel_snapshot(s->kernel);

	if (rng_below(&s->rw.rng, 2)) {
		tables_free(s->tables);
		s->tables = tables_new();
	}
	assert_int_equal(tables_adopt(s->tables, &snapshot, NULL), 0);
	s->flight.stage = 0;
}

static void write_apply(struct story *s, const struct bh_write *write, const struct matrix *allowed)
{
	struct rng *rng = &s->rw.rng;
	struct matrix got;

	simkernel_apply(s->kernel, write);
	if (write->kind == BH_FENCE)
		s->flight.stage = 0;
	in_flight_check(&s->flight, s->kernel);
	if (s->flight.stage == 0 && rng_below(rng, 4) == 0)
		in_flight_begin(&s->flight, s->kernel, allowed);
	else if (rng_below(rng, 3) == 0)
		in_flight_advance(&s->flight, s->kernel);
	kernel_matrix(s->kernel, &got);
	if (!matrix_within("a write showed a mix", allowed, &got))
		fail_msg("step %u, %s, write kind %u", s->step, s->event, write->kind);
}

/* A crash in the middle: a new process finds what the writes so far have made. */
static void plan_apply(struct story *s, const struct matrix *wanted)
{
	struct matrix allowed = s->now;
	struct plan plan = { 0 };
	bool crash;
	size_t n;

	matrix_unite(&allowed, wanted);
	if (s->flight.stage)
		matrix_unite(&s->flight.allowed, wanted);
	plan_make(s->tables, &s->rw, &plan);
	crash = plan.n && rng_below(&s->rw.rng, 8) == 0;
	n = crash ? rng_below(&s->rw.rng, (uint32_t)plan.n) : plan.n;
	for (size_t i = 0; i < n; i++)
		write_apply(s, &plan.v[i], &allowed);
	plan_done(&plan);
	if (!crash) {
		tables_commit(s->tables);
		return;
	}
	kernel_matrix(s->kernel, &s->now);
	story_adopt(s);
	s->event = "and again after a crash";
	plan_apply(s, wanted);
}

/* R19: live flows are judged again wherever a verdict changed, and only the
 * revision tells them to. */
static void revisions_check(const struct story *s, const struct matrix *before, const struct matrix *after,
			    const uint32_t *revisions)
{
	EACH_CONNECTION(slot, d, a, q)
	{
		if (before->v[slot][d][a][q] == after->v[slot][d][a][q] ||
		    s->kernel->endpoints[slot].revision > revisions[slot])
			continue;
		say_where("a changed verdict without a new revision", slot, d, a, q);
		fail_msg("step %u, %s", s->step, s->event);
	}
}

static bool is_exempt(const struct posture_config *config, const char *namespace)
{
	return config->n_exempt_namespaces && strcmp(config->exempt_namespaces[0], namespace) == 0;
}

/* R16: open unless posture deny counts here and wants a rule for it. */
static void node_flag_check(const struct story *s)
{
	const struct posture_config *config = &s->rw.world.posture;

	for (size_t e = 0; e < s->rw.n_endpoints; e++) {
		const struct pod *pod = randworld_pod(&s->rw, &s->rw.endpoints[e]);
		const struct namespace *ns = pod ? world_namespace(&s->rw.world, pod->namespace) : NULL;
		enum posture posture = ns && ns->posture ? ns->posture : config->posture;
		bool closed = pod && posture == POSTURE_DENY && config->deny_pod_to_node &&
			      !is_exempt(config, pod->namespace);

		assert_int_equal(!!(s->kernel->endpoints[s->rw.endpoints[e].slot].flags & BH_EP_TO_NODE),
				 pod && !closed);
	}
}

static void story_step(struct story *s)
{
	uint32_t revisions[SLOTS];
	struct matrix wanted, got, before;

	s->event = randworld_step(&s->rw);
	s->step++;
	endpoints_attach(&s->rw, s->kernel);
	if (rng_below(&s->rw.rng, 20) == 0)
		story_adopt(s);
	kernel_matrix(s->kernel, &s->now);
	before = s->now;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		revisions[slot] = s->kernel->endpoints[slot].revision;
	scratch_matrix(&s->rw, &wanted);
	plan_apply(s, &wanted);
	kernel_matrix(s->kernel, &got);
	revisions_check(s, &before, &got, revisions);
	node_flag_check(s);
	if (!matrix_within("the update did not arrive", &wanted, &got))
		fail_msg("step %u, %s", s->step, s->event);
	world_check(&s->rw, s->tables, s->kernel);
}

/* Nothing is left behind: an empty world's kernel is empty. */
static void story_end(struct story *s)
{
	struct world nothing = { .posture.posture = POSTURE_STANDARD };
	struct plan plan = { 0 };
	struct tables_usage usage;

	assert_true(tables_update(s->tables, &nothing, NULL, 0, &plan, NULL) >= 0);
	for (size_t i = 0; i < plan.n; i++)
		simkernel_apply(s->kernel, &plan.v[i]);
	tables_commit(s->tables);
	plan_done(&plan);
	assert_int_equal(s->kernel->n_peers, 0);
	assert_int_equal(s->kernel->n_prefixes, 0);
	assert_int_equal(s->kernel->n_verdicts, 0);
	tables_usage_get(s->tables, &usage);
	assert_int_equal(usage.subjects + usage.peers + usage.prefixes + usage.verdicts + usage.ports, 0);
	tables_free(s->tables);
	simkernel_free(s->kernel);
	randworld_done(&s->rw);
}

static void every_write_shows_the_old_or_the_new_policy(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < rounds(12); i++) {
		struct story s = { .kernel = simkernel_new(), .tables = tables_new() };

		randworld_init(&s.rw, seed + i * 15485863u);
		while (s.step < 40)
			story_step(&s);
		story_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_evaluator_agrees_on_random_worlds),
		cmocka_unit_test(any_order_of_the_input_gives_the_same_plan),
		cmocka_unit_test(every_write_shows_the_old_or_the_new_policy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	seed = rng_seed();
	universe_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
