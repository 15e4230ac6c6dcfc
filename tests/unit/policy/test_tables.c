// SPDX-License-Identifier: Apache-2.0
/* Single situations; test_story.c has the stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/build.h"
#include "lib/feeder.h"
#include "lib/simkernel.h"

/* shop/web-0, shop/web-1 and shop/db; db is local in slot 1, web-0 in slot 2. */
static struct world world;
static struct pod *web[2], *db;
static struct netpol *policy;
static struct endpoint endpoints[4];
static size_t n_endpoints;
static struct tables *tables;
static struct feeder feeder;
static struct simkernel *kernel;
static struct plan plan;
static struct err err;

static void join(const struct pod *pod, uint32_t slot, uint32_t ifindex)
{
	endpoints[n_endpoints++] = an_endpoint(pod, slot, ifindex);
	simkernel_claim(kernel, slot, ifindex);
}

static void start(void)
{
	struct rule *rule;

	world = (struct world){ .posture.posture = POSTURE_STANDARD };
	n_endpoints = 0;
	tables = tables_new();
	kernel = simkernel_new();
	plan = (struct plan){ 0 };
	web[0] = a_pod("shop", "web-0", "app=web");
	web[1] = a_pod("shop", "web-1", "app=web");
	db = a_pod("shop", "db", "app=db");
	pod_add_addr(web[0], "10.0.0.1");
	pod_add_addr(web[1], "10.0.0.2");
	pod_add_addr(db, "10.0.0.3");
	world_add_pod(&world, web[0]);
	world_add_pod(&world, web[1]);
	world_add_pod(&world, db);
	policy = a_policy("shop", "db-clients", "app=db");
	rule = policy_add_rule(policy, BH_INGRESS);
	rule_add_peer(rule, "app=web", NULL);
	rule_add_port(rule, IPPROTO_TCP, 5432, 5432);
	world_add_policy(&world, policy);
	join(db, 1, 11);
	join(web[0], 2, 12);
}

static void stop(void)
{
	plan_done(&plan);
	tables_free(tables);
	feeder_done(&feeder);
	simkernel_free(kernel);
	world_done(&world);
}

static int update(void)
{
	plan.n = 0;
	return feeder_update(&feeder, tables, &world, endpoints, n_endpoints, &plan, &err);
}

static void plan_apply(void)
{
	for (size_t i = 0; i < plan.n; i++)
		simkernel_apply(kernel, &plan.v[i]);
}

static void apply(void)
{
	int r = update();

	if (r < 0)
		fail_msg("%s", err.msg);
	plan_apply();
}

/* Fences until nothing waits for one. */
static void quiet(void)
{
	while (tables_need_fence(tables)) {
		plan.n = 0;
		tables_fenced(tables, tables_fence(tables));
		assert_int_equal(tables_sweep(tables, 1000000, &plan), 1);
		assert_true(tables_update(tables, &plan, &err) >= 0);
		plan_apply();
	}
}

static size_t count(enum bh_write_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < plan.n; i++)
		n += plan.v[i].kind == kind;
	return n;
}

static int db_from(const char *addr, uint16_t port)
{
	struct bh_addr peer = an_addr(addr);
	int verdict = simkernel_verdict(kernel, 1, BH_INGRESS, &peer, IPPROTO_TCP, port);

	assert_int_equal(tables_verdict(tables, 1, BH_INGRESS, &peer, IPPROTO_TCP, port), verdict);
	return verdict;
}

static void a_policy_opens_exactly_what_it_lists(void **state)
{
	(void)state;
	start();
	assert_int_equal(db_from("10.0.0.1", 5432), -ENOENT);
	apply();
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
	assert_int_equal(db_from("10.0.0.2", 5432), BH_ALLOW);
	assert_int_equal(db_from("10.0.0.1", 5433), BH_DENY);
	assert_int_equal(db_from("10.0.0.9", 5432), BH_DENY);
	assert_int_equal(kernel->endpoints[1].egress, 0);
	assert_int_equal(kernel->endpoints[2].ingress, 0);
	stop();
}

