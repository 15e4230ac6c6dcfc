// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "lib/build.h"
#include "policy/selector.h"

static bool matches(struct selector selector, const char *labels)
{
	struct labels have = some_labels(labels);
	bool result = selector_matches(&selector, &have);

	labels_done(&have);
	selector_done(&selector);
	return result;
}

static struct selector one(const char *key, enum selector_op op, const char *values)
{
	struct selector selector = { 0 };

	selector_add(&selector, key, op, values);
	return selector;
}

static void labels_stay_sorted_and_unique(void **state)
{
	struct labels labels = { 0 };

	(void)state;
	assert_int_equal(labels_set(&labels, "b", "1"), 0);
	assert_int_equal(labels_set(&labels, "a", "2"), 0);
	assert_int_equal(labels_set(&labels, "c", "3"), 0);
	assert_int_equal(labels_set(&labels, "b", "4"), 0);
	assert_int_equal(labels.n, 3);
	assert_string_equal(labels.v[0].key, "a");
	assert_string_equal(labels_get(&labels, "b"), "4");
	assert_null(labels_get(&labels, "B"));
	assert_null(labels_get(&labels, ""));
	labels_done(&labels);
	assert_null(labels_get(&labels, "a"));
}

static void an_empty_selector_matches_everything_and_an_absent_one_nothing(void **state)
{
	(void)state;
	assert_true(matches(a_selector(""), "app=web"));
	assert_true(matches(a_selector(""), ""));
	assert_false(matches(a_selector(NULL), "app=web"));
}

static void an_invalid_selector_matches_nothing(void **state)
{
	struct selector selector = a_selector("");

	(void)state;
	selector.invalid = true;
	assert_false(matches(selector, "app=web"));
}

static void all_requirements_must_hold(void **state)
{
	(void)state;
	assert_true(matches(a_selector("app=web,tier=1"), "app=web,tier=1,x=y"));
	assert_false(matches(a_selector("app=web,tier=1"), "app=web,tier=2"));
	assert_false(matches(a_selector("app=web,tier=1"), "app=web"));
}

static void in_needs_the_key_and_one_of_the_values(void **state)
{
	(void)state;
	assert_true(matches(one("app", SELECTOR_IN, "db,web"), "app=web"));
	assert_false(matches(one("app", SELECTOR_IN, "db,web"), "app=we"));
	assert_false(matches(one("app", SELECTOR_IN, "db,web"), "role=web"));
}

static void the_negative_operators_match_without_the_key(void **state)
{
	(void)state;
	assert_true(matches(one("app", SELECTOR_NOT_IN, "db"), ""));
	assert_true(matches(one("app", SELECTOR_NOT_IN, "db"), "app=web"));
	assert_false(matches(one("app", SELECTOR_NOT_IN, "db"), "app=db"));
	assert_true(matches(one("app", SELECTOR_NOT_EXISTS, ""), "role=db"));
	assert_false(matches(one("app", SELECTOR_NOT_EXISTS, ""), "app="));
	assert_true(matches(one("app", SELECTOR_EXISTS, ""), "app="));
	assert_false(matches(one("app", SELECTOR_EXISTS, ""), ""));
}

static void a_peer_without_a_field_or_with_both_kinds_matches_nothing(void **state)
{
	struct peer none = { 0 }, pods = { .pods = { .has = true } };
	struct peer block = { .has_block = true };
	struct peer both = { .has_block = true, .namespaces = { .has = true } };

	(void)state;
	assert_true(peer_matches_nothing(&none));
	assert_false(peer_matches_nothing(&pods));
	assert_false(peer_matches_nothing(&block));
	assert_true(peer_matches_nothing(&both));
	pods.pods.invalid = true;
	assert_true(peer_matches_nothing(&pods));
}

static void a_thousand_expressions_are_all_read(void **state)
{
	struct selector selector = a_selector("");
	struct labels labels = some_labels("app=web");
	char key[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		selector_add(&selector, key, SELECTOR_NOT_EXISTS, "");
	}
	assert_true(selector_matches(&selector, &labels));
	labels_set(&labels, "k999", "");
	assert_false(selector_matches(&selector, &labels));
	assert_string_equal(selector_unmet(&selector, &labels)->key, "k999");
	labels_done(&labels);
	selector_done(&selector);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_stay_sorted_and_unique),
		cmocka_unit_test(an_empty_selector_matches_everything_and_an_absent_one_nothing),
		cmocka_unit_test(an_invalid_selector_matches_nothing),
		cmocka_unit_test(all_requirements_must_hold),
		cmocka_unit_test(in_needs_the_key_and_one_of_the_values),
		cmocka_unit_test(the_negative_operators_match_without_the_key),
		cmocka_unit_test(a_peer_without_a_field_or_with_both_kinds_matches_nothing),
		cmocka_unit_test(a_thousand_expressions_are_all_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
