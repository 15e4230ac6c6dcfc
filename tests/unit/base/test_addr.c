// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

static struct bh_addr addr_of(const char *text)
{
	struct bh_addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct prefix prefix_from(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static void addresses_survive_a_round_trip(void **state)
{
	static const char *const texts[] = { "10.0.0.1", "0.0.0.0",	"255.255.255.255", "::",
					     "::1",	 "2001:db8::1", "fe80::1" };
	char out[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct bh_addr addr = addr_of(texts[i]);

		addr_format(&addr, out);
		assert_string_equal(out, texts[i]);
	}
}

static void lax_addresses_are_refused(void **state)
{
	static const char *const texts[] = { "",	  "10.0.0",	"10.0.0.256",	"010.0.0.1",
					     " 10.0.0.1", "10.0.0.1 ",	"fe80::1%eth0", "::ffff:10.0.0.1",
					     "1::2::3",	  "0x0a.0.0.1", "10.0.0.1/8" };
	struct bh_addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(addr_parse(texts[i], &addr), -EINVAL);
}

static void ipv4_travels_v4_mapped(void **state)
{
	struct bh_addr v4 = addr_of("10.1.2.3"), v6 = addr_of("2001:db8::1"), zero = addr_of("::");
	const unsigned char four[] = { 10, 1, 2, 3 };
	struct bh_addr made = addr_from_v4(four);

	(void)state;
	assert_true(addr_is_v4(&v4));
	assert_false(addr_is_v4(&v6));
	assert_true(addr_is_zero(&zero));
	assert_false(addr_is_zero(&v4));
	assert_true(addr_equal(&v4, &made));
	assert_int_equal(v4.b[10], 0xff);
	assert_int_equal(v4.b[12], 10);
	assert_true(addr_compare(&v4, &v6) < 0);
}

static void host_bits_are_masked(void **state)
{
	struct prefix prefix = prefix_from("10.200.99.1/12");
	char out[ADDR_TEXT_MAX];

	(void)state;
	prefix_format(&prefix, out);
	assert_string_equal(out, "10.192.0.0/12");
	assert_int_equal(prefix.len, 108);
	prefix = prefix_from("2001:db8:ffff::1/33");
	prefix_format(&prefix, out);
	assert_string_equal(out, "2001:db8:8000::/33");
	prefix = prefix_from("10.0.0.1/32");
	prefix_format(&prefix, out);
	assert_string_equal(out, "10.0.0.1/32");
}

static void lax_prefixes_are_refused(void **state)
{
	static const char *const texts[] = { "10.0.0.1",
					     "10.0.0.0/33",
					     "::/129",
					     "10.0.0.0/-1",
					     "10.0.0.0/8/8",
					     "10.0.0.0/",
					     "/8",
					     "10.0.0.0/8 ",
					     "::ffff:10.0.0.0/100",
					     "10.0.0.0/+8",
					     "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/0000000000000000128" };
	struct prefix prefix;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(prefix_parse(texts[i], &prefix), -EINVAL);
}

static void families_never_contain_each_other(void **state)
{
	struct prefix all4 = prefix_from("0.0.0.0/0"), all6 = prefix_from("::/0");
	struct bh_addr v4 = addr_of("10.1.2.3"), v6 = addr_of("2001:db8::1");

	(void)state;
	assert_true(prefix_contains(&all4, &v4));
	assert_true(prefix_contains(&all6, &v6));
	assert_false(prefix_contains(&all4, &v6));
	assert_false(prefix_contains(&all6, &v4));
	assert_false(prefix_covers(&all6, &all4));
	assert_false(prefix_covers(&all4, &all6));
}

static void a_prefix_covers_itself_and_what_lies_inside(void **state)
{
	struct prefix wide = prefix_from("10.0.0.0/8"), narrow = prefix_from("10.255.255.0/24");
	struct bh_addr first = addr_of("10.0.0.0"), last = addr_of("10.255.255.255"),
		       after = addr_of("11.0.0.0");

	(void)state;
	assert_true(prefix_covers(&wide, &wide));
	assert_true(prefix_covers(&wide, &narrow));
	assert_false(prefix_covers(&narrow, &wide));
	assert_true(prefix_contains(&wide, &first));
	assert_true(prefix_contains(&wide, &last));
	assert_false(prefix_contains(&wide, &after));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_survive_a_round_trip),
		cmocka_unit_test(lax_addresses_are_refused),
		cmocka_unit_test(ipv4_travels_v4_mapped),
		cmocka_unit_test(host_bits_are_masked),
		cmocka_unit_test(lax_prefixes_are_refused),
		cmocka_unit_test(families_never_contain_each_other),
		cmocka_unit_test(a_prefix_covers_itself_and_what_lies_inside),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
