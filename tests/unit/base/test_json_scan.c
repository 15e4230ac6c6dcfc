// SPDX-License-Identifier: Apache-2.0
/*
 * The skipping scanner beside json_parse(): what it takes, json_parse() takes. And
 * where an object ends, beside a count byte by byte. With JSON_SCAN_PORTABLE the same
 * for processors without the wide instructions (test_json_scan_portable.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_depth.h"
#include "base/json_scan.h"
#include "lib/mutate.h"

static const char *const whole[] = {
	"{}",
	"[]",
	"{\"a\":{}}",
	"[[],[[]],{}]",
	"{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}",
	"{ \"a\" : [ 1 , 2 ] ,\n\t\"b\" :\r\n{ } }  ",
	"[0,-0,1,-1,10,1.5,-1.5e3,1E+9,1e-9,0.000001]",
	"[\"\",\"a\",\"fifteen bytes !\",\"sixteen bytes !!\",\"seventeen bytes !\",\"more than thirty-two "
	"bytes of text\"]",
	"[\"\\\"\",\"\\\\\",\"\\/\\b\\f\\n\\r\\t\",\"\\u00e9\\u20AC\",\"\\ud83d\\ude00\",\"\\\\\\\"\"]",
	"[\"\xc3\xa9\",\"\xff\xfe is no UTF-8, and nobody here minds\"]",
	"{\"k:{\\\"name\\\":\\\"server\\\"}\":{\".\":{},\"f:args\":{}},\"time\":\"2026-01-01T00:00:00Z\"}",
};

static const char *const broken[] = {
	"",
	" ",
	"{",
	"[",
	"}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"{\"a\" 1}",
	"{\"a\":1 \"b\":2}",
	"{a:1}",
	"{1:1}",
	"{\"a\":1]",
	"[1,]",
	"[,1]",
	"[1 2]",
	"[1}",
	"[}",
	"[\"a\":1]",
	"{\"a\":\"b\":\"c\"}",
	"{}{}",
	"{} x",
	"[tru]",
	"[truex]",
	"[nul]",
	"[True]",
	"[01]",
	"[1.]",
	"[.5]",
	"[1e]",
	"[+1]",
	"[-]",
	"[0x10]",
	"[1..2]",
	"[NaN]",
	"[\"a]",
	"[\"a\\\"]",
	"[\"\\x\"]",
	"[\"\\u12\"]",
	"[\"\\u12g4\"]",
	"[\"\\ud83d\"]",
	"[\"\\ude00\"]",
	"[\"\\ud83d\\u0041\"]",
	"[\"a\nb\"]",
	"[\"a\tb\"]",
	"['a']",
	"[1]/* */",
};

/* The text of the test with what must stand behind it. */
static bool scan_takes(const char *text, size_t len)
{
	char *padded = calloc(1, len + JSON_SCAN_PAD);
	struct json_scan scan = json_scan_of(padded, len);
	bool takes;

	memcpy(padded, text, len);
	json_scan_skip(&scan);
	takes = json_scan_done(&scan);
	free(padded);
	return takes;
}

static int parse(const char *text, size_t len, struct err *err)
{
	cJSON *json = NULL;
	int r = json_parse(text, len, &json, err);

	cJSON_Delete(json);
	return r;
}

static void what_is_whole_is_skipped_and_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		struct err err = { 0 };

		if (parse(whole[i], strlen(whole[i]), &err) < 0)
			fail_msg("%s: %s", whole[i], err.msg);
		if (!scan_takes(whole[i], strlen(whole[i])))
			fail_msg("%s", whole[i]);
	}
}

static void what_is_broken_is_neither(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		if (parse(broken[i], strlen(broken[i]), NULL) == 0)
			fail_msg("parsed: %s", broken[i]);
		if (scan_takes(broken[i], strlen(broken[i])))
			fail_msg("skipped: %s", broken[i]);
	}
}

