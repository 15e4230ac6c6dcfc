// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/yaml.h"

#define auto_docs __attribute__((__cleanup__(yaml_docs_done)))

static int parse(const char *text, struct yaml_docs *ret, struct err *err)
{
	return yaml_parse("f.yaml", text, strlen(text), ret, err);
}

/* The first document as compact JSON. */
static void expect(const char *text, const char *json)
{
	auto_docs struct yaml_docs docs = { 0 };
	struct err err = { 0 };
	char *printed;

	if (parse(text, &docs, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(docs.n, 1);
	printed = cJSON_PrintUnformatted(docs.v[0].json);
	assert_string_equal(printed, json);
	cJSON_free(printed);
}

static void expect_error(const char *text, const char *message)
{
	struct yaml_docs docs = { 0 };
	struct err err = { 0 };

	if (parse(text, &docs, &err) != -EBADMSG)
		fail_msg("accepted: %s", text);
	assert_int_equal(docs.n, 0);
	if (!strstr(err.msg, message))
		fail_msg("\"%s\" does not contain \"%s\"", err.msg, message);
}

static void plain_scalars_follow_the_core_schema(void **state)
{
	(void)state;
	expect("[80, -1, 0x1F, 0o17, 1.5, 1e3, .5, +3]", "[80,-1,31,15,1.5,1000,0.5,3]");
	expect("[true, True, FALSE, null, ~, NULL]", "[true,true,false,null,null,null]");
	expect("a:", "{\"a\":null}");
	expect("[yes, no, on, off, y, 1_000, 10.0.0.1, 1.2.3, 2020-01-01, 0x, 0o8, -, .inf, 1e, tcp]",
	       "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"1_000\",\"10.0.0.1\",\"1.2.3\",\"2020-01-01\",\"0x\","
	       "\"0o8\",\"-\",\".inf\",\"1e\",\"tcp\"]");
}

static void quoted_scalars_stay_strings(void **state)
{
	(void)state;
	expect("['80', \"true\", 'null', \"\", !!str 80, ! 81]",
	       "[\"80\",\"true\",\"null\",\"\",\"80\",\"81\"]");
	expect("- |-\n 5\n- >-\n 6\n", "[\"5\",\"6\"]");
}

static void block_text_keeps_its_lines(void **state)
{
	(void)state;
	expect("rows: |\n  a b\n  c\nx: 1\n", "{\"rows\":\"a b\\nc\\n\",\"x\":1}");
}

static void json_is_yaml(void **state)
{
	(void)state;
	expect("{\"a\": [1, {\"b\": \"c\\/d\"}],\n\t\"e\": null}", "{\"a\":[1,{\"b\":\"c/d\"}],\"e\":null}");
}

static void documents_know_their_lines_and_empty_ones_are_left_out(void **state)
{
	auto_docs struct yaml_docs docs = { 0 };

	(void)state;
	assert_int_equal(parse("# first\n---\na: 1\n---\n# nothing\n---\n---\nb: 2\n", &docs, NULL), 0);
	assert_int_equal(docs.n, 2);
	assert_int_equal(docs.v[0].line, 2);
	assert_int_equal(docs.v[1].line, 7);
}

static void an_empty_stream_has_no_documents(void **state)
{
	auto_docs struct yaml_docs docs = { 0 };

	(void)state;
	assert_int_equal(parse("", &docs, NULL), 0);
	assert_int_equal(parse("# only words\n", &docs, NULL), 0);
	assert_int_equal(docs.n, 0);
}

static void aliases_are_expanded(void **state)
{
	(void)state;
	expect("a: &x {k: [1, 2]}\nb: *x\nc: [*x]",
	       "{\"a\":{\"k\":[1,2]},\"b\":{\"k\":[1,2]},\"c\":[{\"k\":[1,2]}]}");
}

static void an_alias_inside_its_own_anchor_is_refused(void **state)
{
	(void)state;
	expect_error("a: &x [*x]", "f.yaml:1: ");
}

static void anchors_end_with_their_document(void **state)
{
	(void)state;
	expect_error("a: &x 1\n---\nb: *x\n", "f.yaml:3: alias of an anchor that is not there");
}

static void billion_laughs_are_refused(void **state)
{
	char text[2048];
	size_t n = (size_t)sprintf(text, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol]\n");

	(void)state;
	for (int i = 1; i < 12; i++)
		n += (size_t)sprintf(text + n, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
				     i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	expect_error(text, "too many values");
}

static void long_strings_cannot_be_multiplied_either(void **state)
{
	static char text[600000];
	size_t n = (size_t)sprintf(text, "a: &a \"");

	(void)state;
	memset(text + n, 'x', 200000);
	n += 200000;
	n += (size_t)sprintf(text + n, "\"\nb: [");
	while (n < sizeof(text) - 10)
		n += (size_t)sprintf(text + n, "*a,");
	sprintf(text + n, "1]\n");
	expect_error(text, "too many values");
}

static void wrong_streams_name_file_and_line(void **state)
{
	(void)state;
	expect_error("a: 1\nb: 2\na: 3\n", "f.yaml:3: key \"a\" stands in line 1 already");
	expect_error("x:\n  - k: 1\n    k: 1\n", "f.yaml:3: key \"k\"");
	expect_error("1: x\n", "f.yaml:1: a key must be a string");
	expect_error("true: x\n", "a key must be a string");
	expect_error("? [a]\n: b\n", "a key must be a string");
	expect_error("a: 1\n b: 2\n", "f.yaml:2: ");
	expect_error("a: [1\n", "f.yaml:");
	expect_error("a: \"x\\0y\"\n", "f.yaml:1: NUL in a string");
	expect_error("a: !secret x\n", "f.yaml:1: tags");
	expect_error("a: !!int \"5\"\n", "tags");
	expect_error("a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml:3: merge keys");
	expect_error("a: \xff\n", "f.yaml:");
	expect_error("\tx: 1\n", "f.yaml:1: ");
}

static void deep_nesting_is_refused(void **state)
{
	char text[400];

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	expect_error(text, "nested too deeply");
}

static void a_path_is_found_by_line(void **state)
{
	static const char text[] = "a: 1\n"
				   "---\n"
				   "metadata:\n"
				   "  labels:\n"
				   "    app.kubernetes.io/name: web\n"
				   "spec:\n"
				   "  ingress:\n"
				   "  - from: []\n"
				   "  - ports:\n"
				   "    - port: 80\n"
				   "      protocol: TPC\n";
	size_t len = sizeof(text) - 1;

	(void)state;
	assert_int_equal(yaml_line_of(text, len, 2, "spec.ingress[1].ports[0].protocol"), 11);
	assert_int_equal(yaml_line_of(text, len, 2, "spec.ingress[1].ports[0].endPort"), 10);
	assert_int_equal(yaml_line_of(text, len, 2, "spec.ingress[7]"), 7);
	assert_int_equal(yaml_line_of(text, len, 2, "metadata.labels.app.kubernetes.io/name"), 5);
	assert_int_equal(yaml_line_of(text, len, 2, "nothing"), 2);
	assert_int_equal(yaml_line_of(text, len, 2, "spec[x"), 6);
	assert_int_equal(yaml_line_of(text, len, 9, "spec"), 9);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_follow_the_core_schema),
		cmocka_unit_test(quoted_scalars_stay_strings),
		cmocka_unit_test(block_text_keeps_its_lines),
		cmocka_unit_test(json_is_yaml),
		cmocka_unit_test(documents_know_their_lines_and_empty_ones_are_left_out),
		cmocka_unit_test(an_empty_stream_has_no_documents),
		cmocka_unit_test(aliases_are_expanded),
		cmocka_unit_test(an_alias_inside_its_own_anchor_is_refused),
		cmocka_unit_test(anchors_end_with_their_document),
		cmocka_unit_test(billion_laughs_are_refused),
		cmocka_unit_test(long_strings_cannot_be_multiplied_either),
		cmocka_unit_test(wrong_streams_name_file_and_line),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(a_path_is_found_by_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
