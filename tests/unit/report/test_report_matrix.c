// SPDX-License-Identifier: Apache-2.0
/* Who reaches whom, over all ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <netinet/in.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lib/smallworld.h"
#include "lib/text_has.h"

static const cJSON *cell_of(const cJSON *matrix, const char *from, const char *to)
{
	const cJSON *cell;

	cJSON_ArrayForEach (cell, json_get(matrix, "cells"))
		if (strcmp(text_at(cell, "from", NULL), from) == 0 &&
		    strcmp(text_at(cell, "to", NULL), to) == 0)
			return cell;
	fail_msg("no cell %s -> %s", from, to);
	return NULL;
}

static void expect_cell(const cJSON *matrix, const char *from, const char *to, const char *want)
{
	cJSON *ranges = cJSON_Duplicate(json_get(cell_of(matrix, from, to), "ranges"), true);
	char *printed = cJSON_PrintUnformatted(ranges);

	if (strcmp(printed, want) != 0)
		fail_msg("%s -> %s: %s\n  want %s", from, to, printed, want);
	cJSON_free(printed);
	cJSON_Delete(ranges);
}

static void the_matrix_is_exact_over_all_ports(void **state)
{
#define RANGE(first, last)                                                                                   \
	"{\"protocol\":\"TCP\",\"first\":" #first ",\"last\":" #last ",\"verdict\":\"allow\"}"
	auto_json cJSON *matrix = NULL;

	assert_int_equal(report_matrix(*state, NULL, &matrix, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "pods")), 3);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "cells")), 6);
	expect_cell(matrix, "shop/web", "shop/db", "[" RANGE(5432, 5432) "," RANGE(8000, 8010) "]");
	expect_cell(matrix, "shop/job", "shop/db", "[" RANGE(8000, 8010) "]");
	expect_cell(matrix, "shop/db", "shop/web", "[]");
	assert_string_equal(text_at(cell_of(matrix, "shop/db", "shop/web"), "other", NULL), "allow");
	assert_string_equal(text_at(cell_of(matrix, "shop/job", "shop/db"), "other", NULL), "deny");
#undef RANGE
}

static void declared_ports_carry_their_verdict(void **state)
{
	auto_json cJSON *matrix = NULL;
	const cJSON *ports;

	assert_int_equal(report_matrix(*state, "shop", &matrix, NULL), 0);
	ports = json_get(cell_of(matrix, "shop/web", "shop/db"), "ports");
	assert_int_equal(cJSON_GetArraySize(ports), 2);
	assert_int_equal(json_get(ports->child, "port")->valueint, 5432);
	assert_string_equal(text_at(ports->child, "verdict", NULL), "allow");
	assert_int_equal(json_get(ports->child->next, "port")->valueint, 9000);
	assert_string_equal(text_at(ports->child->next, "verdict", NULL), "deny");
}

static void a_pod_hides_the_template_of_its_name(void **state)
{
	struct world *world = *state;
	auto_json cJSON *matrix = NULL;
	struct explain_end end;

	world->pods[3] = world->pods[2];
	world->pods[2] = pod_of_role("db", "db", NULL);
	world->n_pods++;
	assert_int_equal(report_resolve(world, &the_node, "shop/db", &end, NULL), 0);
	assert_ptr_equal(end.pod, world->pods[3]);
	assert_int_equal(report_matrix(world, NULL, &matrix, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "pods")), 3);
	assert_int_equal(cJSON_GetArraySize(json_get(cell_of(matrix, "shop/web", "shop/db"), "ports")), 2);
}

static void replicas_share_their_cells_unless_addresses_count(void **state)
{
	struct world *world = *state;
	struct rule *rule = &world->netpols[0]->rules[BH_INGRESS][0];
	auto_json cJSON *alike = NULL, *apart = NULL;

	world->pods[world->n_pods++] = pod_of_role("web2", "api", "10.0.1.1");
	assert_int_equal(report_matrix(world, NULL, &alike, NULL), 0);
	assert_true(cJSON_Compare(json_get(cell_of(alike, "shop/web", "shop/db"), "ranges"),
				  json_get(cell_of(alike, "shop/web2", "shop/db"), "ranges"), true));
	assert_string_equal(text_at(cell_of(alike, "shop/web2", "shop/web"), "other", NULL), "allow");

	selector_done(&rule->peers[0].pods);
	rule->peers[0].pods.has = false;
	rule->peers[0].has_block = true;
	assert_int_equal(prefix_parse("10.0.1.0/24", &rule->peers[0].block), 0);
	assert_int_equal(report_matrix(world, NULL, &apart, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(cell_of(apart, "shop/web", "shop/db"), "ranges")), 1);
	assert_int_equal(cJSON_GetArraySize(json_get(cell_of(apart, "shop/web2", "shop/db"), "ranges")), 2);
}

static void ranges_join_and_touch_the_ends(void **state)
{
	struct world *world = *state;
	struct port_match *port = &world->netpols[0]->rules[BH_INGRESS][1].ports[0];
	auto_json cJSON *matrix = NULL;

	port->first = 1;
	port->last = 65535;
	assert_int_equal(report_matrix(world, NULL, &matrix, NULL), 0);
	expect_cell(matrix, "shop/web", "shop/db",
		    "[{\"protocol\":\"TCP\",\"first\":1,\"last\":65535,\"verdict\":\"allow\"}]");
}

static void the_matrix_leaves_out_whom_policies_do_not_govern(void **state)
{
	struct world *world = *state;
	auto_json cJSON *all = NULL, *none = NULL;

	world->pods[0]->host_network = true;
	world->pods[1]->finished = true;
	assert_int_equal(report_matrix(world, NULL, &all, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(all, "pods")), 1);
	assert_int_equal(report_matrix(world, "other", &none, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(none, "pods")), 0);
}

static void a_workload_has_a_cell_between_its_replicas(void **state)
{
	struct world *world = *state;
	auto_json cJSON *matrix = NULL;

	world->pods[world->n_pods++] = pod_of_role("store", "db", NULL); /* the policy selects it */
	pod_add_port(world->pods[3], "sql", IPPROTO_TCP, 5432);
	world->pods[world->n_pods++] = pod_of_role("front", "api", NULL);
	assert_int_equal(report_matrix(world, NULL, &matrix, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "cells")), 5 * 4 + 2);
	assert_string_equal(text_at(cell_of(matrix, "shop/store", "shop/store"), "other", NULL), "deny");
	expect_cell(matrix, "shop/store", "shop/store",
		    "[{\"protocol\":\"TCP\",\"first\":8000,\"last\":8010,\"verdict\":\"allow\"}]");
	assert_string_equal(text_at(cell_of(matrix, "shop/front", "shop/front"), "other", NULL), "allow");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, smallworld_setup, smallworld_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_matrix_is_exact_over_all_ports),
		TEST(declared_ports_carry_their_verdict),
		TEST(a_pod_hides_the_template_of_its_name),
		TEST(replicas_share_their_cells_unless_addresses_count),
		TEST(ranges_join_and_touch_the_ends),
		TEST(the_matrix_leaves_out_whom_policies_do_not_govern),
		TEST(a_workload_has_a_cell_between_its_replicas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
