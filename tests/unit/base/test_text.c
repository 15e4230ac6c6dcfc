// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *escaped(const char *in)
{
	static char out[256];

	text_escape(in, out, sizeof(out));
	return out;
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
	struct text text = { 0 };
	char *taken;

	(void)state;
	for (int i = 0; i < 1000; i++)
		text_addf(&text, "%d,", i);
	assert_int_equal(text.len, 3890);
	assert_int_equal(strlen(text.data), text.len);
	taken = text_take(&text);
	assert_non_null(taken);
	assert_null(text.data);
	assert_memory_equal(taken, "0,1,2,", 6);
	free(taken);
}

static void an_empty_buffer_gives_an_empty_string(void **state)
{
	struct text text = { 0 };
	char *taken = text_take(&text);

	(void)state;
	assert_string_equal(taken, "");
	free(taken);
}

static void a_failed_buffer_gives_nothing(void **state)
{
	struct text text = { 0 };

	(void)state;
	text_addf(&text, "some");
	text.failed = true;
	text_addf(&text, "more");
	assert_int_equal(text.len, 4);
	assert_null(text_take(&text));
	assert_null(text.data);
}

static void what_steers_a_terminal_is_escaped(void **state)
{
	(void)state;
	assert_string_equal(escaped("a\x1b[2Jb\n\r\t\x7f"), "a\\x1b[2Jb\\x0a\\x0d\\x09\\x7f");
	assert_string_equal(escaped("\xc2\x9b"), "\\xc2\\x9b");		 /* C1 */
	assert_string_equal(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae"); /* right-to-left override */
	assert_string_equal(escaped("\xff\xc3"), "\\xff\\xc3");		 /* no UTF-8 */
	assert_string_equal(escaped("\xc0\x80"), "\\xc0\\x80");		 /* overlong */
	assert_string_equal(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* surrogate */
}

static void ordinary_text_passes(void **state)
{
	(void)state;
	assert_string_equal(escaped("shop/web-1 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
			    "shop/web-1 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

static void a_small_output_is_cut_between_characters(void **state)
{
	char out[6];

	(void)state;
	text_escape("ab\ncd", out, sizeof(out));
	assert_string_equal(out, "ab");
	text_escape("abcdefgh", out, sizeof(out));
	assert_string_equal(out, "abcde");
	text_escape("abc\xe2\x82\xac", out, sizeof(out));
	assert_string_equal(out, "abc");
}

static void numbers_are_whole_strings_in_range(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1a", "a" };
	unsigned long value;

	(void)state;
	assert_int_equal(text_to_ulong("65535", 1, 65535, &value), 0);
	assert_int_equal(value, 65535);
	assert_int_equal(text_to_ulong("007", 0, 9, &value), 0);
	assert_int_equal(value, 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(text_to_ulong(bad[i], 0, 100, &value), -EINVAL);
	assert_int_equal(text_to_ulong("0", 1, 9, &value), -ERANGE);
	assert_int_equal(text_to_ulong("10", 1, 9, &value), -ERANGE);
	assert_int_equal(text_to_ulong("99999999999999999999999", 0, 9, &value), -ERANGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_and_stays_terminated),
		cmocka_unit_test(an_empty_buffer_gives_an_empty_string),
		cmocka_unit_test(a_failed_buffer_gives_nothing),
		cmocka_unit_test(what_steers_a_terminal_is_escaped),
		cmocka_unit_test(ordinary_text_passes),
		cmocka_unit_test(a_small_output_is_cut_between_characters),
		cmocka_unit_test(numbers_are_whole_strings_in_range),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
