// SPDX-License-Identifier: Apache-2.0
/* Attachments: every field of a POST or a state file, and the set of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/attachments.h"
#include "base/cleanup.h"
#include "base/file.h"

static const char good[] =
	"{\"containerID\":\"c1\",\"ifname\":\"eth0\",\"network\":\"net\",\"netns\":\"/run/netns/"
	"a\",\"slot\":7,"
	"\"ifindex\":7,\"mac\":\"02:00:00:00:00:01\",\"hostMAC\":\"02:00:00:00:00:02\","
	"\"addresses\":[\"10.1.0.5\",\"fd00::5\"],\"namespace\":\"shop\",\"pod\":\"web\",\"uid\":\"u1\","
	"\"chained\":false,\"hostIfname\":\"bh1\",\"ipam\":\"host-local\",\"cniVersion\":\"1.1.0\"}";

static int decode(const char *text, struct attachment **ret, struct err *err)
{
	auto_json cJSON *json = NULL;

	assert_int_equal(json_parse(text, strlen(text), &json, NULL), 0);
	return attachment_decode(json, ret, err);
}

/* The good body with one text put in the place of another. */
static void refused(const char *part, const char *instead, const char *message)
{
	struct attachment *attachment = NULL;
	struct err err = { 0 };
	const char *at = strstr(good, part);
	char text[8192];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, instead, at + strlen(part));
	assert_true(decode(text, &attachment, &err) < 0);
	assert_string_equal(err.msg, message);
}

static struct attachment *an_attachment(const char *container_id, uint32_t ifindex, const char *addr)
{
	struct attachment *attachment = NULL;

	assert_int_equal(decode(good, &attachment, NULL), 0);
	free(attachment->container_id);
	attachment->container_id = strdup(container_id);
	attachment->endpoint.ifindex = ifindex;
	attachment->endpoint.n_addrs = 1;
	assert_int_equal(addr_parse(addr, &attachment->endpoint.addrs[0]), 0);
	return attachment;
}

static void a_whole_body_is_read(void **state)
{
	auto_attachment struct attachment *attachment = NULL;
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(decode(good, &attachment, NULL), 0);
	assert_string_equal(attachment->container_id, "c1");
	assert_string_equal(attachment->ifname, "eth0");
	assert_string_equal(attachment->netns, "/run/netns/a");
	assert_string_equal(attachment->endpoint.namespace, "shop");
	assert_string_equal(attachment->endpoint.pod, "web");
	assert_string_equal(attachment->endpoint.uid, "u1");
	assert_int_equal(attachment->endpoint.slot, 7);
	assert_int_equal(attachment->mac[0], 2);
	assert_int_equal(attachment->host_mac[5], 2);
	assert_int_equal(attachment->endpoint.n_addrs, 2);
	addr_format(&attachment->endpoint.addrs[1], text);
	assert_string_equal(text, "fd00::5");
}

static void each_bad_field_is_named(void **state)
{
	(void)state;
	refused("\"c1\"", "\"../x\"", "containerID: not a container id");
	refused("\"c1\"", "\"\"", "containerID: not a container id");
	refused("\"c1\"", "\"a\\nb\"", "containerID: not a container id");
	refused("\"eth0\"", "\"a/b\"", "ifname: not an interface name");
	refused("\"eth0\"", "\"..\"", "ifname: not an interface name");
	refused("\"eth0\"", "\"sixteen-bytes-xx\"", "ifname: not an interface name");
	refused("\"slot\":7", "\"slot\":1024", "slot: must be a whole number from 0 to 1023, is 1024");
	refused("\"ifindex\":7,", "", "ifindex: missing");
	refused("02:00:00:00:00:01", "02:00:00:00:00", "mac: not a MAC address");
	refused("02:00:00:00:00:02", "02:00:00:00:00:0g", "hostMAC: not a MAC address");
	refused("[\"10.1.0.5\",\"fd00::5\"]", "[]", "addresses: must be a list of at least one address");
	refused("\"fd00::5\"", "\"::ffff:10.0.0.1\"", "addresses[1]: not an IP address");
	refused("\"fd00::5\"", "\"0.0.0.0\",\"::\"", "addresses[2]: not an IP address");
	refused("\"fd00::5\"", "\"fd00::1\",\"fd00::2\",\"fd00::3\",\"fd00::4\"", "addresses: more than 4");
	refused("\"shop\"", "\"Sh op\"", "namespace: not a namespace name");
	refused("\"web\"", "\"\"", "pod: not a pod name");
}

