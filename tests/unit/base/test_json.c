// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"

static int parse(const char *text, cJSON **ret, struct err *err)
{
	return json_parse(text, strlen(text), ret, err);
}

static void one_text_is_parsed(void **state)
{
	auto_json cJSON *json = NULL;
	const char *name;

	(void)state;
	assert_int_equal(parse(" {\"name\": \"web\", \"n\": -1.5e2} \n", &json, NULL), 0);
	assert_int_equal(json_get_string(json, "name", &name, NULL), 0);
	assert_string_equal(name, "web");
}

static void a_text_needs_no_terminator(void **state)
{
	static const char text[] = { '[', '1', ']', '2' };
	auto_json cJSON *json = NULL;

	(void)state;
	assert_int_equal(json_parse(text, 3, &json, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json), 1);
}

static void lax_texts_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{\"a\":1}}",
		"{} x",
		"[1,]",
		"{\"a\":1,}",
		"[01]",
		"[1.]",
		"[.5]",
		"[+1]",
		"[1e]",
		"[0x10]",
		"[1.2.3]",
		"[nan]",
		"[nulll]",
		"'a'",
		"[\"\\u0000\"]",
		"[\"a\nb\"]",
		"[\"open]",
		"{\"a\":1,\"a\":2}",
		"[{\"b\":{\"a\":1,\"c\":0,\"a\":1}}]",
		"{a:1}",
		"[1 2]",
		"// c\n1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cJSON *json = NULL;
		struct err err = { 0 };

		if (parse(bad[i], &json, &err) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_null(json);
		assert_string_not_equal(err.msg, "");
	}
}

static void a_mistake_is_told_by_line_and_column(void **state)
{
	struct err err = { 0 };
	cJSON *json = NULL;

	(void)state;
	assert_int_equal(parse("{\n \"a\": 01\n}", &json, &err), -EBADMSG);
	assert_string_equal(err.msg, "line 2 column 8: not a number");
}

static void keys_that_differ_in_case_are_two_keys(void **state)
{
	auto_json cJSON *json = NULL;

	(void)state;
	assert_int_equal(parse("{\"Name\":1,\"name\":2}", &json, NULL), 0);
	assert_int_equal(json_get(json, "name")->valueint, 2);
	assert_null(json_get(json, "NAME"));
}

static void deep_nesting_is_refused(void **state)
{
	char text[4096];
	cJSON *json = NULL;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(json_parse(text, sizeof(text), &json, NULL), -EBADMSG);
}

static void null_counts_as_absent(void **state)
{
	auto_json cJSON *json = NULL;
	const char *text = "";
	int64_t n = 7;
	bool flag = true;

	(void)state;
	assert_int_equal(parse("{\"a\":null}", &json, NULL), 0);
	assert_null(json_get(json, "a"));
	assert_null(json_get(json, "b"));
	assert_null(json_get(NULL, "b"));
	assert_int_equal(json_get_string(json, "a", &text, NULL), 0);
	assert_null(text);
	assert_int_equal(json_get_int(json, "a", 0, 9, &n, NULL), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_get_bool(json, "a", &flag, NULL), 0);
	assert_true(flag);
}

static void numbers_are_whole_and_in_range(void **state)
{
	auto_json cJSON *json = NULL;
	struct err err = { 0 };
	int64_t n = 0;

	(void)state;
	assert_int_equal(
		parse("{\"ok\":65535,\"half\":1.5,\"big\":65536,\"huge\":1e300,\"odd\":9007199254740993,"
		      "\"text\":\"1\",\"e\":1e3}",
		      &json, NULL),
		0);
	assert_int_equal(json_get_int(json, "ok", 1, 65535, &n, NULL), 1);
	assert_int_equal(n, 65535);
	assert_int_equal(json_get_int(json, "e", 1, 65535, &n, NULL), 1);
	assert_int_equal(n, 1000);
	assert_int_equal(json_get_int(json, "half", 1, 65535, &n, NULL), -ERANGE);
	assert_int_equal(json_get_int(json, "big", 1, 65535, &n, &err), -ERANGE);
	assert_non_null(strstr(err.msg, "big: must be a whole number from 1 to 65535"));
	assert_int_equal(json_get_int(json, "huge", INT64_MIN, INT64_MAX, &n, NULL), -ERANGE);
	assert_int_equal(json_get_int(json, "text", 1, 65535, &n, NULL), -EINVAL);
	assert_int_equal(n, 1000);
}

static void wrong_types_name_the_key(void **state)
{
	auto_json cJSON *json = NULL;
	struct err err = { 0 };
	const char *text;
	bool flag;

	(void)state;
	assert_int_equal(parse("{\"a\":1}", &json, NULL), 0);
	assert_int_equal(json_get_string(json, "a", &text, &err), -EINVAL);
	assert_string_equal(err.msg, "a: must be a string");
	assert_int_equal(json_get_bool(json, "a", &flag, &err), -EINVAL);
	assert_string_equal(err.msg, "a: must be true or false");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_text_is_parsed),
		cmocka_unit_test(a_text_needs_no_terminator),
		cmocka_unit_test(lax_texts_are_refused),
		cmocka_unit_test(a_mistake_is_told_by_line_and_column),
		cmocka_unit_test(keys_that_differ_in_case_are_two_keys),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(null_counts_as_absent),
		cmocka_unit_test(numbers_are_whole_and_in_range),
		cmocka_unit_test(wrong_types_name_the_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
