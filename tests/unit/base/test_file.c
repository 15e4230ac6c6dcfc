// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "lib/tempdir.h"

static char folder[TEMPDIR_MAX];

static int start(void **state)
{
	(void)state;
	return tempdir_make(folder);
}

static int stop(void **state)
{
	(void)state;
	return tempdir_remove(folder);
}

static const char *in_folder(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void what_is_written_is_read_back(void **state)
{
	const char *path = in_folder("a");
	struct stat st;
	size_t len;
	char *data;

	(void)state;
	assert_int_equal(file_write_atomic(path, "one\0two", 7, 0600, NULL), 0);
	assert_int_equal(file_write_atomic(path, "three", 5, 0600, NULL), 0);
	assert_int_equal(file_read(path, 5, &data, &len, NULL), 0);
	assert_int_equal(len, 5);
	assert_string_equal(data, "three");
	free(data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_file_over_the_limit_is_refused(void **state)
{
	const char *path = in_folder("big");
	struct err err = { 0 };
	char *data = NULL;

	(void)state;
	assert_int_equal(file_write_atomic(path, "123456", 6, 0644, NULL), 0);
	assert_int_equal(file_read(path, 5, &data, NULL, &err), -EFBIG);
	assert_non_null(strstr(err.msg, path));
	assert_null(data);
}

static void only_regular_files_are_read(void **state)
{
	char *data = NULL;

	(void)state;
	assert_int_equal(file_read(in_folder("missing"), 10, &data, NULL, NULL), -ENOENT);
	assert_true(file_read(folder, 10, &data, NULL, NULL) < 0);
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	assert_true(file_read(in_folder("fifo"), 10, &data, NULL, NULL) < 0);
	assert_null(data);
}

static void a_pipe_is_read_to_its_end(void **state)
{
	int fd[2];
	char *data;
	size_t len;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "hello", 5), 5);
	close(fd[1]);
	assert_int_equal(file_read_fd(fd[0], "stdin", 100, &data, &len, NULL), 0);
	assert_int_equal(len, 5);
	assert_string_equal(data, "hello");
	free(data);
	close(fd[0]);
}

static void folders_are_made_with_their_parents(void **state)
{
	const char *path = in_folder("x/y/z");
	struct stat st;

	(void)state;
	assert_int_equal(dir_make(path, 0755, NULL), 0);
	assert_int_equal(dir_make(path, 0755, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(file_write_atomic(in_folder("f"), "", 0, 0600, NULL), 0);
	assert_true(dir_make(in_folder("f/g"), 0755, NULL) < 0);
}

static void a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_true(file_write_atomic(in_folder("no/such/folder"), "x", 1, 0600, &err) < 0);
	assert_non_null(strstr(err.msg, "no/such/folder"));
	assert_int_equal(access(in_folder("no"), F_OK), -1);
}

static void what_a_killed_writer_left_is_swept(void **state)
{
	static const char *const others[] = { "s", "s.aB3dE", "s.aB3dE67", "s.aB3-E6", "t.aB3dE6" };

	(void)state;
	assert_int_equal(file_write_atomic(in_folder("s.aB3dE6"), "x", 1, 0600, NULL), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(file_write_atomic(in_folder(others[i]), "x", 1, 0600, NULL), 0);
	file_sweep_temps(in_folder("s"));
	assert_int_equal(access(in_folder("s.aB3dE6"), F_OK), -1);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(access(in_folder(others[i]), F_OK), 0);
}

static void a_value_is_put_into_a_file_that_exists(void **state)
{
	const char *path = in_folder("sysctl");
	char *data;

	(void)state;
	assert_int_equal(file_write_atomic(path, "0\n", 2, 0644, NULL), 0);
	assert_int_equal(file_put(path, "1", NULL), 0);
	assert_int_equal(file_read(path, 10, &data, NULL, NULL), 0);
	assert_int_equal(data[0], '1');
	free(data);
	assert_true(file_put(in_folder("absent"), "1", NULL) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_file_over_the_limit_is_refused),
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(folders_are_made_with_their_parents),
		cmocka_unit_test(a_failed_write_leaves_the_old_file_and_nothing_else),
		cmocka_unit_test(what_a_killed_writer_left_is_swept),
		cmocka_unit_test(a_value_is_put_into_a_file_that_exists),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, stop);
}
