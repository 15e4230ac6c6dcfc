// SPDX-License-Identifier: Apache-2.0
/*
 * Random stories: after every write a packet, new or in flight, meets the old policy or
 * the new one, crashes and slow fences included. BULKHEAD_SEED repeats a run,
 * BULKHEAD_ROUNDS and BULKHEAD_EVENTS make it longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/universe.h"

/* The same world compiled into an empty kernel: what an update must end at. */
static void scratch_matrix(const struct randworld *rw, struct matrix *ret, struct tables_usage *ret_usage)
{
	struct tables *tables = tables_new();
	struct simkernel *kernel = simkernel_new();
	struct feeder feeder = { 0 };
	struct plan plan = { 0 };

	assert_non_null(tables);
	endpoints_attach(rw, kernel);
	plan_make(tables, &feeder, rw, &plan);
	plan_write(&plan, kernel);
	kernel_matrix(kernel, ret);
	tables_usage_get(tables, ret_usage);
	plan_done(&plan);
	feeder_done(&feeder);
	tables_free(tables);
	simkernel_free(kernel);
}

/* Packets that are in the middle of their three lookups while a plan runs: what
 * they hold must lead to an old or a new verdict until the next fence lets them
 * finish. */
struct in_flight {
	unsigned int stage; /* 0: none, 1: has subjects, 2: and classes, 3: and rows */
	bool is_old;	    /* began before the fence that is out */
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
	f->is_old = false;
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
	struct feeder feeder;
	struct matrix now;
	struct in_flight flight;
	uint64_t fence; /* that is out; 0: none */
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
	feeder_forget(&s->feeder);
	s->flight.stage = 0;
	s->fence = 0;
}

static void write_apply(struct story *s, const struct bh_write *write, const struct matrix *allowed)
{
	struct rng *rng = &s->rw.rng;
	struct matrix got;

	simkernel_apply(s->kernel, write);
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
	plan_make(s->tables, &s->feeder, &s->rw, &plan);
	crash = plan.n && rng_below(&s->rw.rng, 8) == 0;
	n = crash ? rng_below(&s->rw.rng, (uint32_t)plan.n) : plan.n;
	for (size_t i = 0; i < n; i++)
		write_apply(s, &plan.v[i], &allowed);
	plan_done(&plan);
	if (!crash)
		return;
	kernel_matrix(s->kernel, &s->now);
	story_adopt(s);
	s->event = "and again after a crash";
	plan_apply(s, wanted);
}

/* What a fence lets go changes no verdict, and neither does what settles behind it. */
static void leftovers_apply(struct story *s, size_t most)
{
	struct plan plan = { 0 };
	struct matrix now;

	kernel_matrix(s->kernel, &now);
	assert_true(tables_sweep(s->tables, most, &plan) >= 0);
	assert_true(tables_update(s->tables, &plan, NULL) >= 0);
	for (size_t i = 0; i < plan.n; i++)
		write_apply(s, &plan.v[i], &now);
	plan_done(&plan);
}

static void fence_begin(struct story *s)
{
	s->fence = tables_fence(s->tables);
	s->flight.is_old = true;
}

static void fence_end(struct story *s)
{
	if (s->flight.is_old)
		s->flight.stage = 0;
	tables_fenced(s->tables, s->fence);
	s->fence = 0;
}

/* Fences take their time: updates go on between the two ends of one. */
static void fences_move(struct story *s)
{
	if (s->fence && rng_below(&s->rw.rng, 2)) {
		fence_end(s);
		leftovers_apply(s, rng_below(&s->rw.rng, 20));
	}
	if (!s->fence && tables_need_fence(s->tables) && rng_below(&s->rw.rng, 2))
		fence_begin(s);
}