static void nothing_new_is_an_empty_plan(void **state)
{
	(void)state;
	start();
	apply();
	assert_int_equal(update(), 1);
	assert_int_equal(plan.n, 0);
	stop();
}

static void a_pod_that_joins_a_known_class_is_one_write(void **state)
{
	struct pod *more = a_pod("shop", "web-2", "app=web");

	(void)state;
	start();
	apply();
	pod_add_addr(more, "10.0.0.4");
	world_add_pod(&world, more);
	apply();
	assert_int_equal(count(BH_WRITE_PEER), 1);
	/* db's flows with that address are judged again */
	assert_int_equal(count(BH_WRITE_ENDPOINT), 1);
	assert_int_equal(plan.n, 2);
	assert_int_equal(db_from("10.0.0.4", 5432), BH_ALLOW);
	stop();
}

static void pods_that_no_rule_asks_about_need_no_row(void **state)
{
	struct pod *other = a_pod("bank", "job", "app=web");

	(void)state;
	start();
	pod_add_addr(other, "10.0.0.5");
	world_add_pod(&world, other);
	apply();
	assert_int_equal(count(BH_WRITE_PEER), 2);
	stop();
}

static void pods_of_equal_policy_share_a_subject(void **state)
{
	struct pod *second = a_pod("shop", "db-2", "app=db");

	(void)state;
	start();
	pod_add_addr(second, "10.0.0.6");
	world_add_pod(&world, second);
	join(second, 3, 13);
	apply();
	assert_int_not_equal(kernel->endpoints[1].ingress, 0);
	assert_int_equal(kernel->endpoints[1].ingress, kernel->endpoints[3].ingress);
	stop();
}

static void an_unknown_pod_s_endpoint_stays_closed_until_it_is_known(void **state)
{
	struct pod *late = a_pod("shop", "late", "");

	(void)state;
	start();
	join(late, 3, 13);
	apply();
	assert_int_equal(kernel->endpoints[3].flags & BH_EP_OPEN, 0);
	world_add_pod(&world, late);
	apply();
	assert_int_not_equal(kernel->endpoints[3].flags & BH_EP_OPEN, 0);
	late->finished = true;
	apply();
	assert_int_equal(kernel->endpoints[3].flags & BH_EP_OPEN, 0);
	stop();
}

static void another_uid_is_another_pod(void **state)
{
	char uid[] = "old";

	(void)state;
	start();
	endpoints[0].uid = uid;
	apply();
	assert_int_not_equal(kernel->endpoints[1].flags & BH_EP_OPEN, 0);
	free(db->uid);
	db->uid = strdup("new");
	apply();
	assert_int_equal(kernel->endpoints[1].flags & BH_EP_OPEN, 0);
	stop();
}

static void the_plugin_s_addresses_count_before_the_object_has_any(void **state)
{
	(void)state;
	start();
	web[0]->n_addrs = 0;
	endpoints[1].addrs[0] = an_addr("10.0.0.7");
	apply();
	assert_int_equal(db_from("10.0.0.7", 5432), BH_ALLOW);
	assert_int_equal(db_from("10.0.0.1", 5432), BH_DENY);
	stop();
}

static void two_live_pods_with_one_address_get_what_both_may(void **state)
{
	struct pod *twin = a_pod("shop", "twin", "app=other");

	(void)state;
	start();
	pod_add_addr(twin, "10.0.0.1");
	world_add_pod(&world, twin);
	apply();
	assert_int_equal(db_from("10.0.0.1", 5432), BH_DENY);
	twin->finished = true; /* R22: its address may be used again at once */
	apply();
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
	stop();
}

