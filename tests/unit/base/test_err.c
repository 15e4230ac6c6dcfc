// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void an_error_carries_code_and_text(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, EINVAL, "port %d", 70000), -EINVAL);
	assert_int_equal(err.code, EINVAL);
	assert_string_equal(err.msg, "port 70000");
}

static void context_goes_in_front(void **state)
{
	struct err err = { 0 };
	int r = err_set(&err, ENOENT, "no such file");

	(void)state;
	r = err_wrap(&err, r, "policy %s", "shop/db");
	r = err_wrap(&err, r, "compiling");
	assert_int_equal(r, -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "compiling: policy shop/db: no such file");
}

static void without_a_place_for_it_failure_stays_failure(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
}

static void long_text_is_cut_and_terminated(void **state)
{
	struct err err = { 0 };
	char text[2 * ERR_MSG_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, EIO, "%s", text);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
	err_wrap(&err, -EIO, "%s", "context");
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
	assert_memory_equal(err.msg, "context: xxx", 12);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_carries_code_and_text),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(without_a_place_for_it_failure_stays_failure),
		cmocka_unit_test(long_text_is_cut_and_terminated),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
