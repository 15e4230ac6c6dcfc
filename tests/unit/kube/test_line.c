// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "kube/line.h"
#include "kube/list_cut.h"

static int collect(char *text, size_t len, void *data, struct err *err)
{
	(void)err;
	assert_int_equal(strlen(text), len);
	text_addf(data, "<%s>", text);
	return 0;
}

static int stop_at_once(char *text, size_t len, void *data, struct err *err)
{
	(void)text, (void)len, (void)data;
	return err_set(err, ECANCELED, "enough");
}

static void lines_come_out_whole_wherever_the_stream_is_cut(void **state)
{
	static const char stream[] = "{\"a\":1}\n\n{\"b\":\"two\"}\r\nlast line\nnot ended";
	const size_t len = sizeof(stream) - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct text out = { 0 };
		struct line line = { .each = collect, .data = &out };
		struct err err;

		assert_int_equal(line_feed(&line, stream, cut, &err), 0);
		assert_int_equal(line_feed(&line, stream + cut, len - cut, &err), 0);
		assert_string_equal(out.data, "<{\"a\":1}><{\"b\":\"two\"}\r><last line>");
		assert_int_equal(line_reset(&line), 9);
		text_done(&out);
	}
}

static void a_nul_byte_is_an_error(void **state)
{
	struct text out = { 0 };
	struct line line = { .each = collect, .data = &out };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(line_feed(&line, "ab\0c\n", 5, &err), -EBADMSG);
	line_reset(&line);
	text_done(&out);
}

static void a_line_may_be_eight_megabytes_and_no_more(void **state)
{
	char *block = malloc(1 << 20);
	struct text out = { 0 };
	struct line line = { .each = collect, .data = &out };
	struct err err = { 0 };

	(void)state;
	memset(block, 'x', 1 << 20);
	for (int i = 0; i < 8; i++)
		assert_int_equal(line_feed(&line, block, 1 << 20, &err), 0);
	assert_int_equal(line_feed(&line, "y", 1, &err), -E2BIG);
	assert_int_equal(line_reset(&line), LINE_MAX_BYTES);
	for (int i = 0; i < 8; i++)
		assert_int_equal(line_feed(&line, block, 1 << 20, &err), 0);
	assert_int_equal(line_feed(&line, "\n", 1, &err), 0);
	assert_int_equal(out.len, LINE_MAX_BYTES + 2);
	text_done(&out);
	line_reset(&line);
	free(block);
}

static void what_the_reader_says_ends_the_stream(void **state)
{
	struct line line = { .each = stop_at_once };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(line_feed(&line, "a\nb\n", 4, &err), -ECANCELED);
	assert_string_equal(err.msg, "enough");
	line_reset(&line);
}

/* --- lists --- */

static const char good_list[] =
	" { \"kind\" : \"PodList\", \"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\", "
	"\"items\":[1],"
	"\"continue\":\"x/y\"},\n \"items\" : [ {\"a\":\"}]\\\"{\"} ,{\"b\":[{},[]]},\n{}] , \"more\": "
	"[{\"items\":[]}]}\n";

static int cut_all(const char *text, size_t at, struct text *out, struct list_page *page, struct err *err)
{
	struct list_cut cut = { .each = collect, .data = out };
	int r = list_cut_feed(&cut, text, at, err);

	if (r == 0)
		r = list_cut_feed(&cut, text + at, strlen(text) - at, err);
	if (r == 0)
		r = list_cut_end(&cut, "PodList", "v1", page, err);
	list_cut_reset(&cut);
	return r;
}

static void a_list_is_cut_into_its_items_wherever_the_body_is_cut(void **state)
{
	(void)state;
	for (size_t at = 0; at < sizeof(good_list); at++) {
		struct text out = { 0 };
		struct list_page page = { 0 };
		struct err err = { 0 };

		assert_int_equal(cut_all(good_list, at, &out, &page, &err), 0);
		assert_string_equal(out.data, "<{\"a\":\"}]\\\"{\"}><{\"b\":[{},[]]}><{}>");
		assert_string_equal(page.version, "7");
		assert_string_equal(page.continue_token, "x/y");
		list_page_done(&page);
		text_done(&out);
	}
}

static void a_list_that_ends_early_is_no_list(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(good_list) - 3; len++) {
		struct text out = { 0 };
		struct list_page page = { 0 };
		struct err err = { 0 };
		char *part = strndup(good_list, len);

		assert_true(cut_all(part, len, &out, &page, &err) < 0);
		assert_true(err.msg[0] != '\0');
		free(part);
		text_done(&out);
	}
}

static void assert_no_list(const char *text, const char *why)
{
	struct text out = { 0 };
	struct list_page page = { 0 };
	struct err err = { 0 };

	assert_int_equal(cut_all(text, 0, &out, &page, &err), -EBADMSG);
	if (!strstr(err.msg, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.msg, why);
	text_done(&out);
}

static void what_is_no_list_of_the_kind_is_refused_by_name(void **state)
{
	(void)state;
	assert_no_list("{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"rows\":[]}", "Table");
	assert_no_list("{\"kind\":\"PodList\",\"apiVersion\":\"v2\",\"metadata\":{\"resourceVersion\":\"1\"},"
		       "\"items\":[]}",
		       "apiVersion");
	assert_no_list("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}",
		       "resourceVersion");
	assert_no_list("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"\"},"
		       "\"items\":[]}",
		       "resourceVersion");
	assert_no_list("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":7},"
		       "\"items\":[]}",
		       "resourceVersion");
	assert_no_list(
		"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"}}",
		"items");
	assert_no_list("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"},"
		       "\"items\":{}}",
		       "items");
	assert_no_list("{\"items\":[null]}", "not an object");
	assert_no_list("{\"items\":[{}{}]}", "not an object");
	assert_no_list("{\"items\":[{},]}", "not an object");
	assert_no_list("{\"items\":[],\"items\":[]}", "twice");
	assert_no_list("<html>go away</html>", "");
	assert_no_list("", "");
}

static void null_items_are_an_empty_list(void **state)
{
	struct text out = { 0 };
	struct list_page page = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cut_all("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{"
				 "\"resourceVersion\":\"1\"},"
				 "\"items\":null}",
				 0, &out, &page, &err),
			 0);
	assert_null(out.data);
	list_page_done(&page);
}

static void a_frame_without_end_is_refused(void **state)
{
	struct list_cut cut = { .each = collect };
	char block[4096];
	struct err err = { 0 };
	int r = 0;

	(void)state;
	memset(block, ' ', sizeof(block));
	for (int i = 0; i < 1000 && r == 0; i++)
		r = list_cut_feed(&cut, block, sizeof(block), &err);
	assert_int_equal(r, -E2BIG);
	list_cut_reset(&cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_out_whole_wherever_the_stream_is_cut),
		cmocka_unit_test(a_nul_byte_is_an_error),
		cmocka_unit_test(a_line_may_be_eight_megabytes_and_no_more),
		cmocka_unit_test(what_the_reader_says_ends_the_stream),
		cmocka_unit_test(a_list_is_cut_into_its_items_wherever_the_body_is_cut),
		cmocka_unit_test(a_list_that_ends_early_is_no_list),
		cmocka_unit_test(what_is_no_list_of_the_kind_is_refused_by_name),
		cmocka_unit_test(null_items_are_an_empty_list),
		cmocka_unit_test(a_frame_without_end_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