static void a_restart_without_a_change_moves_no_address(void **state)
{
	const uint32_t before = 1;
	struct bh_snapshot snapshot;

	(void)state;
	start();
	rule_add_block(&policy->rules[BH_INGRESS][0], "192.0.2.0/24");
	apply();
	tables_free(tables);
	tables = tables_new();
	snapshot = simkernel_snapshot(kernel);
	assert_int_equal(tables_adopt(tables, &snapshot, &err), 0);
	feeder_forget(&feeder);
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
	assert_int_equal(kernel->endpoints[1].revision, before);
	apply();
	assert_int_equal(count(BH_WRITE_PEER) + count(BH_ERASE_PEER), 0);
	assert_int_equal(count(BH_WRITE_PREFIX) + count(BH_ERASE_PREFIX), 0);
	assert_int_equal(count(BH_WRITE_PORT), 0);
	assert_true(kernel->endpoints[1].revision > before);
	quiet();
	assert_int_equal(kernel->n_peers, 2);
	assert_int_equal(kernel->n_prefixes, 1);
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
	assert_int_equal(db_from("192.0.2.9", 5432), BH_ALLOW);
	assert_int_equal(update(), 1);
	stop();
}

static void rows_that_point_outside_the_ports_deny_after_a_restart(void **state)
{
	struct bh_snapshot snapshot;

	(void)state;
	start();
	apply();
	for (size_t i = 0; i < kernel->n_verdicts; i++)
		kernel->verdicts[i].verdict =
			(struct bh_verdict){ .first = BH_PORTS_MAX - 1, .count = 9, .rest = BH_ALLOW };
	snapshot = simkernel_snapshot(kernel);
	assert_int_equal(tables_adopt(tables, &snapshot, &err), 0);
	feeder_forget(&feeder);
	assert_int_equal(tables_verdict(tables, 1, BH_INGRESS, &web[0]->addrs[0], IPPROTO_TCP, 5432),
			 BH_DENY);
	stop();
}

/* C13: what does not fit closes its own endpoint and holds up nobody else. */
static void too_many_ports_in_one_row_close_their_endpoint_alone(void **state)
{
	const struct bh_addr db_addr = an_addr("10.0.0.3");
	struct tables_usage usage;
	struct netpol *other;
	struct rule *rule;
	struct err why;

	(void)state;
	start();
	apply();
	rule = policy_add_rule(policy, BH_INGRESS);
	for (uint32_t port = 1; port <= 20000; port += 2)
		rule_add_port(rule, IPPROTO_TCP, (uint16_t)port, (uint16_t)port);
	apply();
	assert_int_equal(db_from("10.0.0.1", 5432), -ENOENT);
	assert_int_equal(tables_refused(tables, &why), 1);
	assert_non_null(strstr(why.msg, BH_MAP_PORTS));
	assert_non_null(strstr(why.msg, "shop/db"));
	/* others go on */
	other = a_policy("shop", "web-egress", "app=web");
	policy_isolates(other, BH_EGRESS);
	world_add_policy(&world, other);
	apply();
	assert_int_equal(simkernel_verdict(kernel, 2, BH_EGRESS, &db_addr, IPPROTO_TCP, 5432), BH_DENY);
	policy->n_rules[BH_INGRESS]--; /* as if it had been withdrawn */
	apply();
	policy->n_rules[BH_INGRESS]++;
	assert_int_equal(tables_refused(tables, NULL), 0);
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
	quiet();
	tables_usage_get(tables, &usage);
	assert_int_equal(usage.ports, 1);
	stop();
}

static void ten_thousand_ports_that_join_are_one_range(void **state)
{
	struct rule *rule;
	struct tables_usage usage;

	(void)state;
	start();
	rule = policy_add_rule(policy, BH_INGRESS);
	for (uint16_t port = 10000; port > 0; port--)
		rule_add_port(rule, IPPROTO_TCP, port, port);
	apply();
	assert_int_equal(db_from("192.0.2.1", 10000), BH_ALLOW);
	assert_int_equal(db_from("192.0.2.1", 10001), BH_DENY);
	tables_usage_get(tables, &usage);
	assert_int_equal(usage.ports, 1);
	stop();
}

/* The endpoint whose policy does not fit is closed, and `table` said why. */
static void refused_is(const char *table)
{
	struct err why;

	apply();
	assert_int_equal(tables_refused(tables, &why), 1);
	assert_non_null(strstr(why.msg, table));
	assert_int_equal(db_from("10.0.0.1", 5432), -ENOENT);
	assert_int_not_equal(kernel->endpoints[2].flags & BH_EP_OPEN, 0);
	assert_int_equal(kernel->n_prefixes, 0);
	policy->n_rules[BH_INGRESS]--;
	apply();
	policy->n_rules[BH_INGRESS]++;
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
}

