// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/build.h"
#include "policy/regions.h"

static struct matchers matchers;
static struct signatures signatures;
static struct regions regions;

static int start(void **state)
{
	(void)state;
	matchers_init(&matchers);
	regions = (struct regions){ 0 };
	return signatures_init(&signatures);
}

static int stop(void **state)
{
	(void)state;
	regions_done(&regions, &signatures);
	matchers_done(&matchers);
	assert_int_equal(signatures.pool.n, 1); /* every use was given back */
	signatures_done(&signatures);
	return 0;
}

static uint32_t block(const char *cidr, const char *except)
{
	struct peer peer = { .has_block = true, .block = a_prefix(cidr) };
	struct matcher *matcher;

	if (except)
		peer_add_except(&peer, except);
	matcher = matcher_of_peer(&matchers, "ns", &peer);
	peer_done(&peer);
	assert_non_null(matcher);
	matcher->active = true;
	return matcher->id;
}

static void sign(void)
{
	assert_int_equal(regions_add_blocks(&regions, &matchers), 0);
	assert_int_equal(regions_close(&regions, NULL, signatures.empty), 0);
	assert_int_equal(regions_sign(&regions, &matchers, &signatures), 0);
}

static bool has(const char *addr, uint32_t matcher)
{
	const struct bh_addr at = an_addr(addr);
	const struct signature *signature = regions.v[regions_find(&regions, &at)].signature;

	for (size_t i = 0; i < signature_n(signature); i++)
		if (ANSWER_MATCHER(signature_answers(signature)[i]) == matcher)
			return true;
	return false;
}

static void excepts_are_cut_out_and_inner_blocks_put_back(void **state)
{
	uint32_t outer, inner;

	(void)state;
	start(state);
	outer = block("10.0.0.0/8", "10.1.0.0/16");
	inner = block("10.1.2.0/24", NULL);
	sign();
	assert_true(has("10.0.0.1", outer));
	assert_false(has("10.1.0.1", outer));
	assert_false(has("10.1.2.1", outer));
	assert_true(has("10.1.2.1", inner));
	assert_false(has("10.1.3.1", inner));
	assert_true(has("10.2.0.0", outer));
	assert_false(has("11.0.0.0", outer));
	stop(state);
}

static void families_never_hold_each_other(void **state)
{
	uint32_t all6, all4;

	(void)state;
	start(state);
	all6 = block("::/0", NULL);
	sign();
	assert_true(has("2001:db8::1", all6));
	assert_false(has("192.0.2.1", all6));
	stop(state);
	start(state);
	all6 = block("::/0", NULL);
	all4 = block("0.0.0.0/0", "10.0.0.0/8");
	sign();
	assert_true(has("192.0.2.1", all4));
	assert_false(has("192.0.2.1", all6));
	assert_false(has("10.0.0.1", all4));
	assert_false(has("2001:db8::1", all4));
	assert_true(has("::1", all6));
	stop(state);
}

static void n_prefixes_make_at_most_n_and_two_regions(void **state)
{
	(void)state;
	start(state);
	block("10.0.0.0/8", "10.1.0.0/16");
	block("10.0.0.0/8", NULL);
	block("10.1.0.0/16", NULL);
	sign();
	assert_int_equal(regions.n, 3);
	stop(state);
}

static void count_own(const struct bh_addr *first, const struct bh_addr *last, void *data)
{
	char text[2][ADDR_TEXT_MAX];

	addr_format(first, text[0]);
	addr_format(last, text[1]);
	strcat(strcat(strcat(strcat(data, text[0]), "-"), text[1]), " ");
}

/* What is asked for in address order must miss and repeat nothing. */
static void a_region_owns_what_lies_between_its_inner_ones(void **state)
{
	const struct bh_addr at = an_addr("10.0.0.9"), other = an_addr("10.0.0.17");
	char own[256] = "", inner[256] = "";

	(void)state;
	start(state);
	block("10.0.0.0/24", "10.0.0.0/30");
	block("10.0.0.16/28", "10.0.0.20/32");
	block("10.0.0.255/32", NULL);
	sign();
	regions_each_own(&regions, regions_find(&regions, &at), count_own, own);
	assert_string_equal(own, "10.0.0.4-10.0.0.15 10.0.0.32-10.0.0.254 ");
	regions_each_own(&regions, regions_find(&regions, &other), count_own, inner);
	assert_string_equal(inner, "10.0.0.16-10.0.0.19 10.0.0.21-10.0.0.31 ");
	stop(state);
}

static void an_except_outside_its_block_cuts_out_nothing(void **state)
{
	uint32_t odd;

	(void)state;
	start(state);
	odd = block("10.1.0.0/16", "192.0.2.0/24");
	sign();
	assert_int_equal(regions.n, 2);
	assert_true(has("10.1.1.1", odd));
	stop(state);
	assert_true(block_is_empty(&(struct peer){
		.block = a_prefix("10.1.0.0/16"),
		.excepts = &(struct prefix){ .addr = an_addr("10.0.0.0"), .len = 104, .is_v4 = true },
		.n_excepts = 1,
	}));
}

static void equal_questions_are_one_matcher(void **state)
{
	struct peer one = { .pods = { .has = true } }, two = { .pods = { .has = true } };

	(void)state;
	start(state);
	selector_add(&one.pods, "app", SELECTOR_IN, "a,b");
	selector_add(&one.pods, "role", SELECTOR_EXISTS, "");
	selector_add(&two.pods, "role", SELECTOR_EXISTS, "");
	selector_add(&two.pods, "app", SELECTOR_IN, "b,a,b");
	selector_add(&two.pods, "app", SELECTOR_IN, "a,b");
	assert_ptr_equal(matcher_of_peer(&matchers, "ns", &one), matcher_of_peer(&matchers, "ns", &two));
	assert_ptr_not_equal(matcher_of_peer(&matchers, "ns", &one),
			     matcher_of_peer(&matchers, "other", &one));
	/* with a namespaceSelector the policy's namespace does not matter (R8) */
	one.namespaces.has = two.namespaces.has = true;
	assert_ptr_equal(matcher_of_peer(&matchers, "ns", &one), matcher_of_peer(&matchers, "other", &two));
	selector_done(&one.pods);
	selector_done(&two.pods);
	stop(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(excepts_are_cut_out_and_inner_blocks_put_back),
		cmocka_unit_test(families_never_hold_each_other),
		cmocka_unit_test(n_prefixes_make_at_most_n_and_two_regions),
		cmocka_unit_test(a_region_owns_what_lies_between_its_inner_ones),
		cmocka_unit_test(an_except_outside_its_block_cuts_out_nothing),
		cmocka_unit_test(equal_questions_are_one_matcher),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
