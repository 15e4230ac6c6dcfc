// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>

#include "policy/pool.h"

static uint32_t id_of(struct pool *pool, const char *key, size_t len)
{
	const struct pool_entry *entry = pool_get(pool, key, len, NULL);

	assert_non_null(entry);
	return entry->id;
}

static void equal_bytes_give_the_same_entry(void **state)
{
	struct pool pool;

	(void)state;
	pool_init(&pool, sizeof(struct pool_entry), NULL);
	assert_int_equal(id_of(&pool, "ab", 2), 1);
	assert_int_equal(id_of(&pool, "a", 1), 2);
	assert_int_equal(id_of(&pool, "", 0), 3);
	assert_int_equal(id_of(&pool, "a\0b", 3), 4);
	assert_int_equal(id_of(&pool, "ab", 2), 1);
	assert_int_equal(id_of(&pool, NULL, 0), 3);
	assert_null(pool_find(&pool, "abc", 3));
	assert_int_equal(pool.n, 4);
	pool_done(&pool);
}

static void numbers_follow_first_use_and_survive_growth(void **state)
{
	struct pool pool;

	(void)state;
	pool_init(&pool, sizeof(struct pool_entry), NULL);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(pool_get(&pool, &i, sizeof(i), NULL)->id, i + 1);
	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(pool_find(&pool, &i, sizeof(i))->id, i + 1);
		assert_ptr_equal(pool.v[i], pool_find(&pool, &i, sizeof(i)));
	}
	pool_done(&pool);
}

static unsigned int n_freed;

static void count_freed(struct pool_entry *entry)
{
	(void)entry;
	n_freed++;
}

static void a_removal_reuses_no_number(void **state)
{
	struct pool pool;
	bool is_new;

	(void)state;
	n_freed = 0;
	pool_init(&pool, sizeof(struct pool_entry), count_freed);
	id_of(&pool, "a", 1);
	id_of(&pool, "b", 1);
	id_of(&pool, "c", 1);
	pool_remove(&pool, pool_find(&pool, "a", 1));
	pool_remove(&pool, pool_find(&pool, "c", 1));
	assert_int_equal(n_freed, 2);
	assert_int_equal(pool.n, 1);
	assert_int_equal(id_of(&pool, "b", 1), 2);
	assert_null(pool_find(&pool, "a", 1));
	assert_int_equal(pool_get(&pool, "a", 1, &is_new)->id, 4);
	assert_true(is_new);
	for (size_t i = 0; i < pool.n; i++)
		assert_int_equal(pool.v[i]->at, i);
	pool_remove(&pool, pool_find(&pool, "b", 1));
	pool_remove(&pool, pool_find(&pool, "a", 1));
	assert_int_equal(pool.n, 0);
	assert_int_equal(n_freed, 4);
	pool_done(&pool);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_bytes_give_the_same_entry),
		cmocka_unit_test(numbers_follow_first_use_and_survive_growth),
		cmocka_unit_test(a_removal_reuses_no_number),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