static void a_cut_text_is_refused_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		for (size_t len = 0; whole[i][len] && whole[i][len] != ' '; len++)
			if (scan_takes(whole[i], len) && parse(whole[i], len, NULL) < 0)
				fail_msg("%.*s", (int)len, whole[i]);
}

static void a_nul_byte_is_refused(void **state)
{
	(void)state;
	assert_false(scan_takes("[1,\0002]", 6));
	assert_false(scan_takes("[\"a\0b\"]", 7));
	assert_false(scan_takes("[1]\0", 4));
}

static void depth_has_a_limit(void **state)
{
	char text[2048];

	(void)state;
	for (size_t depth = 1; depth < 1000; depth += 3) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		if (scan_takes(text, 2 * depth))
			assert_int_equal(parse(text, 2 * depth, NULL), 0);
		else
			assert_in_range(depth, 90, 1000);
	}
}

static void keys_that_stand_twice_are_nothing_to_who_skips(void **state)
{
	static const char text[] = "{\"a\":1,\"a\":2}";

	(void)state;
	assert_true(scan_takes(text, sizeof(text) - 1));
	assert_true(parse(text, sizeof(text) - 1, NULL) < 0);
}

static void mutations_are_taken_only_if_json_parse_takes_them(void **state)
{
	size_t taken = 0, refused = 0;
	struct mutate mutate;

	(void)state;
	mutate_begin(&mutate);
	for (size_t round = 0; round < mutate_rounds(60000); round++) {
		const char *seed = whole[mutate_below(&mutate, sizeof(whole) / sizeof(whole[0]))];
		struct text text = { 0 };
		struct err err = { 0 };

		text_add(&text, seed, strlen(seed));
		mutate_text(&mutate, &text);
		if (scan_takes(text.data, text.len)) {
			taken++;
			if (parse(text.data, text.len, &err) < 0 && !strstr(err.msg, "stands twice") &&
			    !strstr(err.msg, "NUL in a string"))
				fail_msg("skipped, but %s: %s", err.msg, text.data);
		} else {
			refused++;
		}
		text_done(&text);
	}
	assert_true(taken > 100);
	assert_true(refused > 100);
}

/* --- reading --- */

static struct json_scan scan_text(char *padded, const char *text)
{
	memset(padded, 0, 256);
	memcpy(padded, text, strlen(text));
	return json_scan_of(padded, strlen(text));
}

static void members_are_handed_out_in_order(void **state)
{
	char padded[256], seen[64] = "";
	struct json_scan scan =
		scan_text(padded, "{\"a\":\"x\", \"skip\":{\"z\":[1,{}]}, \"n\":7 ,\"t\":true}");
	struct json_word key, word;
	bool first = true, flag = false;
	uint32_t number = 0;

	(void)state;
	assert_true(json_scan_object(&scan));
	while (json_scan_member(&scan, &first, &key)) {
		strncat(seen, key.text, key.len);
		if (json_word_is(&key, "a"))
			assert_true(json_scan_word(&scan, &word) && json_word_is(&word, "x"));
		else if (json_word_is(&key, "n"))
			assert_true(json_scan_number(&scan, 10, &number));
		else if (json_word_is(&key, "t"))
			assert_true(json_scan_bool(&scan, &flag));
		else
			assert_true(json_scan_skip(&scan));
	}
	assert_true(json_scan_done(&scan));
	assert_string_equal(seen, "askipnt");
	assert_int_equal(number, 7);
	assert_true(flag);
}

