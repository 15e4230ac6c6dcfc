// SPDX-License-Identifier: Apache-2.0
/* What policies select, and what is suspicious about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lib/smallworld.h"
#include "lib/text_has.h"

static void policies_say_whom_they_select(void **state)
{
	auto_json cJSON *json = NULL;
	const cJSON *policy;

	assert_int_equal(report_policies(*state, &json, NULL), 0);
	policy = json_get(json, "policies")->child;
	assert_string_equal(text_at(policy, "name", NULL), "db");
	assert_string_equal(json_get(policy, "isolates")->child->valuestring, "ingress");
	assert_int_equal(cJSON_GetArraySize(json_get(policy, "selects")), 1);
	assert_string_equal(json_get(policy, "selects")->child->valuestring, "shop/db");
	assert_int_equal(json_get(json_get(policy, "rules"), "ingress")->valueint, 2);
}

static size_t findings(const struct world *world, const char *level, const char *field, const char *message)
{
	auto_json cJSON *json = NULL;
	const cJSON *finding;
	size_t n = 0;

	assert_int_equal(report_lint(world, &json, NULL), 0);
	cJSON_ArrayForEach (finding, json_get(json, "findings"))
		n += strcmp(text_at(finding, "level", NULL), level) == 0 &&
		     strcmp(text_at(finding, "field", NULL), field) == 0 &&
		     strstr(text_at(finding, "message", NULL), message);
	return n;
}

static void a_sound_policy_has_no_findings(void **state)
{
	auto_json cJSON *json = NULL;

	assert_int_equal(report_lint(*state, &json, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(json, "findings")), 0);
}

static void lint_finds_what_matches_nothing(void **state)
{
	struct world *world = *state;
	struct netpol *netpol = world->netpols[0];

	free(netpol->rules[BH_INGRESS][0].ports[0].name);
	netpol->rules[BH_INGRESS][0].ports[0].name = strdup("sqll");
	assert_int_equal(findings(world, "warning", "spec.ingress[0].ports[0]",
				  "shop/db serves no TCP port named \"sqll\""),
			 1);
	world->pods[0]->finished = true;
	assert_int_equal(findings(world, "note", "spec.ingress[0].from[0]", "matches no pod now"), 1);
	world->pods[2]->finished = true;
	assert_int_equal(findings(world, "note", "spec.podSelector", "selects no pod now"), 1);
	netpol->isolates[BH_INGRESS] = false;
	assert_int_equal(findings(world, "warning", "spec.ingress", "has no effect"), 1);
}

static void lint_passes_problems_on(void **state)
{
	struct world *world = *state;

	world->netpols[0]->problems = calloc(1, sizeof(char *));
	world->netpols[0]->problems[world->netpols[0]->n_problems++] = strdup("spec.x: unknown field");
	assert_int_equal(findings(world, "error", "spec.x", "unknown field"), 1);
}

/* --- Services (R25) --- */

static size_t warnings_with(const struct world *world, const char *message, char field[64])
{
	auto_json cJSON *answer = NULL;
	const cJSON *finding;
	size_t n = 0;

	assert_int_equal(report_lint(world, &answer, NULL), 0);
	cJSON_ArrayForEach (finding, json_get(answer, "findings"))
		if (strcmp(text_at(finding, "level", NULL), "warning") == 0 &&
		    strstr(text_at(finding, "message", NULL), message)) {
			snprintf(field, 64, "%s", text_at(finding, "field", NULL));
			n++;
		}
	return n;
}

static void lint_tells_a_services_port_from_its_pods(void **state)
{
	struct world *world = *state;
	char field[64] = "";

	db_service(world, 80, 9000);
	rule_lists(world, 80);
	assert_int_equal(warnings_with(world, "port 80 is Service shop/api's; its pods serve 9000", field),
			 1);
	assert_string_equal(field, "spec.ingress[1].ports[0]");
}

static void lint_accepts_a_port_that_a_backend_uses(void **state)
{
	struct world *world = *state;
	struct service *service = db_service(world, 80, 9000);
	struct port_match *port = rule_lists(world, 9000);
	char field[64];

	assert_int_equal(warnings_with(world, "is Service", field), 0);
	port = rule_lists(world, 80);
	pod_add_port(world->pods[2], "", IPPROTO_TCP, 80); /* declared */
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	world->pods[2]->ports[world->pods[2]->n_ports - 1].number = 81;
	assert_int_equal(warnings_with(world, "is Service", field), 1);
	port->proto = IPPROTO_UDP;
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	port->proto = IPPROTO_TCP;
	service->headless = true;
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	service->headless = false;
	db_service(world, 8080, 80); /* another Service leads there */
	assert_int_equal(warnings_with(world, "is Service", field), 0);
}

static void lint_needs_a_selector_that_meets_the_policys_pods(void **state)
{
	struct world *world = *state;
	struct service *service = db_service(world, 80, 9000);
	char field[64];

	rule_lists(world, 80);
	service->has_selector = false;
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	service->has_selector = true;
	labels_set(&service->selector, "role", "api");
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	labels_set(&service->selector, "role", "db");
	assert_int_equal(warnings_with(world, "is Service", field), 1);
}

static void lint_resolves_a_target_by_its_name(void **state)
{
	struct world *world = *state;
	struct service *service = db_service(world, 80, 0);
	struct port_match *port = rule_lists(world, 80);
	char field[64];

	service->ports[0].target_name = strdup("sql");
	assert_int_equal(warnings_with(world, "port 80 is Service shop/api's; its pods serve 5432", field),
			 1);
	port->name = strdup("web"); /* the Service's name for it */
	assert_int_equal(
		warnings_with(world, "port \"web\" is Service shop/api's; its pods serve 5432", field), 1);
	free(service->ports[0].target_name);
	service->ports[0].target_name = strdup("none");
	assert_int_equal(warnings_with(world, "is Service", field), 0);
}

static void lint_looks_at_the_peers_of_an_egress_rule(void **state)
{
	struct world *world = *state;
	struct netpol *netpol = world->netpols[0];
	struct rule *rule = calloc(1, sizeof(*rule));
	char field[64] = "";

	db_service(world, 80, 9000);
	netpol->isolates[BH_EGRESS] = true;
	netpol->rules[BH_EGRESS] = rule;
	netpol->n_rules[BH_EGRESS] = 1;
	rule->has_ports = true;
	rule->n_ports = 1;
	rule->ports = calloc(1, sizeof(*rule->ports));
	rule->ports[0] =
		(struct port_match){ .proto = IPPROTO_TCP, .has_port = true, .first = 80, .last = 80 };
	assert_int_equal(warnings_with(world, "is Service", field), 0); /* towards anyone */
	rule->has_peers = true;
	rule->n_peers = 1;
	rule->peers = calloc(1, sizeof(*rule->peers));
	rule->peers[0].pods = a_selector("role=db");
	assert_int_equal(warnings_with(world, "port 80 is Service shop/api's", field), 1);
	assert_string_equal(field, "spec.egress[0].ports[0]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, smallworld_setup, smallworld_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(policies_say_whom_they_select),
		TEST(a_sound_policy_has_no_findings),
		TEST(lint_finds_what_matches_nothing),
		TEST(lint_passes_problems_on),
		TEST(lint_tells_a_services_port_from_its_pods),
		TEST(lint_accepts_a_port_that_a_backend_uses),
		TEST(lint_needs_a_selector_that_meets_the_policys_pods),
		TEST(lint_resolves_a_target_by_its_name),
		TEST(lint_looks_at_the_peers_of_an_egress_rule),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
