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

#include "lib/randworld.h"
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

/* Fails the n-th allocation; true when the update came that far. */
static bool update_failing(struct tables *tables, const struct randworld *rw, long n)
{
	struct plan plan = { 0 };
	bool failed;
	int r;

	until_failure = n;
	r = tables_update(tables, &rw->world, rw->endpoints, rw->n_endpoints, &plan, NULL);
	failed = until_failure < 0;
	until_failure = -1;
	if (failed) {
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(plan.n, 0);
	} else {
		assert_true(r >= 0);
		tables_commit(tables);
	}
	plan_done(&plan);
	return failed;
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

static void an_update_without_memory_changes_nothing_and_succeeds_later(void **state)
{
	struct tables *tables = tables_new();
	struct randworld rw;

	(void)state;
	randworld_init(&rw, 3);
	for (int step = 0; step < 12; step++) {
		struct tables *fresh = tables_new();
		long n = 0;

		randworld_step(&rw);
		while (update_failing(tables, &rw, n))
			n++;
		assert_true(n > 10);
		assert_false(update_failing(fresh, &rw, 1000000));
		tables_compare(tables, fresh);
		tables_free(fresh);
	}
	tables_free(tables);
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
