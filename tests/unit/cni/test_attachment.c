// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cni/attachment.h"
#include "cni/lock.h"

static char run_dir[64];

static int folder_make(void **state)
{
	(void)state;
	snprintf(run_dir, sizeof(run_dir), "/tmp/attachment-XXXXXX");
	return mkdtemp(run_dir) && attachment_dir_make(run_dir, NULL) == 0 ? 0 : -1;
}

static int folder_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", run_dir);
	return system(command);
}

static struct attachment an_attachment(const char *id)
{
	struct attachment a = { .slot = 7,
				.ifindex = 1031,
				.n_addrs = 2,
				.cni_version = "1.0.0",
				.ipam = "host-local",
				.ifname = "eth0",
				.network = "pods",
				.netns = "/run/netns/x",
				.host_ifname = "bh1",
				.namespace = "shop",
				.pod = "web",
				.uid = "u-1",
				.mac = { 2, 1 },
				.host_mac = { 2, 2 } };

	snprintf(a.container_id, sizeof(a.container_id), "%s", id);
	assert_int_equal(addr_parse("10.1.0.5", &a.addrs[0]), 0);
	assert_int_equal(addr_parse("fd00::5", &a.addrs[1]), 0);
	return a;
}

static void file_put_text(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/attachments/%s", run_dir, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void what_is_saved_is_loaded(void **state)
{
	struct attachment saved = an_attachment("c1"), loaded;

	(void)state;
	assert_int_equal(attachment_save(run_dir, &saved, NULL), 0);
	assert_int_equal(attachment_load(run_dir, "c1", "eth0", &loaded, NULL), 0);
	assert_memory_equal(&saved, &loaded, sizeof(saved));
	assert_int_equal(attachment_load(run_dir, "c1", "eth1", &loaded, NULL), -ENOENT);
}

static void forgetting_takes_the_leftovers_of_a_killed_writer_too(void **state)
{
	struct attachment a = an_attachment("c1"), other = an_attachment("c10");
	struct attachment_key *keys;
	size_t n;

	(void)state;
	assert_int_equal(attachment_save(run_dir, &a, NULL), 0);
	assert_int_equal(attachment_save(run_dir, &other, NULL), 0);
	file_put_text("c1:eth0.json.AbCdEf", "{");
	assert_int_equal(attachment_forget(run_dir, "c1", "eth0", NULL), 0);
	assert_int_equal(attachment_forget(run_dir, "c1", "eth0", NULL), 0);
	assert_int_equal(attachment_list(run_dir, &keys, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_string_equal(keys[0].container_id, "c10");
	free(keys);
}

static void damaged_files_are_no_attachments(void **state)
{
	static const char *const texts[] = { "",	 "{",	"[]", "{}", "{\"containerID\":\"c1\"}",
					     "\xff\xfe", "null" };
	struct attachment a = an_attachment("other");
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		file_put_text("c1:eth0.json", texts[i]);
		assert_int_equal(attachment_load(run_dir, "c1", "eth0", &a, NULL), -EBADMSG);
	}
	a = an_attachment("other");
	assert_int_equal(attachment_save(run_dir, &a, NULL), 0);
	snprintf(path, sizeof(path), "cp %s/attachments/other:eth0.json %s/attachments/c1:eth0.json", run_dir,
		 run_dir);
	assert_int_equal(system(path), 0);
	assert_int_equal(attachment_load(run_dir, "c1", "eth0", &a, NULL), -EBADMSG);
	snprintf(path, sizeof(path), "%s/attachments/c2:eth0.json", run_dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(attachment_load(run_dir, "c2", "eth0", &a, NULL), -EBADMSG);
}

static void list_names_each_attachment_once(void **state)
{
	struct attachment_key *keys;
	size_t n;

	(void)state;
	file_put_text("c1:eth0.json", "{");
	file_put_text("c1:eth0.json.AbCdEf", "{");
	file_put_text("c2:a.json.json", "{");
	file_put_text("no-colon.json", "{");
	file_put_text("c3:eth0.txt", "{");
	file_put_text(".hidden:eth0.json", "{");
	assert_int_equal(attachment_list(run_dir, &keys, &n, NULL), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_true(!strcmp(keys[i].container_id, "c1") || !strcmp(keys[i].ifname, "a.json"));
	free(keys);
	assert_int_equal(attachment_list("/nonexistent", &keys, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void folder_that_others_may_write_is_refused(void **state)
{
	struct err err = { 0 };
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/attachments", run_dir);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(attachment_dir_make(run_dir, &err), -EPERM);
	assert_non_null(strstr(err.msg, path));
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(attachment_dir_make(run_dir, NULL), -EPERM);
}

static void names_follow_from_the_id_and_differ(void **state)
{
	char seen[2000][IF_NAMESIZE];
	uint8_t pod[6], host[6];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		char id[16];

		snprintf(id, sizeof(id), "c%d", i / 2);
		attachment_name(id, i % 2 ? "eth0" : "eth1", seen[i]);
		assert_int_equal(strlen(seen[i]), 15);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
	attachment_macs("c1", "eth0", pod, host);
	assert_int_equal(pod[0] & 3, 2);
	assert_memory_not_equal(pod, host, 6);
}

static void lock_is_for_one_container_only(void **state)
{
	auto_close int a = -1, b = -1, again = -1;

	(void)state;
	assert_int_equal(lock_container(run_dir, "a", 100, &a, NULL), 0);
	assert_int_equal(lock_container(run_dir, "b", 100, &b, NULL), 0);
	assert_int_equal(lock_container(run_dir, "a", 20, &again, NULL), -EBUSY);
	close(TAKE_FD(a));
	assert_int_equal(lock_container(run_dir, "a", 20, &again, NULL), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(what_is_saved_is_loaded),
		IN_FOLDER(forgetting_takes_the_leftovers_of_a_killed_writer_too),
		IN_FOLDER(damaged_files_are_no_attachments),
		IN_FOLDER(list_names_each_attachment_once),
		IN_FOLDER(folder_that_others_may_write_is_refused),
		IN_FOLDER(names_follow_from_the_id_and_differ),
		IN_FOLDER(lock_is_for_one_container_only),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("attachment", tests, NULL, NULL);
}
