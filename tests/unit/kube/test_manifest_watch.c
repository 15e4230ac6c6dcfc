// SPDX-License-Identifier: Apache-2.0
/* Files that come, change and go while the folder is watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/manifest_folder.h"

/* Does the descriptor ask for a read within `ms`? */
static bool asks(struct folder *folder, int ms)
{
	struct pollfd pfd = { .fd = manifests_fd(folder->manifests, NULL), .events = POLLIN };

	assert_true(pfd.fd >= 0);
	if (poll(&pfd, 1, ms) <= 0)
		return false;
	manifests_drain(folder->manifests);
	return true;
}

/* Reads whenever asked until the objects change; false after about `ms`. */
static bool changes(struct folder *folder, int ms)
{
	for (; ms > 0; ms -= 50)
		if (asks(folder, 50) && read_now(folder) == 1)
			return true;
	return false;
}

static void settle(struct folder *folder)
{
	read_now(folder);
	while (asks(folder, 300))
		read_now(folder);
}

static void the_first_watch_asks_at_once(void **state)
{
	struct folder *folder = *state;

	read_now(folder);
	put(folder, "a.yaml", POD("a"));
	assert_true(changes(folder, 2000));
}

static void written_files_are_noticed(void **state)
{
	struct folder *folder = *state;

	settle(folder);
	put(folder, "a.yaml", POD("a"));
	assert_true(changes(folder, 2000));
	put(folder, "a.yaml", POD("b"));
	assert_true(changes(folder, 2000));
	assert_non_null(world_pod(world_of(folder), "default", "b"));
}

static void a_save_by_rename_never_loses_the_policy(void **state)
{
	struct folder *folder = *state;
	char path[256], backup[256];

	put(folder, "a.yaml", POLICY("p"));
	settle(folder);
	/* As vim does it: the old file moves away, the new one is written. */
	snprintf(path, sizeof(path), "%s/a.yaml", folder->path);
	snprintf(backup, sizeof(backup), "%s/a.yaml~", folder->path);
	assert_int_equal(rename(path, backup), 0);
	assert_true(asks(folder, 2000));
	assert_int_equal(read_now(folder), 0);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	put(folder, "a.yaml", "");
	assert_int_equal(read_now(folder), 0);
	assert_int_equal(world_of(folder)->n_netpols, 1);
	put(folder, "a.yaml", POLICY("p") "---\n" POLICY("q"));
	assert_true(changes(folder, 2000));
	assert_int_equal(world_of(folder)->n_netpols, 2);
}

static void a_file_that_stays_away_is_dropped_after_a_moment(void **state)
{
	struct folder *folder = *state;

	put(folder, "a.yaml", POLICY("p"));
	settle(folder);
	drop(folder, "a.yaml");
	assert_true(asks(folder, 2000));
	assert_int_equal(read_now(folder), 0);
	assert_true(changes(folder, 3000));
	assert_int_equal(world_of(folder)->n_netpols, 0);
}

/* A ConfigMap volume: file -> ..data/file, ..data -> a folder that is swapped. */
static void a_config_map_swap_is_noticed(void **state)
{
	struct folder *folder = *state;
	char from[256], to[256];

	for (int i = 1; i <= 2; i++) {
		snprintf(to, sizeof(to), "%s/..v%d", folder->path, i);
		assert_int_equal(mkdir(to, 0700), 0);
	}
	put(folder, "..v1/a.yaml", POLICY("one"));
	put(folder, "..v2/a.yaml", POLICY("two"));
	snprintf(to, sizeof(to), "%s/..data", folder->path);
	assert_int_equal(symlink("..v1", to), 0);
	snprintf(to, sizeof(to), "%s/a.yaml", folder->path);
	assert_int_equal(symlink("..data/a.yaml", to), 0);
	settle(folder);
	assert_string_equal(world_of(folder)->netpols[0]->name, "one");

	snprintf(from, sizeof(from), "%s/..data_tmp", folder->path);
	assert_int_equal(symlink("..v2", from), 0);
	snprintf(to, sizeof(to), "%s/..data", folder->path);
	assert_int_equal(rename(from, to), 0);
	assert_true(changes(folder, 2000));
	assert_int_equal(world_of(folder)->n_netpols, 1);
	assert_string_equal(world_of(folder)->netpols[0]->name, "two");
}

static void a_folder_that_is_replaced_is_followed(void **state)
{
	struct folder *folder = *state;
	char away[80];

	put(folder, "a.yaml", POLICY("p"));
	settle(folder);
	snprintf(away, sizeof(away), "%s-old", folder->path);
	assert_int_equal(rename(folder->path, away), 0);
	assert_true(asks(folder, 2000));
	assert_true(manifests_read(folder->manifests, NULL) < 0);
	assert_int_equal(mkdir(folder->path, 0700), 0);
	put(folder, "b.yaml", POD("b"));
	assert_true(changes(folder, 3000));
	while (asks(folder, 400))
		read_now(folder);
	put(folder, "c.yaml", POD("c"));
	assert_true(changes(folder, 2000));
	assert_non_null(world_pod(world_of(folder), "default", "c"));
	strcat(away, "/a.yaml");
	assert_int_equal(unlink(away), 0);
	*strrchr(away, '/') = '\0';
	assert_int_equal(rmdir(away), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_first_watch_asks_at_once),
		TEST(written_files_are_noticed),
		TEST(a_save_by_rename_never_loses_the_policy),
		TEST(a_file_that_stays_away_is_dropped_after_a_moment),
		TEST(a_config_map_swap_is_noticed),
		TEST(a_folder_that_is_replaced_is_followed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
