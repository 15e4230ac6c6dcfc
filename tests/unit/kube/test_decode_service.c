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

static int decode(const char *yaml, struct service **ret, struct err *err)
{
	struct yaml_docs docs = { 0 };
	int r;

	assert_int_equal(yaml_parse("row", yaml, strlen(yaml), &docs, NULL), 0);
	r = decode_service(docs.v[0].json, "default", ret, err);
	yaml_docs_done(&docs);
	return r;
}

static struct service *service_from(const char *yaml)
{
	struct service *service = NULL;
	struct err err = { 0 };

	if (decode(yaml, &service, &err) < 0)
		fail_msg("%s: %s", yaml, err.msg);
	return service;
}

static void a_service_is_read_whole(void **state)
{
	struct service *service = service_from(
		"{metadata: {name: api, namespace: shop}, spec: {selector: {app: api, tier: '1'},"
		" clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 'fd00::9'],"
		" ports: [{name: http, port: 80, targetPort: 8080}, {name: dns, protocol: UDP, port: 53,"
		" targetPort: dns-udp}]}}");

	(void)state;
	assert_string_equal(service->namespace, "shop");
	assert_string_equal(service->name, "api");
	assert_true(service->has_selector && !service->headless);
	assert_string_equal(labels_get(&service->selector, "tier"), "1");
	assert_int_equal(service->n_addrs, 2);
	assert_true(addr_is_v4(&service->addrs[0]) && !addr_is_v4(&service->addrs[1]));
	assert_int_equal(service->n_ports, 2);
	assert_string_equal(service->ports[0].name, "http");
	assert_int_equal(service->ports[0].proto, IPPROTO_TCP);
	assert_int_equal(service->ports[0].port, 80);
	assert_int_equal(service->ports[0].target, 8080);
	assert_null(service->ports[0].target_name);
	assert_int_equal(service->ports[1].proto, IPPROTO_UDP);
	assert_int_equal(service->ports[1].target, 0);
	assert_string_equal(service->ports[1].target_name, "dns-udp");
	service_free(service);
}

static void a_target_that_is_not_said_is_the_port(void **state)
{
	struct service *service =
		service_from("{metadata: {name: a}, spec: {ports: [{port: 80}, {port: 81, targetPort: 0},"
			     " {port: 82, targetPort: null}]}}");

	(void)state;
	assert_string_equal(service->namespace, "default");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(service->ports[i].target, 80 + i);
	service_free(service);
}

static void only_a_selector_that_counts_is_one(void **state)
{
	static const char *const none[] = {
		"{metadata: {name: a}}",
		"{metadata: {name: a}, spec: {selector: {}}}",
		"{metadata: {name: a}, spec: {selector: null}}",
		"{metadata: {name: a}, spec: {type: ExternalName, selector: {app: a}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		struct service *service = service_from(none[i]);

		if (service->has_selector)
			fail_msg("%s has a selector", none[i]);
		service_free(service);
	}
}

static void none_is_no_address_but_headless(void **state)
{
	struct service *service =
		service_from("{metadata: {name: a}, spec: {clusterIP: None, clusterIPs: [None]}}");

	(void)state;
	assert_true(service->headless);
	assert_int_equal(service->n_addrs, 0);
	service_free(service);
}

static void what_cannot_be_read_is_named(void **state)
{
	static const struct {
		const char *spec, *field;
	} rows[] = {
		{ "{ports: [{port: 80}, {port: 0}]}", "spec.ports[1].port: " },
		{ "{ports: [{name: a}]}", "spec.ports[0].port: " },
		{ "{ports: [{port: 65536}]}", "spec.ports[0].port: " },
		{ "{ports: [{port: 80, targetPort: 65536}]}", "spec.ports[0].targetPort: " },
		{ "{ports: [{port: 80, targetPort: Not_A_Name}]}", "spec.ports[0].targetPort: " },
		{ "{ports: [{port: 80, targetPort: [80]}]}", "spec.ports[0].targetPort: " },
		{ "{ports: [{port: 80, protocol: ICMP}]}", "spec.ports[0].protocol: " },
		{ "{ports: [{port: 80, name: 7}]}", "spec.ports[0].name: " },
		{ "{ports: {port: 80}}", "spec.ports: " },
		{ "{selector: [app]}", "spec.selector: " },
		{ "{selector: {app: 7}}", "spec.selector.app: " },
		{ "{sessionAffinity: Cookie}", "spec.sessionAffinity: " },
		{ "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}}",
		  "spec.sessionAffinityConfig.clientIP.timeoutSeconds: " },
		{ "{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}}",
		  "spec.sessionAffinityConfig.clientIP.timeoutSeconds: " },
		{ "{internalTrafficPolicy: Near}", "spec.internalTrafficPolicy: " },
		{ "{internalTrafficPolicy: 1}", "spec.internalTrafficPolicy: " },
		{ "7", "spec: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct service *service = NULL;
		struct err err = { 0 };
		char yaml[256];

		snprintf(yaml, sizeof(yaml), "{metadata: {name: a}, spec: %s}", rows[i].spec);
		if (decode(yaml, &service, &err) != -EINVAL ||
		    strncmp(err.msg, rows[i].field, strlen(rows[i].field)) != 0)
			fail_msg("%s: \"%s\", not %s", yaml, err.msg, rows[i].field);
		assert_null(service);
	}
}

static void who_of_the_endpoints_serves_is_read(void **state)
{
	struct service *service = service_from("{metadata: {name: a}, spec: {clusterIP: 10.96.0.1}}");

	(void)state;
	assert_int_equal(service->affinity_s, 0);
	assert_false(service->local_only || service->is_name);
	service_free(service);
	service = service_from(
		"{metadata: {name: a}, spec: {sessionAffinity: None, internalTrafficPolicy: Cluster,"
		" type: ExternalName}}");
	assert_int_equal(service->affinity_s, 0);
	assert_true(service->is_name && !service->local_only);
	service_free(service);
	service = service_from(
		"{metadata: {name: a}, spec: {sessionAffinity: ClientIP, internalTrafficPolicy: Local}}");
	assert_int_equal(service->affinity_s, 10800);
	assert_true(service->local_only);
	service_free(service);
	service = service_from("{metadata: {name: a}, spec: {sessionAffinity: ClientIP,"
			       " sessionAffinityConfig: {clientIP: {timeoutSeconds: 7}}}}");
	assert_int_equal(service->affinity_s, 7);
	service_free(service);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_read_whole),
		cmocka_unit_test(a_target_that_is_not_said_is_the_port),
		cmocka_unit_test(only_a_selector_that_counts_is_one),
		cmocka_unit_test(none_is_no_address_but_headless),
		cmocka_unit_test(who_of_the_endpoints_serves_is_read),
		cmocka_unit_test(what_cannot_be_read_is_named),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