/* When nothing waits any more the tables are no larger than those of a fresh start. */
static void story_quiet(struct story *s, const struct tables_usage *fresh)
{
	struct tables_usage usage;

	for (int i = 0; i < 20 && (s->fence || tables_need_fence(s->tables)); i++) {
		if (!s->fence)
			fence_begin(s);
		fence_end(s);
		leftovers_apply(s, 1000000);
	}
	assert_false(tables_need_fence(s->tables));
	tables_usage_get(s->tables, &usage);
	if (memcmp(&usage, fresh, sizeof(usage)) == 0 && usage.peers == s->kernel->n_peers &&
	    usage.prefixes == s->kernel->n_prefixes && usage.verdicts == s->kernel->n_verdicts)
		return;
	fail_msg("seed %llu, step %u, %s: subjects %zu/%zu classes %zu/%zu peers %zu/%zu prefixes %zu/%zu "
		 "verdicts %zu/%zu ports %zu/%zu (has/needs), kernel has %zu peers %zu prefixes %zu verdicts",
		 (unsigned long long)seed, s->step, s->event, usage.subjects, fresh->subjects, usage.classes,
		 fresh->classes, usage.peers, fresh->peers, usage.prefixes, fresh->prefixes, usage.verdicts,
		 fresh->verdicts, usage.ports, fresh->ports, s->kernel->n_peers, s->kernel->n_prefixes,
		 s->kernel->n_verdicts);
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
	struct tables_usage fresh;

	s->event = randworld_step(&s->rw);
	s->step++;
	endpoints_attach(&s->rw, s->kernel);
	if (rng_below(&s->rw.rng, 20) == 0)
		story_adopt(s);
	kernel_matrix(s->kernel, &s->now);
	before = s->now;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		revisions[slot] = s->kernel->endpoints[slot].revision;
	scratch_matrix(&s->rw, &wanted, &fresh);
	plan_apply(s, &wanted);
	kernel_matrix(s->kernel, &got);
	revisions_check(s, &before, &got, revisions);
	node_flag_check(s);
	if (!matrix_within("the update did not arrive", &wanted, &got))
		fail_msg("step %u, %s", s->step, s->event);
	world_check(&s->rw, s->tables, s->kernel, false);
	fences_move(s);
	if (rng_below(&s->rw.rng, 8) == 0)
		story_quiet(s, &fresh);
}

/* Nothing is left behind: an empty world's kernel is empty. */
static void story_end(struct story *s)
{
	const struct world nothing = { .posture.posture = POSTURE_STANDARD };
	const struct tables_usage empty = { .classes = 1 };
	struct plan plan = { 0 };

	s->event = "the end";
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		simkernel_release(s->kernel, slot);
	assert_true(feeder_update(&s->feeder, s->tables, &nothing, NULL, 0, &plan, NULL) >= 0);
	plan_write(&plan, s->kernel);
	plan_done(&plan);
	s->flight.stage = 0;
	story_quiet(s, &empty);
	feeder_done(&s->feeder);
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

/* --- many events, looked at now and then */

static void light_fences(struct story *s)
{
	struct plan plan = { 0 };

	if (s->fence && rng_below(&s->rw.rng, 3) == 0) {
		fence_end(s);
		assert_true(tables_sweep(s->tables, rng_below(&s->rw.rng, 20), &plan) >= 0);
		assert_true(tables_update(s->tables, &plan, NULL) >= 0);
		plan_write(&plan, s->kernel);
		plan_done(&plan);
	}
	if (!s->fence && tables_need_fence(s->tables))
		fence_begin(s);
}

static void light_step(struct story *s)
{
	struct plan plan = { 0 };

	s->event = randworld_step(&s->rw);
	s->step++;
	endpoints_attach(&s->rw, s->kernel);
	plan_make(s->tables, &s->feeder, &s->rw, &plan);
	plan_write(&plan, s->kernel);
	plan_done(&plan);
	light_fences(s);
}

/* Whatever has happened: every verdict is a fresh start's, and so is every size. */
static void thorough_look(struct story *s)
{
	struct matrix wanted, got;
	struct tables_usage fresh;

	scratch_matrix(&s->rw, &wanted, &fresh);
	kernel_matrix(s->kernel, &got);
	if (!matrix_within("the events did not arrive", &wanted, &got))
		fail_msg("step %u, %s", s->step, s->event);
	world_check(&s->rw, s->tables, s->kernel, false);
	story_quiet(s, &fresh);
}

/* BULKHEAD_EVENTS makes it longer. */
static void any_number_of_events_leaves_nothing_behind(void **state)
{
	const char *text = getenv("BULKHEAD_EVENTS");
	unsigned long n = text ? strtoul(text, NULL, 10) : 5000;
	struct story s = { .kernel = simkernel_new(), .tables = tables_new() };

	(void)state;
	randworld_init(&s.rw, seed * 31 + 7);
	while (s.step < n) {
		light_step(&s);
		if (rng_below(&s.rw.rng, 50) == 0)
			thorough_look(&s);
	}
	story_end(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_write_shows_the_old_or_the_new_policy),
		cmocka_unit_test(any_number_of_events_leaves_nothing_behind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	universe_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