static void what_is_unusual_fails(void **state)
{
	static const struct {
		const char *text;
		char what;
	} rows[] = {
		{ "\"a\\nb\"", 'w' }, { "1", 'w' },	      { "null", 'w' },	   { "\"a", 'w' },
		{ "11", 'n' },	      { "-1", 'n' },	      { "1.0", 'n' },	   { "1e0", 'n' },
		{ "01", 'n' },	      { "\"1\"", 'n' },	      { "", 'n' },	   { "null", 'b' },
		{ "1", 'b' },	      { "tru", 'b' },	      { "\"true\"", 'b' }, { "[]", 'o' },
		{ "{}", 'a' },	      { "99999999999", 'n' }, { "null", 'o' },	   { "null", 'a' },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char padded[256];
		struct json_scan scan = scan_text(padded, rows[i].text);
		struct json_word word;
		uint32_t number;
		bool flag, good = false;

		switch (rows[i].what) {
		case 'w':
			good = json_scan_word(&scan, &word);
			break;
		case 'n':
			good = json_scan_number(&scan, 10, &number);
			break;
		case 'b':
			good = json_scan_bool(&scan, &flag);
			break;
		case 'o':
			good = json_scan_object(&scan);
			break;
		case 'a':
			good = json_scan_array(&scan);
			break;
		}
		if (good || !scan.failed || json_scan_skip(&scan) || json_scan_done(&scan))
			fail_msg("%s as %c", rows[i].text, rows[i].what);
	}
}

static void lists_must_be_well_formed(void **state)
{
	static const char *const lists[] = { "[1,]", "[,1]", "[1 2]", "[1", "[1,", "[1}", "[1]x" };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char padded[256];
		struct json_scan scan = scan_text(padded, lists[i]);
		bool first = true;
		uint32_t number;

		assert_true(json_scan_array(&scan));
		while (json_scan_item(&scan, &first))
			json_scan_number(&scan, 10, &number);
		if (json_scan_done(&scan))
			fail_msg("%s", lists[i]);
	}
}

/* --- where an object ends --- */

/* Byte by byte, as simply as it can be said. */
static size_t end_of(const char *text, size_t len)
{
	bool in_string = false, escaped = false;
	unsigned int open = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (escaped)
			escaped = false;
		else if (c == '\\')
			escaped = true;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && strchr("{[", c))
			open++;
		else if (!in_string && strchr("}]", c) && --open == 0)
			return i + 1;
	}
	return len;
}

static size_t run_in_two(const char *text, size_t len, size_t cut, unsigned int *ret_open)
{
	struct json_depth depth = { .open = 1 };
	size_t n = 1 + json_depth_run(&depth, text + 1, cut - 1);

	if (depth.open)
		n += json_depth_run(&depth, text + n, len - n);
	*ret_open = depth.open;
	return n;
}

static void assert_ends_where_it_ends(const char *text, size_t len)
{
	size_t want = end_of(text, len);
	unsigned int open;

	for (size_t cut = 1; cut <= len; cut++)
		if (run_in_two(text, len, cut, &open) != want)
			fail_msg("cut at %zu of %zu: %s", cut, len, text);
}

static void objects_end_where_they_end_wherever_they_are_cut(void **state)
{
	struct mutate mutate;

	(void)state;
	mutate_begin(&mutate);
	for (size_t round = 0; round < mutate_rounds(1500); round++) {
		struct text text = { 0 };

		text_addf(&text, "{");
		for (size_t n = mutate_below(&mutate, 12); n-- > 0;) {
			text_addf(&text, "%s\"k\\\\\\\"{%zu\":", text.len > 1 ? "," : "", n);
			text_addf(&text, "%s",
				  whole[mutate_below(&mutate, sizeof(whole) / sizeof(whole[0]))]);
		}
		text_addf(&text, "}, {\"next\":1}");
		assert_ends_where_it_ends(text.data, text.len);
		mutate_text(&mutate, &text);
		if (text.len && text.data[0] == '{' && strlen(text.data) == text.len)
			assert_ends_where_it_ends(text.data, text.len);
		text_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_whole_is_skipped_and_parsed),
		cmocka_unit_test(what_is_broken_is_neither),
		cmocka_unit_test(a_cut_text_is_refused_at_every_byte),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(keys_that_stand_twice_are_nothing_to_who_skips),
		cmocka_unit_test(mutations_are_taken_only_if_json_parse_takes_them),
		cmocka_unit_test(members_are_handed_out_in_order),
		cmocka_unit_test(what_is_unusual_fails),
		cmocka_unit_test(lists_must_be_well_formed),
		cmocka_unit_test(objects_end_where_they_end_wherever_they_are_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