static void a_full_prefix_table_closes_who_filled_it(void **state)
{
	struct rule *rule;
	char cidr[32];

	(void)state;
	start();
	apply();
	rule = policy_add_rule(policy, BH_INGRESS);
	for (unsigned int i = 0; i <= BH_PREFIXES_MAX; i++) {
		snprintf(cidr, sizeof(cidr), "20.%u.%u.0/25", i >> 8, i & 255);
		rule_add_block(rule, cidr);
	}
	refused_is(BH_MAP_PREFIXES);
	stop();
}

/* Slot 1's verdict on these, as letters: allowed or denied. */
static void db_from_is(const char *const addrs[3], const char *verdicts)
{
	char got[4] = "";

	for (int i = 0; i < 3; i++)
		got[i] = db_from(addrs[i], 5432) == BH_ALLOW ? 'a' : 'd';
	assert_string_equal(got, verdicts);
}

static size_t unfit(void)
{
	struct tables_usage usage;

	tables_usage_get(tables, &usage);
	return usage.unfit;
}

/* Selectors allow web-0 and web-1, an ipBlock web-1 and a stranger. */
static void an_address_that_does_not_fit_is_matched_by_blocks_alone(void **state)
{
	static const char *const addrs[3] = { "10.0.0.1", "10.0.0.2", "10.0.0.70" };
	struct rule *rule;
	struct pod *gone;

	(void)state;
	start();
	tables_limit_peers(tables, 1);
	apply();
	assert_int_equal(unfit(), 1);
	db_from_is(addrs, "add");
	/* A block that comes, covers it and goes. */
	rule = policy_add_rule(policy, BH_INGRESS);
	rule_add_block(rule, "10.0.0.2/31");
	rule_add_block(rule, "10.0.0.64/26");
	apply();
	quiet();
	db_from_is(addrs, "aaa");
	policy->n_rules[BH_INGRESS]--;
	apply();
	quiet();
	policy->n_rules[BH_INGRESS]++;
	db_from_is(addrs, "add");
	assert_int_equal(tables_refused(tables, NULL), 0);
	/* Room, made in one update, is used behind its fence. */
	gone = world.pods[0];
	world.pods[0] = world.pods[--world.n_pods];
	n_endpoints = 1;
	policy->n_rules[BH_INGRESS]--;
	apply();
	assert_true(tables_need_fence(tables));
	quiet();
	policy->n_rules[BH_INGRESS]++;
	assert_int_equal(unfit(), 0);
	db_from_is(addrs, "dad");
	world.pods[world.n_pods++] = gone;
	stop();
}

static void blocks_that_overlap_without_end_close_who_wrote_them(void **state)
{
	struct rule *rule;
	char cidr[32];

	(void)state;
	start();
	rule = policy_add_rule(policy, BH_INGRESS);
	for (unsigned int i = 0; i < 6000; i++) {
		snprintf(cidr, sizeof(cidr), "20.%u.%u.0/25", i >> 8, i & 255);
		peer_add_except(rule_add_block(rule, "0.0.0.0/0"), cidr);
	}
	refused_is(BH_MAP_PREFIXES);
	stop();
}

static void a_slot_out_of_range_is_refused(void **state)
{
	(void)state;
	start();
	endpoints[1].slot = BH_ENDPOINTS_MAX;
	assert_int_equal(tables_endpoint(tables, &endpoints[1], NULL, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "12"));
	endpoints[1].slot = 2;
	stop();
}

