// SPDX-License-Identifier: Apache-2.0
/* The runtime's network configuration: its text, and how it comes to its folder. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/conflist.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static const struct conflist_entry plain = { "/run/bulkhead", "/sys/fs/bpf/bulkhead", 0 };

static cJSON *parsed(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

static struct prefix range(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static void same(const char *text, const char *want)
{
	auto_json cJSON *got = parsed(text);
	auto_json cJSON *wanted = parsed(want);

	if (!cJSON_Compare(got, wanted, true))
		fail_msg("%s", text);
}

static void both_families_get_a_range_set_each(void **state)
{
	const struct prefix ranges[] = { range("fd00:1::/64"), range("10.1.0.0/24"), range("10.2.0.0/24") };
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(conflist_standalone(&plain, ranges, 3, &text, NULL), 0);
	same(text,
	     "{\"cniVersion\":\"1.0.0\",\"name\":\"bulkhead\",\"plugins\":[{\"type\":\"bulkhead\",\"ipam\":{"
	     "\"type\":\"host-local\",\"dataDir\":\"/run/bulkhead/ipam\",\"ranges\":["
	     "[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"10.2.0.0/24\"}],[{\"subnet\":\"fd00:1::/64\"}]],"
	     "\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\"}]}},"
	     "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}");
}

static void one_family_has_one_route(void **state)
{
	const struct conflist_entry entry = { "/run/other", "/sys/fs/bpf/other", 1450 };
	const struct prefix ranges[] = { range("10.1.0.0/24") };
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(conflist_standalone(&entry, ranges, 1, &text, NULL), 0);
	same(text,
	     "{\"cniVersion\":\"1.0.0\",\"name\":\"bulkhead\",\"plugins\":[{\"type\":\"bulkhead\",\"mtu\":"
	     "1450,"
	     "\"runDir\":\"/run/other\",\"pinRoot\":\"/sys/fs/bpf/other\",\"ipam\":{\"type\":\"host-local\","
	     "\"dataDir\":\"/run/other/ipam\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}]],"
	     "\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
	     "{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}");
}

static void no_range_is_no_network(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(conflist_standalone(&plain, NULL, 0, &text, NULL), -ENODATA);
	assert_null(text);
}

static void chained_comes_last_and_keeps_the_rest(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(
		conflist_chained(&plain, "10-net.conflist",
				 "{\"cniVersion\":\"0.3.1\",\"name\":\"net\",\"x\":1,\"plugins\":[{\"type\":"
				 "\"flannel\"},{\"type\":\"portmap\"}]}",
				 &text, NULL),
		0);
	same(text, "{\"cniVersion\":\"0.3.1\",\"name\":\"net\",\"x\":1,\"plugins\":[{\"type\":\"flannel\"},"
		   "{\"type\":\"portmap\"},{\"type\":\"bulkhead\"}]}");
}

static void a_single_plugin_becomes_a_list(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	assert_int_equal(
		conflist_chained(&plain, "10-net.conf",
				 "{\"cniVersion\":\"0.4.0\",\"name\":\"net\",\"type\":\"ptp\",\"mtu\":1400}",
				 &text, NULL),
		0);
	same(text, "{\"cniVersion\":\"0.4.0\",\"name\":\"net\",\"plugins\":[{\"type\":\"ptp\",\"mtu\":1400},"
		   "{\"type\":\"bulkhead\"}]}");
}

static void a_bad_base_is_named(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} rows[] = {
		{ "[]", -EINVAL, "10-net: must be an object" },
		{ "{\"plugins\":{}}", -EINVAL, "10-net: plugins: must be a list of at least one plugin" },
		{ "{\"plugins\":[]}", -EINVAL, "10-net: plugins: must be a list of at least one plugin" },
		{ "{\"plugins\":[1]}", -EINVAL, "10-net: plugins: an entry has no type" },
		{ "{\"plugins\":[{\"type\":\"bulkhead\"}]}", -EEXIST,
		  "10-net: plugins: bulkhead is in that list already" },
		{ "{\"type\":\"bulkhead\"}", -EEXIST, "10-net: plugins: bulkhead is in that list already" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		auto_free char *text = NULL;
		struct err err = { 0 };

		assert_int_equal(conflist_chained(&plain, "10-net", rows[i].text, &text, &err), rows[i].code);
		assert_string_equal(err.msg, rows[i].message);
		assert_null(text);
	}
}

/* --- files */

static int folder_new(void **state)
{
	char name[] = "/tmp/conflist.XXXXXX";

	*state = mkdtemp(name) ? strdup(name) : NULL;
	return *state ? 0 : -1;
}

static int folder_drop(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -r '%s'", (char *)*state);
	free(*state);
	return system(command);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void the_first_by_name_is_stood_behind(void **state)
{
	struct conflist_settings settings = { .dir = *state, .chain = CONFLIST_CHAIN_ANY };
	auto_free char *name = NULL;
	auto_free char *text = NULL;
	struct err err = { 0 };

	assert_int_equal(conflist_read_base(&settings, &name, &text, &err), -ENOENT);
	put(*state, "01-other.conflist.tmp", "no");
	put(*state, ".00-hidden.conflist", "no");
	put(*state, CONFLIST_NAME, "ours");
	put(*state, "20-b.conf", "b");
	put(*state, "10-a.conflist", "a");
	assert_int_equal(conflist_read_base(&settings, &name, &text, &err), 0);
	assert_string_equal(name, "10-a.conflist");
	assert_string_equal(text, "a");
}

static void a_named_base_that_is_missing_is_an_error(void **state)
{
	struct conflist_settings settings = { .dir = *state, .chain = "10-a.conflist" };
	auto_free char *name = NULL;
	auto_free char *text = NULL;
	struct err err = { 0 };

	assert_int_equal(conflist_read_base(&settings, &name, &text, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "10-a.conflist"));
}

static void writing_is_by_rename_and_only_when_it_differs(void **state)
{
	struct stat first, second;
	char path[4096];

	snprintf(path, sizeof(path), "%s/" CONFLIST_NAME, (char *)*state);
	assert_int_equal(conflist_put(*state, "one", NULL), 1);
	assert_int_equal(stat(path, &first), 0);
	assert_int_equal(first.st_mode & 07777, 0644);
	assert_int_equal(conflist_put(*state, "one", NULL), 0);
	assert_int_equal(stat(path, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(conflist_put(*state, "two", NULL), 1);
	assert_int_equal(stat(path, &second), 0);
	assert_int_not_equal(first.st_ino, second.st_ino);
	assert_int_equal(conflist_remove(*state, NULL), 1);
	assert_int_equal(conflist_remove(*state, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_get_a_range_set_each),
		cmocka_unit_test(one_family_has_one_route),
		cmocka_unit_test(no_range_is_no_network),
		cmocka_unit_test(chained_comes_last_and_keeps_the_rest),
		cmocka_unit_test(a_single_plugin_becomes_a_list),
		cmocka_unit_test(a_bad_base_is_named),
		cmocka_unit_test_setup_teardown(the_first_by_name_is_stood_behind, folder_new, folder_drop),
		cmocka_unit_test_setup_teardown(a_named_base_that_is_missing_is_an_error, folder_new,
						folder_drop),
		cmocka_unit_test_setup_teardown(writing_is_by_rename_and_only_when_it_differs, folder_new,
						folder_drop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
