// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"
#include "kube/decode.h"

static int decode(const char *yaml, struct endpoint_slice **ret, struct err *err)
{
	struct yaml_docs docs = { 0 };
	int r;

	assert_int_equal(yaml_parse("row", yaml, strlen(yaml), &docs, NULL), 0);
	r = decode_endpointslice(docs.v[0].json, "default", ret, err);
	yaml_docs_done(&docs);
	return r;
}

static struct endpoint_slice *slice_from(const char *yaml)
{
	struct endpoint_slice *slice = NULL;
	struct err err = { 0 };

	if (decode(yaml, &slice, &err) < 0)
		fail_msg("%s: %s", yaml, err.msg);
	return slice;
}

#define META "metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}"

static void a_slice_is_read_whole(void **state)
{
	struct endpoint_slice *slice = slice_from(
		"{" META ", addressType: IPv4, ports: [{name: web, port: 8080},"
		" {name: dns, protocol: UDP, port: 53}, {name: any}], endpoints: ["
		"{addresses: [10.0.0.1, 10.0.0.9], nodeName: n1, conditions: {ready: true}},"
		"{addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}]}");

	(void)state;
	assert_string_equal(slice->namespace, "shop");
	assert_string_equal(slice->service, "web");
	assert_int_equal(slice->n_ports, 3);
	assert_int_equal(slice->ports[0].proto, IPPROTO_TCP);
	assert_int_equal(slice->ports[0].port, 8080);
	assert_int_equal(slice->ports[1].proto, IPPROTO_UDP);
	assert_int_equal(slice->ports[2].port, 0);
	assert_int_equal(slice->n_endpoints, 2);
	assert_string_equal(slice->endpoints[0].node, "n1");
	assert_true(slice->endpoints[0].ready && slice->endpoints[0].serving);
	assert_false(slice->endpoints[0].terminating);
	assert_true(!slice->endpoints[1].ready && slice->endpoints[1].serving);
	assert_true(slice->endpoints[1].terminating);
	endpoint_slice_free(slice);
}

static void absent_conditions_mean_ready(void **state)
{
	static const struct {
		const char *conditions;
		bool ready, serving, terminating;
	} rows[] = {
		{ "", true, true, false },
		{ ", conditions: {}", true, true, false },
		{ ", conditions: null", true, true, false },
		{ ", conditions: {ready: null}", true, true, false },
		{ ", conditions: {ready: false}", false, false, false },
		{ ", conditions: {ready: false, serving: true}", false, true, false },
		{ ", conditions: {ready: true, serving: false}", true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint_slice *slice;
		char yaml[512];

		snprintf(yaml, sizeof(yaml),
			 "{" META ", addressType: IPv4, endpoints: [{addresses: [10.0.0.1]%s}]}",
			 rows[i].conditions);
		slice = slice_from(yaml);
		assert_int_equal(slice->endpoints[0].ready, rows[i].ready);
		assert_int_equal(slice->endpoints[0].serving, rows[i].serving);
		assert_int_equal(slice->endpoints[0].terminating, rows[i].terminating);
		endpoint_slice_free(slice);
	}
}

static void names_are_left_out(void **state)
{
	struct endpoint_slice *slice =
		slice_from("{" META ", addressType: FQDN, endpoints: [{addresses: [db.example]}]}");

	(void)state;
	assert_int_equal(slice->n_endpoints, 0);
	endpoint_slice_free(slice);
	slice = slice_from(
		"{metadata: {name: lone}, addressType: IPv6, endpoints: [{addresses: ['fd00::1']}]}");
	assert_string_equal(slice->service, "");
	assert_int_equal(slice->n_endpoints, 1);
	endpoint_slice_free(slice);
}

static void bad_input_names_the_field(void **state)
{
	static const struct {
		const char *yaml, *want;
	} rows[] = {
		{ "{addressType: IPv4}", "metadata" },
		{ "{" META "}", "addressType: must be" },
		{ "{" META ", addressType: IPX}", "addressType: must be" },
		{ "{" META ", addressType: IPv4, ports: 80}", "ports: must be a list" },
		{ "{" META ", addressType: IPv4, ports: [{port: 70000}]}", "ports[0].port" },
		{ "{" META ", addressType: IPv4, ports: [{port: 80, protocol: ICMP}]}", "ports[0].protocol" },
		{ "{" META ", addressType: IPv4, endpoints: {}}", "endpoints: must be a list" },
		{ "{" META ", addressType: IPv4, endpoints: [{}]}", "endpoints[0].addresses[0]" },
		{ "{" META ", addressType: IPv4, endpoints: [{addresses: ['fd00::1']}]}",
		  "endpoints[0].addresses[0]: must be an IPv4" },
		{ "{" META ", addressType: IPv6, endpoints: [{addresses: [10.0.0.1]}]}",
		  "endpoints[0].addresses[0]: must be an IPv6" },
		{ "{" META
		  ", addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditions: {ready: 1}}]}",
		  "endpoints[0].conditions.ready" },
		{ "{" META ", addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditions: 1}]}",
		  "endpoints[0].conditions" },
		/* What nobody may be led to by a Service. */
		{ "{" META ", addressType: IPv4, endpoints: [{addresses: [127.0.0.1]}]}", "loopback" },
		{ "{" META ", addressType: IPv4, endpoints: [{addresses: [169.254.169.254]}]}",
		  "link-local" },
		{ "{" META ", addressType: IPv4, endpoints: [{addresses: [224.0.0.1]}]}", "multicast" },
		{ "{" META ", addressType: IPv4, endpoints: [{addresses: [0.0.0.0]}]}", "unspecified" },
		{ "{" META ", addressType: IPv6, endpoints: [{addresses: ['::1']}]}", "loopback" },
		{ "{" META ", addressType: IPv6, endpoints: [{addresses: ['fe80::1']}]}", "link-local" },
		{ "{" META ", addressType: IPv6, endpoints: [{addresses: ['ff02::1']}]}", "multicast" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct endpoint_slice *slice = NULL;
		struct err err = { 0 };

		if (decode(rows[i].yaml, &slice, &err) != -EINVAL)
			fail_msg("%s: was taken", rows[i].yaml);
		if (!strstr(err.msg, rows[i].want))
			fail_msg("%s: says %s", rows[i].yaml, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_is_read_whole),
		cmocka_unit_test(absent_conditions_mean_ready),
		cmocka_unit_test(names_are_left_out),
		cmocka_unit_test(bad_input_names_the_field),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
