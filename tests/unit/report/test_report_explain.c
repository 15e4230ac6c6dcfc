// SPDX-License-Identifier: Apache-2.0
/* Ends and ports by their names, and connections explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lib/smallworld.h"
#include "lib/text_has.h"

/* --- resolve --- */

static void ends_are_pods_workloads_the_node_or_outside(void **state)
{
	struct world *world = *state;
	struct explain_end end;

	assert_int_equal(report_resolve(world, &the_node, "shop/db", &end, NULL), 0);
	assert_ptr_equal(end.pod, world->pods[2]);
	assert_true(end.has_addr && !end.is_own_node);
	assert_int_equal(report_resolve(world, &the_node, "10.0.0.2", &end, NULL), 0);
	assert_ptr_equal(end.pod, world->pods[1]);
	assert_int_equal(report_resolve(world, &the_node, "192.0.2.1", &end, NULL), 0);
	assert_null(end.pod);
	assert_true(end.is_own_node);
	assert_int_equal(report_resolve(world, &the_node, "203.0.113.9", &end, NULL), 0);
	assert_true(!end.pod && !end.is_own_node && end.has_addr);
	world->pods[world->n_pods++] = pod_of_role("front", "front", NULL);
	assert_int_equal(report_resolve(world, &the_node, "shop/front", &end, NULL), 0);
	assert_true(end.pod && !end.has_addr);
}

static void unknown_ends_are_named(void **state)
{
	static const char *const unknown[] = { "shop/none", "db",     "none/db",   "",
					       "/",	    "10.0.0", "shop/db/x", "1.2.3.4/8" };
	struct explain_end end;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		struct err err = { 0 };

		if (report_resolve(*state, &the_node, unknown[i], &end, &err) != -ENOENT)
			fail_msg("resolved \"%s\"", unknown[i]);
		text_has(err.msg, unknown[i]);
	}
}

static void an_address_of_a_finished_pod_is_nobodys(void **state)
{
	struct world *world = *state;
	struct explain_end end;

	world->pods[1]->finished = true;
	world->pods[2]->host_network = true;
	assert_int_equal(report_resolve(world, &the_node, "10.0.0.2", &end, NULL), 0);
	assert_null(end.pod);
	assert_int_equal(report_resolve(world, &the_node, "10.0.0.3", &end, NULL), 0);
	assert_null(end.pod);
}

static void ports_are_numbers_names_or_icmp(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint8_t proto;
		uint16_t port;
	} rows[] = {
		{ "80", 0, IPPROTO_TCP, 80 },
		{ "53/udp", 0, IPPROTO_UDP, 53 },
		{ "53/UDP", 0, IPPROTO_UDP, 53 },
		{ "udp/53", 0, IPPROTO_UDP, 53 },
		{ "65535/sctp", 0, IPPROTO_SCTP, 65535 },
		{ "sql", 0, IPPROTO_TCP, 5432 },
		{ "sql/tcp", 0, IPPROTO_TCP, 5432 },
		{ "icmp", 0, IPPROTO_ICMP, 0 },
		{ "sql/udp", -ENOENT, 0, 0 },
		{ "http", -ENOENT, 0, 0 },
		{ "", -ENOENT, 0, 0 },
		{ "0", -EINVAL, 0, 0 },
		{ "65536", -EINVAL, 0, 0 },
		{ "80/icmp", -EINVAL, 0, 0 },
		{ "80/", -EINVAL, 0, 0 },
		{ "99999999999999999999999999999999999999999999999999999999999999999999", -EINVAL, 0, 0 },
	};
	struct explain_end end;

	assert_int_equal(report_resolve(*state, &the_node, "shop/db", &end, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t proto = 0;
		uint16_t port = 0;
		int r = report_resolve_port(&end, rows[i].text, &proto, &port, NULL);

		if (r != rows[i].result || (r == 0 && (proto != rows[i].proto || port != rows[i].port)))
			fail_msg("\"%s\": %d, %u/%u", rows[i].text, r, proto, port);
	}
}

/* --- explain --- */

static void an_allowed_connection_names_its_rule(void **state)
{
	auto_json cJSON *answer = ask(*state, "shop/web", "shop/db", "sql");

	assert_string_equal(text_at(answer, "verdict", NULL), "allow");
	assert_string_equal(text_at(answer, "from", NULL), "shop/web");
	assert_string_equal(text_at(answer, "toAddress", NULL), "10.0.0.3");
	assert_string_equal(text_at(answer, "protocol", NULL), "TCP");
	assert_int_equal(json_get(answer, "port")->valueint, 5432);
	assert_string_equal(text_at(answer, "ingress", "policy"), "shop/db");
	assert_int_equal(json_get(json_get(answer, "ingress"), "rule")->valueint, 0);
	assert_false(cJSON_IsTrue(json_get(json_get(answer, "egress"), "isolated")));
	text_has(text_at(answer, "sentence", NULL), "shop/web -> shop/db TCP/5432: allowed\n");
}

