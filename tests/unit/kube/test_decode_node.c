// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"
#include "kube/decode.h"

static int decode(const char *yaml, struct node **ret, struct err *err)
{
	struct yaml_docs docs = { 0 };
	int r;

	assert_int_equal(yaml_parse("row", yaml, strlen(yaml), &docs, NULL), 0);
	r = decode_node(docs.v[0].json, ret, err);
	yaml_docs_done(&docs);
	return r;
}

static struct node *node_from(const char *yaml)
{
	struct node *node = NULL;
	struct err err = { 0 };

	if (decode(yaml, &node, &err) < 0)
		fail_msg("%s: %s", yaml, err.msg);
	return node;
}

static void assert_range(const struct node *node, size_t i, const char *want)
{
	char text[ADDR_TEXT_MAX];

	assert_true(i < node->n_pod_ranges);
	prefix_format(&node->pod_ranges[i], text);
	assert_string_equal(text, want);
}

static void assert_addr(const struct node *node, size_t i, const char *want)
{
	char text[ADDR_TEXT_MAX];

	assert_true(i < node->n_addrs);
	addr_format(&node->addrs[i], text);
	assert_string_equal(text, want);
}

static void a_node_is_read_whole(void **state)
{
	struct node *node = node_from(
		"{metadata: {name: n1}, spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24, "
		"'fd00:1::/64']},"
		" status: {addresses: [{type: Hostname, address: n1}, {type: ExternalIP, address: "
		"203.0.113.1},"
		" {type: InternalIP, address: 192.0.2.1}, {type: InternalIP, address: '2001:db8::1'}]}}");

	(void)state;
	assert_string_equal(node->name, "n1");
	assert_int_equal(node->n_pod_ranges, 2);
	assert_range(node, 0, "10.244.1.0/24");
	assert_range(node, 1, "fd00:1::/64");
	assert_int_equal(node->n_addrs, 3);
	assert_int_equal(node->n_internal, 2);
	assert_addr(node, 0, "192.0.2.1");
	assert_addr(node, 1, "2001:db8::1");
	assert_addr(node, 2, "203.0.113.1");
	node_free(node);
}

static void a_range_may_stand_alone(void **state)
{
	struct node *node = node_from("{metadata: {name: n1}, spec: {podCIDR: 10.244.1.7/24}}");

	(void)state;
	assert_int_equal(node->n_pod_ranges, 1);
	assert_range(node, 0, "10.244.1.0/24");
	node_free(node);
}

static void what_a_new_node_lacks_is_no_error(void **state)
{
	static const char *const rows[] = {
		"{metadata: {name: n1}}",
		"{metadata: {name: n1}, spec: {}, status: {}}",
		"{metadata: {name: n1}, spec: {podCIDR: '', podCIDRs: []}, status: {addresses: []}}",
		"{metadata: {name: n1}, spec: null, status: {addresses: [{type: Hostname, address: n1}]}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct node *node = node_from(rows[i]);

		assert_int_equal(node->n_pod_ranges, 0);
		assert_int_equal(node->n_addrs, 0);
		node_free(node);
	}
}

static void what_is_there_twice_counts_once(void **state)
{
	struct node *node = node_from("{metadata: {name: n1}, spec: {podCIDRs: [10.0.0.0/24, 10.0.0.9/24]},"
				      " status: {addresses: [{type: ExternalIP, address: 192.0.2.1},"
				      " {type: InternalIP, address: 192.0.2.1}]}}");

	(void)state;
	assert_int_equal(node->n_pod_ranges, 1);
	assert_int_equal(node->n_addrs, 1);
	assert_int_equal(node->n_internal, 1);
	node_free(node);
}

static void what_cannot_be_read_is_named(void **state)
{
	static const struct {
		const char *rest, *field;
	} rows[] = {
		{ "spec: {podCIDRs: [10.244.1.0/24, 10.244.1.0]}", "spec.podCIDRs[1]: " },
		{ "spec: {podCIDRs: [10.244.1.0/33]}", "spec.podCIDRs[0]: " },
		{ "spec: {podCIDRs: [7]}", "spec.podCIDRs[0]: " },
		{ "spec: {podCIDRs: 10.244.1.0/24}", "spec.podCIDRs: " },
		{ "spec: {podCIDR: anything}", "spec.podCIDR: " },
		{ "spec: {podCIDR: 7}", "spec.podCIDR: " },
		{ "spec: 7", "spec: " },
		{ "status: [7]", "status: " },
		{ "status: {addresses: 7}", "status.addresses: " },
		{ "status: {addresses: [{type: InternalIP, address: n1}]}", "status.addresses[0].address: " },
		{ "status: {addresses: [{type: Hostname}, {type: ExternalIP}]}",
		  "status.addresses[1].address: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct node *node = NULL;
		struct err err = { 0 };
		char yaml[256];

		snprintf(yaml, sizeof(yaml), "{metadata: {name: n1}, %s}", rows[i].rest);
		if (decode(yaml, &node, &err) != -EINVAL ||
		    strncmp(err.msg, rows[i].field, strlen(rows[i].field)) != 0)
			fail_msg("%s: \"%s\", not %s", yaml, err.msg, rows[i].field);
		assert_null(node);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_read_whole),
		cmocka_unit_test(a_range_may_stand_alone),
		cmocka_unit_test(what_a_new_node_lacks_is_no_error),
		cmocka_unit_test(what_is_there_twice_counts_once),
		cmocka_unit_test(what_cannot_be_read_is_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
