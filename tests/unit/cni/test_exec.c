// SPDX-License-Identifier: Apache-2.0
/* Running an IPAM plugin: here, shell scripts of every temper. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cni/exec.h"

static char folder[] = "/tmp/exec-XXXXXX";
static char path[64];

static void script(const char *body)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", body);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
}

static int run_for(unsigned int timeout_ms, const char *body, const char *input, struct exec_output *output)
{
	char *const env[] = { "PATH=/usr/bin:/bin", "CNI_COMMAND=ADD", NULL };

	script(body);
	return exec_run(path, env, input, timeout_ms, output, NULL);
}

/* On a busy machine, too, that is time enough. */
static int run(const char *body, const char *input, struct exec_output *output)
{
	return run_for(20000, body, input, output);
}

static void input_and_environment_arrive_and_output_returns(void **state)
{
	struct exec_output output;

	(void)state;
	assert_int_equal(run("echo $CNI_COMMAND; cat", "{\"a\":1}", &output), 0);
	assert_int_equal(output.exit_code, 0);
	assert_string_equal(output.text, "ADD\n{\"a\":1}");
	assert_int_equal(output.len, strlen(output.text));
	free(output.text);
}

static void input_that_is_not_read_hurts_nobody(void **state)
{
	struct exec_output output;
	char *input = malloc(900000);

	(void)state;
	memset(input, 'x', 899999);
	input[899999] = '\0';
	assert_int_equal(run("echo done", input, &output), 0);
	assert_string_equal(output.text, "done\n");
	free(output.text);
	free(input);
}

static void exit_codes_and_signals_are_told(void **state)
{
	struct exec_output output;

	(void)state;
	assert_int_equal(run("echo no; exit 7", "", &output), 0);
	assert_int_equal(output.exit_code, 7);
	free(output.text);
	assert_int_equal(run("kill -9 $$", "", &output), 0);
	assert_int_equal(output.exit_code, 128 + 9);
	assert_string_equal(output.text, "");
	free(output.text);
}

static void silence_ends_with_the_deadline(void **state)
{
	struct exec_output output = { 0 };
	time_t start = time(NULL);

	(void)state;
	assert_int_equal(run_for(500, "exec sleep 30", "", &output), -ETIMEDOUT);
	assert_true(time(NULL) - start < 10);
	assert_null(output.text);
}

static void a_grandchild_cannot_hold_us_up(void **state)
{
	struct exec_output output = { 0 };

	(void)state;
	assert_int_equal(run_for(500, "sleep 3 & exit 0", "", &output), -ETIMEDOUT);
}

static void flood_of_output_is_refused(void **state)
{
	struct exec_output output = { 0 };

	(void)state;
	assert_int_equal(run("exec cat /dev/zero", "", &output), -EFBIG);
}

static void program_that_cannot_start_is_an_error(void **state)
{
	char *const env[] = { NULL };
	struct exec_output output = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(exec_run("/nonexistent/ipam", env, "", 500, &output, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/ipam"));
	script("echo never");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(exec_run(path, env, "", 500, &output, NULL), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_and_environment_arrive_and_output_returns),
		cmocka_unit_test(input_that_is_not_read_hurts_nobody),
		cmocka_unit_test(exit_codes_and_signals_are_told),
		cmocka_unit_test(silence_ends_with_the_deadline),
		cmocka_unit_test(a_grandchild_cannot_hold_us_up),
		cmocka_unit_test(flood_of_output_is_refused),
		cmocka_unit_test(program_that_cannot_start_is_an_error),
	};
	int r;

	if (!mkdtemp(folder))
		return 2;
	snprintf(path, sizeof(path), "%s/ipam", folder);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests_name("exec", tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return r;
}