/* A packet may hold what an update left: nothing of it goes before a fence is over. */
static void what_an_update_leaves_stays_until_a_fence_is_over(void **state)
{
	struct tables_usage usage;
	uint64_t fence;
	size_t rows;

	(void)state;
	start();
	apply();
	rows = kernel->n_verdicts;
	labels_set(&web[0]->labels, "app", "other");
	labels_set(&web[1]->labels, "app", "other");
	apply();
	assert_int_equal(count(BH_ERASE_VERDICT), 0);
	assert_true(tables_need_fence(tables));
	fence = tables_fence(tables);
	plan.n = 0;
	assert_int_equal(tables_sweep(tables, 1000, &plan), 1);
	assert_int_equal(plan.n, 0);
	tables_fenced(tables, fence);
	assert_int_equal(tables_sweep(tables, 1000, &plan), 1);
	assert_int_equal(count(BH_ERASE_VERDICT), plan.n);
	plan_apply();
	assert_int_equal(kernel->n_verdicts, rows - 1);
	tables_usage_get(tables, &usage);
	assert_int_equal(usage.ports, 1); /* until the next fence */
	quiet();
	tables_usage_get(tables, &usage);
	assert_int_equal(usage.ports, 0);
	stop();
}

/* A packet that read an endpoint before it gave its number up, and the rest after
 * the last one that kept the number was gone: it meets what the number meant. */
static void a_number_that_was_given_up_keeps_its_meaning_until_a_fence(void **state)
{
	struct bh_addr client = an_addr("203.0.113.9");
	struct bh_verdict row;
	struct pod *other;
	uint32_t number;

	(void)state;
	start();
	other = a_pod("shop", "db-1", "app=db");
	pod_add_addr(other, "10.0.0.4");
	world_add_pod(&world, other);
	join(other, 3, 13);
	rule_add_block(&policy->rules[BH_INGRESS][0], "203.0.113.0/24");
	apply();
	number = kernel->endpoints[3].ingress;
	assert_int_equal(kernel->endpoints[1].ingress, number);
	labels_set(&other->labels, "app", "other");
	apply();
	endpoints[0] = endpoints[--n_endpoints]; /* db */
	simkernel_release(kernel, 1);
	apply();
	row = simkernel_row(kernel, number, simkernel_class(kernel, &client));
	assert_int_equal(simkernel_ports(kernel, &row, IPPROTO_TCP, 5432), BH_ALLOW);
	quiet();
	assert_int_equal(kernel->n_verdicts, 0);
	stop();
}

static void a_slot_that_another_interface_takes_over_starts_closed(void **state)
{
	(void)state;
	start();
	apply();
	simkernel_release(kernel, 1);
	simkernel_claim(kernel, 1, 99);
	endpoints[0].ifindex = 99;
	apply();
	assert_int_equal(count(BH_WRITE_ENDPOINT), 1);
	assert_int_equal(db_from("10.0.0.1", 5432), BH_ALLOW);
	stop();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_opens_exactly_what_it_lists),
		cmocka_unit_test(nothing_new_is_an_empty_plan),
		cmocka_unit_test(a_pod_that_joins_a_known_class_is_one_write),
		cmocka_unit_test(pods_that_no_rule_asks_about_need_no_row),
		cmocka_unit_test(pods_of_equal_policy_share_a_subject),
		cmocka_unit_test(an_unknown_pod_s_endpoint_stays_closed_until_it_is_known),
		cmocka_unit_test(another_uid_is_another_pod),
		cmocka_unit_test(the_plugin_s_addresses_count_before_the_object_has_any),
		cmocka_unit_test(two_live_pods_with_one_address_get_what_both_may),
		cmocka_unit_test(a_restart_without_a_change_moves_no_address),
		cmocka_unit_test(rows_that_point_outside_the_ports_deny_after_a_restart),
		cmocka_unit_test(too_many_ports_in_one_row_close_their_endpoint_alone),
		cmocka_unit_test(ten_thousand_ports_that_join_are_one_range),
		cmocka_unit_test(a_full_prefix_table_closes_who_filled_it),
		cmocka_unit_test(blocks_that_overlap_without_end_close_who_wrote_them),
		cmocka_unit_test(an_address_that_does_not_fit_is_matched_by_blocks_alone),
		cmocka_unit_test(a_slot_out_of_range_is_refused),
		cmocka_unit_test(what_an_update_leaves_stays_until_a_fence_is_over),
		cmocka_unit_test(a_number_that_was_given_up_keeps_its_meaning_until_a_fence),
		cmocka_unit_test(a_slot_that_another_interface_takes_over_starts_closed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