static void a_denied_connection_says_which_clause(void **state)
{
	auto_json cJSON *answer = NULL;

	keep_first_rule(*state);
	answer = ask(*state, "shop/job", "shop/db", "sql");

	assert_string_equal(text_at(answer, "verdict", NULL), "deny");
	assert_string_equal(text_at(answer, "ingress", "verdict"), "deny");
	assert_string_equal(text_at(answer, "ingress", "clause"), "pod label");
	assert_string_equal(json_get(json_get(answer, "ingress"), "isolating")->child->valuestring,
			    "shop/db");
	text_has(text_at(answer, "ingress", "why"), "job");
	text_has(text_at(answer, "sentence", NULL), "shop/job -> shop/db TCP/5432: denied\n");
}

static void two_pods_are_judged_in_one_family(void **state)
{
	struct world *world = *state;
	auto_json cJSON *answer = NULL;

	world->pods[0]->addrs[0] = addr_of("fd00::1");
	pod_add_addr(world->pods[0], "10.0.0.1");
	answer = ask(world, "shop/web", "shop/db", "sql");
	assert_string_equal(text_at(answer, "fromAddress", NULL), "10.0.0.1");
	assert_string_equal(text_at(answer, "toAddress", NULL), "10.0.0.3");
}

static void hostile_names_are_escaped_in_the_sentence(void **state)
{
	struct world *world = *state;
	auto_json cJSON *answer = NULL;

	free(world->pods[0]->name);
	world->pods[0]->name = strdup("w\033[2Jeb");
	answer = ask(world, "10.0.0.1", "shop/db", "sql");
	assert_null(strchr(text_at(answer, "sentence", NULL), '\033'));
	text_has(text_at(answer, "sentence", NULL), "w\\x1b[2Jeb");
}

static void a_services_address_is_explained_by_its_backends(void **state)
{
	struct world *world = *state;
	struct explain_query query = { .proto = IPPROTO_TCP, .port = 80 };
	auto_json cJSON *answer = NULL, *nobody = NULL;

	services_add(world);
	assert_int_equal(report_resolve(world, &the_node, "10.0.0.2", &query.from, NULL), 0);
	assert_int_equal(report_resolve(world, &the_node, "10.96.0.7", &query.to, NULL), 0);
	assert_int_equal(report_explain(world, &query, &answer, NULL), 0);
	assert_string_equal(text_at(answer, "service", NULL), "shop/data");
	assert_int_equal(cJSON_GetArraySize(json_get(answer, "backends")), 1);
	assert_string_equal(text_at(json_get(answer, "backends")->child, "to", NULL), "shop/db");
	assert_string_equal(text_at(answer, "verdict", NULL),
			    text_at(json_get(answer, "backends")->child, "verdict", NULL));
	text_has(text_at(answer, "sentence", NULL), "-> Service shop/data (10.96.0.7) TCP/80: ");
	query.to.addr = addr_of("10.96.0.8");
	assert_int_equal(report_explain(world, &query, &nobody, NULL), 0);
	assert_string_equal(text_at(nobody, "verdict", NULL), "deny");
	text_has(text_at(nobody, "sentence", NULL), "refused, no endpoint serves it");
}

static void a_denial_hints_at_the_services_port(void **state)
{
	static const char hint[] = "hint: port 80 is Service shop/api's; its pods serve 9000";
	struct world *world = *state;
	struct rule *rules = world->netpols[0]->rules[BH_INGRESS];
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 9000);
	auto_json cJSON *answer = NULL, *drop = NULL, *other = NULL;

	db_service(world, 80, 9000);
	rule_lists(world, 80);
	selector_done(&rules[0].peers[0].pods); /* nobody: the second rule is the nearest */
	rules[0].peers[0].pods = a_selector("role=none");
	answer = ask(world, "shop/job", "shop/db", "9000");
	assert_string_equal(text_at(answer, "verdict", NULL), "deny");
	text_has(text_at(answer, "sentence", NULL), hint);
	assert_int_equal(report_event(world, &the_node, &event, world->pods[2], &drop, NULL), 0);
	text_has(text_at(drop, "sentence", NULL), hint);
	assert_null(strchr(text_at(drop, "sentence", NULL), '\n'));
	other = ask(world, "shop/job", "shop/db", "9001");
	assert_null(strstr(text_at(other, "sentence", NULL), "hint"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, smallworld_setup, smallworld_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ends_are_pods_workloads_the_node_or_outside),
		TEST(unknown_ends_are_named),
		TEST(an_address_of_a_finished_pod_is_nobodys),
		TEST(ports_are_numbers_names_or_icmp),
		TEST(an_allowed_connection_names_its_rule),
		TEST(a_denied_connection_says_which_clause),
		TEST(two_pods_are_judged_in_one_family),
		TEST(hostile_names_are_escaped_in_the_sentence),
		TEST(a_services_address_is_explained_by_its_backends),
		TEST(a_denial_hints_at_the_services_port),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
