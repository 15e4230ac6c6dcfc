// SPDX-License-Identifier: Apache-2.0
/*
 * Every allocation of the compiler and the evaluator fails once. The linker puts
 * the __wrap_ functions in place (Makefile).
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

#include "lib/feeder.h"
#include "lib/randworld.h"
#include "lib/simkernel.h"
#include "policy/explain.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
int __wrap_asprintf(char **ret, const char *fmt, ...);

static long until_failure = -1; /* allocations that still succeed; negative: all */

static bool fails_now(void)
{
	return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return fails_now() ? NULL : __real_reallocarray(old, n, size);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list args;
	int n;

	if (fails_now())
		return -1;
	va_start(args, fmt);
	n = vasprintf(ret, fmt, args);
	va_end(args);
	return n;
}

/* Only what the tables allocate counts and fails, not what the test does around them. */
static long kept_back = -1;

static void around(bool is_before)
{
	long here = until_failure;

	until_failure = is_before ? kept_back : -1;
	kept_back = is_before ? -1 : here;
}

/* One set of tables over a kernel of its own. */
struct machine {
	struct tables *tables;
	struct simkernel *kernel;
	struct feeder feeder;
	unsigned int n_stale;
};

static void node_init(struct machine *node)
{
	*node = (struct machine){ .tables = tables_new(),
				  .kernel = simkernel_new(),
				  .feeder.around = around };
}

static void node_done(struct machine *node)
{
	tables_free(node->tables);
	feeder_done(&node->feeder);
	simkernel_free(node->kernel);
}

static void node_attach(struct machine *node, const struct randworld *rw)
{
	for (uint32_t slot = 0; slot < 8; slot++) {
		const struct endpoint *endpoint = NULL;

		for (size_t i = 0; i < rw->n_endpoints; i++)
			if (rw->endpoints[i].slot == slot)
				endpoint = &rw->endpoints[i];
		if (node->kernel->endpoints[slot].ifindex &&
		    (!endpoint || endpoint->ifindex != node->kernel->endpoints[slot].ifindex))
			simkernel_release(node->kernel, slot);
		if (endpoint && !node->kernel->endpoints[slot].ifindex)
			simkernel_claim(node->kernel, slot, endpoint->ifindex);
	}
}

static void plan_apply(struct machine *node, struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		simkernel_apply(node->kernel, &plan->v[i]);
	plan_done(plan);
}

/* As the daemon does it: a change that was lost means to begin again. */
static void node_adopt(struct machine *node)
{
	const struct bh_snapshot snapshot = simkernel_snapshot(node->kernel);

	assert_int_equal(tables_adopt(node->tables, &snapshot, NULL), 0);
	feeder_forget(&node->feeder);
	node->n_stale++;
}

/* Fails the n-th allocation; true when the update came that far. */
static bool update_failing(struct machine *node, const struct randworld *rw, long n)
{
	struct plan plan = { 0 };
	bool failed;
	int r;

	kept_back = n;
	r = feeder_update(&node->feeder, node->tables, &rw->world, rw->endpoints, rw->n_endpoints, &plan,
			  NULL);
	failed = kept_back < 0;
	kept_back = -1;
	if (failed) {
		assert_true(r == -ENOMEM || r == -ESTALE);
		assert_int_equal(plan.n, 0);
		if (r == -ESTALE || tables_update(node->tables, &plan, NULL) == -ESTALE)
			node_adopt(node);
	} else {
		assert_true(r >= 0);
	}
	plan_apply(node, &plan);
	return failed;
}

/* What settles and what is erased behind fences meets the same failures. */
static void quiet_failing(struct machine *node, long n)
{
	for (int i = 0; i < 1000 && tables_need_fence(node->tables); i++) {
		struct plan plan = { 0 };
		uint64_t fence = tables_fence(node->tables);
		int r;

		tables_fenced(node->tables, fence);
		until_failure = n;
		r = tables_sweep(node->tables, 3, &plan);
		if (r >= 0)
			r = tables_update(node->tables, &plan, NULL);
		until_failure = -1;
		assert_true(r >= 0 || r == -ENOMEM);
		n += r < 0;
		plan_apply(node, &plan);
	}
	assert_false(tables_need_fence(node->tables));
}

static void tables_compare(const struct tables *a, const struct tables *b)
{
	for (uint32_t slot = 0; slot < 8; slot++) {
		for (size_t i = 0; i < 2 * rand_n_addrs * rand_n_ports; i++) {
			const struct rand_port *at = &rand_ports[i / 2 % rand_n_ports];
			enum bh_direction direction = (enum bh_direction)(i % 2);
			struct bh_addr peer;

			assert_int_equal(addr_parse(rand_addrs[i / 2 / rand_n_ports], &peer), 0);
			assert_int_equal(tables_verdict(a, slot, direction, &peer, at->proto, at->port),
					 tables_verdict(b, slot, direction, &peer, at->proto, at->port));
		}
	}
}

static void usage_compare(const struct tables *a, const struct tables *b)
{
	struct tables_usage one, two;

	tables_usage_get(a, &one);
	tables_usage_get(b, &two);
	assert_memory_equal(&one, &two, sizeof(one));
}

static void an_update_without_memory_changes_nothing_and_succeeds_later(void **state)
{
	struct machine node;
	struct randworld rw;

	(void)state;
	node_init(&node);
	randworld_init(&rw, 3);
	for (int step = 0; step < 25; step++) {
		struct machine fresh;
		long n = 0;

		randworld_step(&rw);
		node_attach(&node, &rw);
		node_init(&fresh);
		node_attach(&fresh, &rw);
		while (update_failing(&node, &rw, n))
			n++;
		assert_false(update_failing(&fresh, &rw, 100000000));
		tables_compare(node.tables, fresh.tables);
		quiet_failing(&node, 0);
		quiet_failing(&fresh, 0);
		tables_compare(node.tables, fresh.tables);
		usage_compare(node.tables, fresh.tables);
		node_done(&fresh);
	}
	assert_true(node.n_stale > 0);
	node_done(&node);
	randworld_done(&rw);
}

static void an_explanation_without_memory_is_an_error(void **state)
{
	struct randworld rw;

	(void)state;
	randworld_init(&rw, 3);
	for (int step = 0; step < 12; step++) {
		const struct explain_query query = { .from.pod = rw.world.pods[0],
						     .to.pod = rw.world.pods[1],
						     .proto = IPPROTO_TCP,
						     .port = 80 };
		struct explanation explanation;
		bool failed = true;

		for (long n = 0; failed; n++) {
			char *sentence = NULL;
			int r;

			until_failure = n;
			r = explain(&rw.world, &query, &explanation, NULL);
			if (r == 0)
				sentence = explanation_sentence(&rw.world, &query, &explanation);
			failed = until_failure < 0;
			until_failure = -1;
			assert_int_equal(failed, !sentence);
			if (r == 0)
				explanation_done(&explanation);
			else
				assert_int_equal(r, -ENOMEM);
			free(sentence);
		}
		randworld_step(&rw);
	}
	randworld_done(&rw);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_update_without_memory_changes_nothing_and_succeeds_later),
		cmocka_unit_test(an_explanation_without_memory_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