static void a_row_of_another_interface_or_address_does_not_agree(void **state)
{
	auto_attachment struct attachment *attachment = an_attachment("c1", 7, "10.1.0.5");
	struct bh_endpoint row = { .ifindex = 7 };
	struct err err = { 0 };

	(void)state;
	row.addr[2] = attachment->endpoint.addrs[0];
	assert_true(attachment_agrees(attachment, &row, &err));
	row.ifindex = 8;
	assert_false(attachment_agrees(attachment, &row, &err));
	row.ifindex = 7;
	row.addr[2].b[15]++;
	assert_false(attachment_agrees(attachment, &row, &err));
	assert_string_equal(err.msg, "address 10.1.0.5 is not the endpoint's");
}

static void the_same_container_and_name_replaces(void **state)
{
	cleanup(attachments_done) struct attachments set = { 0 };

	(void)state;
	assert_int_equal(attachments_put(&set, an_attachment("a", 1, "10.0.0.1"), NULL), 0);
	assert_int_equal(attachments_put(&set, an_attachment("b", 2, "10.0.0.2"), NULL), 0);
	assert_int_equal(attachments_put(&set, an_attachment("a", 3, "10.0.0.3"), NULL), 0);
	assert_int_equal(set.n, 2);
	assert_null(attachments_find_ifindex(&set, 1));
	assert_ptr_equal(attachments_find_ifindex(&set, 3), attachments_find(&set, "a", "eth0"));
	attachment_free(attachments_take(&set, "a", "eth0"));
	assert_null(attachments_take(&set, "a", "eth0"));
	assert_int_equal(set.n, 1);
}

static void an_address_of_another_attachment_conflicts(void **state)
{
	cleanup(attachments_done) struct attachments set = { 0 };
	auto_attachment struct attachment *same = an_attachment("a", 1, "10.0.0.1");
	auto_attachment struct attachment *other = an_attachment("b", 2, "10.0.0.1");

	(void)state;
	assert_int_equal(attachments_put(&set, an_attachment("a", 1, "10.0.0.1"), NULL), 0);
	assert_null(attachments_conflict(&set, same));
	assert_non_null(attachments_conflict(&set, other));
}

static int n_bad;

static void count_bad(const char *path, const struct err *err)
{
	assert_non_null(strstr(path, "broken.json"));
	assert_string_not_equal(err->msg, "");
	n_bad++;
}

static void broken_state_files_are_told_and_left_out(void **state)
{
	cleanup(attachments_done) struct attachments set = { 0 };
	char folder[] = "/tmp/bulkhead-test-XXXXXX", path[128];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/c1:eth0.json", folder);
	assert_int_equal(file_write_atomic(path, good, strlen(good), 0600, NULL), 0);
	snprintf(path, sizeof(path), "%s/broken.json", folder);
	assert_int_equal(file_write_atomic(path, "{", 1, 0600, NULL), 0);
	snprintf(path, sizeof(path), "%s/c2:eth0.json.temp", folder);
	assert_int_equal(file_write_atomic(path, "{", 1, 0600, NULL), 0);
	assert_int_equal(attachments_load(folder, &set, count_bad, NULL), 1);
	assert_int_equal(n_bad, 1);
	assert_int_equal(set.n, 1);
	assert_string_equal(set.v[0]->endpoint.pod, "web");
	snprintf(path, sizeof(path), "rm -r %s", folder);
	assert_int_equal(system(path), 0);
}

static void no_folder_means_no_attachments(void **state)
{
	cleanup(attachments_done) struct attachments set = { 0 };

	(void)state;
	assert_int_equal(attachments_load("/nonexistent/attachments", &set, NULL, NULL), 0);
	assert_int_equal(set.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_body_is_read),
		cmocka_unit_test(each_bad_field_is_named),
		cmocka_unit_test(a_row_of_another_interface_or_address_does_not_agree),
		cmocka_unit_test(the_same_container_and_name_replaces),
		cmocka_unit_test(an_address_of_another_attachment_conflicts),
		cmocka_unit_test(broken_state_files_are_told_and_left_out),
		cmocka_unit_test(no_folder_means_no_attachments),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
