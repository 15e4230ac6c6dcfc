// SPDX-License-Identifier: Apache-2.0
/*
 * The compiler against everything else that knows what policies mean, over random
 * worlds. BULKHEAD_SEED repeats a run, BULKHEAD_ROUNDS makes it longer. Stories, of
 * one change after the other: test_story.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/universe.h"

/* A world, and what is compiled from it. */
struct rig {
	struct randworld rw;
	struct tables *tables;
	struct simkernel *kernel;
	struct feeder feeder;
	struct plan plan;
};

static void rig_init(struct rig *rig, uint64_t world_seed)
{
	*rig = (struct rig){ .tables = tables_new(), .kernel = simkernel_new() };
	randworld_init(&rig->rw, world_seed);
}

static void rig_update(struct rig *rig)
{
	endpoints_attach(&rig->rw, rig->kernel);
	plan_make(rig->tables, &rig->feeder, &rig->rw, &rig->plan);
	plan_write(&rig->plan, rig->kernel);
}

static void rig_done(struct rig *rig)
{
	plan_done(&rig->plan);
	feeder_done(&rig->feeder);
	tables_free(rig->tables);
	simkernel_free(rig->kernel);
	randworld_done(&rig->rw);
}

static void every_evaluator_agrees_on_random_worlds(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < rounds(300); i++) {
		struct rig rig;

		rig_init(&rig, seed + i * 7919u);
		rig_update(&rig);
		world_check(&rig.rw, rig.tables, rig.kernel, false);
		rig_done(&rig);
	}
}

static void rig_settle(struct rig *rig)
{
	while (tables_need_fence(rig->tables)) {
		tables_fenced(rig->tables, tables_fence(rig->tables));
		assert_int_equal(tables_sweep(rig->tables, 1000000, &rig->plan), 1);
		assert_true(tables_update(rig->tables, &rig->plan, NULL) >= 0);
		plan_write(&rig->plan, rig->kernel);
	}
}

/* And when there is room again, all is as if it had always been. */
static void few_peers_never_allow_more(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < rounds(100); i++) {
		size_t limit = i % 4;
		struct rig rig;

		rig_init(&rig, seed + i * 7919u);
		tables_limit_peers(rig.tables, limit);
		for (int step = 0; step < 6; step++) {
			bool peers_are_few = step < 5;

			if (!peers_are_few)
				tables_limit_peers(rig.tables, BH_PEERS_MAX);
			randworld_step(&rig.rw);
			rig_update(&rig);
			rig_settle(&rig);
			assert_true(!peers_are_few || rig.kernel->n_peers <= limit);
			world_check(&rig.rw, rig.tables, rig.kernel, peers_are_few);
		}
		rig_done(&rig);
	}
}

static void any_order_of_the_input_gives_the_same_plan(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < rounds(200); i++) {
		struct tables *one = tables_new(), *two = tables_new();
		struct feeder feeders[2] = { 0 };
		struct plan first = { 0 }, second = { 0 };
		struct randworld rw;

		randworld_init(&rw, seed + i * 104729u);
		plan_make(one, &feeders[0], &rw, &first);
		randworld_shuffle(&rw);
		plan_make(two, &feeders[1], &rw, &second);
		assert_int_equal(first.n, second.n);
		if (first.n)
			assert_memory_equal(first.v, second.v, first.n * sizeof(*first.v));
		plan_done(&first);
		plan_done(&second);
		feeder_done(&feeders[0]);
		feeder_done(&feeders[1]);
		tables_free(one);
		tables_free(two);
		randworld_done(&rw);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_evaluator_agrees_on_random_worlds),
		cmocka_unit_test(few_peers_never_allow_more),
		cmocka_unit_test(any_order_of_the_input_gives_the_same_plan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	universe_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
