// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/build.h"
#include "policy/explain.h"

/* shop/web and bank/job may want to reach shop/db, which one policy isolates. */
static struct world world;
static struct pod *web, *job, *db;
static struct netpol *policy;
static struct explanation explanation;

static void start(void)
{
	world = (struct world){ .posture.posture = POSTURE_STANDARD };
	web = a_pod("shop", "web", "app=web,role=job");
	job = a_pod("bank", "job", "app=web");
	db = a_pod("shop", "db", "app=db");
	pod_add_addr(web, "10.0.0.1");
	pod_add_addr(job, "10.0.0.2");
	pod_add_addr(db, "10.0.0.3");
	pod_add_port(db, "sql", IPPROTO_TCP, 5432);
	world_add_pod(&world, web);
	world_add_pod(&world, job);
	world_add_pod(&world, db);
	policy = a_policy("shop", "db-clients", "app=db");
	policy_isolates(policy, BH_INGRESS);
	world_add_policy(&world, policy);
}

static void stop(void)
{
	explanation_done(&explanation);
	world_done(&world);
}

static struct explain_end end_of(const struct pod *pod)
{
	struct explain_end end = { .pod = pod, .has_addr = pod->n_addrs };

	if (pod->n_addrs)
		end.addr = pod->addrs[0];
	return end;
}

static struct explain_end outside(const char *addr)
{
	return (struct explain_end){ .has_addr = true, .addr = an_addr(addr) };
}

static enum explain_verdict ask(struct explain_end from, struct explain_end to, uint8_t proto, uint16_t port)
{
	const struct explain_query query = { .from = from, .to = to, .proto = proto, .port = port };

	explanation_done(&explanation);
	assert_int_equal(explain(&world, &query, &explanation, NULL), 0);
	return explanation.verdict;
}

static void expect_clause(enum explain_clause clause, const char *text)
{
	const struct explain_side *side = &explanation.side[BH_INGRESS];

	assert_int_equal(side->clause, clause);
	assert_string_equal(side->clause_text, text);
}

static void a_label_that_fails_is_named_with_what_the_pod_has(void **state)
{
	struct peer *peer;

	(void)state;
	start();
	peer = rule_add_peer(policy_add_rule(policy, BH_INGRESS), "app=web", NULL);
	selector_add(&peer->pods, "role", SELECTOR_IN, "api");
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_DENY);
	expect_clause(CLAUSE_POD_LABEL, "podSelector wants role in (api), pod has role=job");
	assert_ptr_equal(explanation.side[BH_INGRESS].policy, policy);
	assert_int_equal(explanation.side[BH_INGRESS].rule, 0);
	assert_int_equal(explanation.side[BH_INGRESS].n_isolating, 1);
	assert_false(explanation.side[BH_EGRESS].isolated);
	stop();
}

static void the_rule_that_got_furthest_is_named(void **state)
{
	struct rule *rule;

	(void)state;
	start();
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "app=other", NULL); /* a label fails */
	rule_add_block(policy_add_rule(policy, BH_INGRESS), "192.0.2.0/24");   /* elsewhere */
	rule = policy_add_rule(policy, BH_INGRESS);			       /* only the port fails */
	rule_add_peer(rule, "app=web", NULL);
	rule_add_port(rule, IPPROTO_TCP, 80, 80);
	rule_add_port(rule, IPPROTO_TCP, 443, 444);
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 81), EXPLAIN_DENY);
	assert_int_equal(explanation.side[BH_INGRESS].rule, 2);
	expect_clause(CLAUSE_PORT, "ports want TCP 80, TCP 443-444; this is TCP 81");
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_UDP, 80), EXPLAIN_DENY);
	expect_clause(CLAUSE_PROTOCOL, "ports want TCP 80, TCP 443-444; this is UDP 80");
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_ICMP, 0), EXPLAIN_DENY);
	expect_clause(CLAUSE_PROTOCOL, "ports want TCP 80, TCP 443-444; this is ICMP, which has no ports");
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 444), EXPLAIN_ALLOW);
	assert_int_equal(explanation.side[BH_INGRESS].rule, 2);
	assert_null(explanation.side[BH_INGRESS].clause_text);
	stop();
}

static void one_failed_label_is_nearer_than_two_and_than_another_namespace(void **state)
{
	(void)state;
	start();
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "app=x,role=y", NULL);
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "app=web,role=y", NULL);
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "", "team=red");
	ask(end_of(web), end_of(db), IPPROTO_TCP, 80);
	assert_int_equal(explanation.side[BH_INGRESS].rule, 1);
	stop();
}

static void a_namespace_that_fails_is_named(void **state)
{
	(void)state;
	start();
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "app=web", NULL);
	ask(end_of(job), end_of(db), IPPROTO_TCP, 80);
	expect_clause(CLAUSE_NAMESPACE, "podSelector alone means namespace shop, pod is in bank");
	rule_add_peer(&policy->rules[BH_INGRESS][0], "app=web", "team=red");
	policy->rules[BH_INGRESS][0].peers[0].invalid = true;
	ask(end_of(job), end_of(db), IPPROTO_TCP, 80);
	expect_clause(CLAUSE_NAMESPACE,
		      "namespaceSelector wants team in (red), namespace bank has no label team");
	stop();
}

static void blocks_and_excepts_are_named_by_address(void **state)
{
	struct peer *peer;

	(void)state;
	start();
	peer = rule_add_block(policy_add_rule(policy, BH_INGRESS), "10.0.0.0/8");
	peer_add_except(peer, "10.0.0.0/30");
	ask(end_of(web), end_of(db), IPPROTO_TCP, 80);
	expect_clause(CLAUSE_EXCEPT, "ipBlock 10.0.0.0/8 has except 10.0.0.0/30, which contains 10.0.0.1");
	ask(outside("192.0.2.7"), end_of(db), IPPROTO_TCP, 80);
	expect_clause(CLAUSE_BLOCK, "ipBlock 10.0.0.0/8 does not contain 192.0.2.7");
	assert_int_equal(ask(outside("10.0.0.9"), end_of(db), IPPROTO_TCP, 80), EXPLAIN_ALLOW);
	stop();
}

static void without_an_address_a_block_leaves_it_undecided(void **state)
{
	(void)state;
	start();
	rule_add_block(policy_add_rule(policy, BH_INGRESS), "10.0.0.0/8");
	web->n_addrs = 0;
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_UNKNOWN);
	rule_add_port(&policy->rules[BH_INGRESS][0], IPPROTO_TCP, 81, 81);
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_DENY); /* the port decides */
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "app=web", NULL);
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_ALLOW);
	web->n_addrs = 1;
	stop();
}

static void selectors_never_match_what_is_no_pod_of_the_cluster(void **state)
{
	(void)state;
	start();
	rule_add_peer(policy_add_rule(policy, BH_INGRESS), "", NULL);
	ask(outside("192.0.2.7"), end_of(db), IPPROTO_TCP, 80);
	assert_int_equal(explanation.side[BH_INGRESS].clause, CLAUSE_NOT_A_POD);
	web->host_network = true;
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_DENY);
	assert_int_equal(explanation.side[BH_INGRESS].clause, CLAUSE_NOT_A_POD);
	assert_false(explanation.side[BH_EGRESS].judged);
	stop();
}

static void a_named_port_is_the_destination_s(void **state)
{
	struct rule *rule;

	(void)state;
	start();
	rule = policy_add_rule(policy, BH_INGRESS);
	rule_add_named_port(rule, IPPROTO_TCP, "sql");
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 5432), EXPLAIN_ALLOW);
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_DENY);
	assert_int_equal(explanation.side[BH_INGRESS].clause, CLAUSE_PORT);
	rule->ports[0].proto = IPPROTO_UDP;
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_UDP, 5432), EXPLAIN_DENY);
	expect_clause(CLAUSE_NAMED_PORT, "port name sql: shop/db serves no such UDP port");
	stop();
}

static void the_node_and_the_pod_itself_need_no_rule(void **state)
{
	struct explain_end node = outside("192.0.2.1");

	(void)state;
	start();
	policy_isolates(policy, BH_EGRESS);
	node.is_own_node = true;
	assert_int_equal(ask(node, end_of(db), IPPROTO_TCP, 80), EXPLAIN_ALLOW);
	assert_string_equal(explanation.side[BH_INGRESS].exemption, "node");
	assert_int_equal(ask(end_of(db), node, IPPROTO_TCP, 80), EXPLAIN_ALLOW);
	assert_int_equal(ask(end_of(db), end_of(db), IPPROTO_TCP, 80), EXPLAIN_ALLOW);
	assert_string_equal(explanation.side[BH_EGRESS].exemption, "self");
	world.posture.posture = POSTURE_DENY;
	world.posture.deny_pod_to_node = true;
	assert_int_equal(ask(end_of(db), node, IPPROTO_TCP, 80), EXPLAIN_DENY);
	assert_int_equal(ask(node, end_of(db), IPPROTO_TCP, 80), EXPLAIN_ALLOW);
	stop();
}

static void posture_is_named_when_no_policy_isolates(void **state)
{
	(void)state;
	start();
	world.posture.posture = POSTURE_DENY;
	assert_int_equal(ask(end_of(db), end_of(web), IPPROTO_TCP, 80), EXPLAIN_DENY);
	assert_int_equal(explanation.side[BH_INGRESS].clause, CLAUSE_POSTURE);
	assert_true(explanation.side[BH_INGRESS].by_posture);
	assert_null(explanation.side[BH_INGRESS].policy);
	ask(end_of(web), end_of(db), IPPROTO_TCP, 80);
	expect_clause(CLAUSE_NO_RULES, "the policy lists no ingress rule");
	stop();
}

static void an_invalid_rule_allows_nothing_and_says_which_field(void **state)
{
	struct rule *rule;

	(void)state;
	start();
	rule = policy_add_rule(policy, BH_INGRESS);
	rule->invalid = true;
	policy->problems = calloc(1, sizeof(char *));
	policy->problems[0] = strdup("spec.ingress[0].form: unknown field");
	policy->n_problems = 1;
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_DENY);
	expect_clause(CLAUSE_INVALID,
		      "ingress rule 0 is invalid and allows nothing: spec.ingress[0].form: unknown field");
	stop();
}

static void one_denial_is_certain_whatever_the_other_side_says(void **state)
{
	struct netpol *egress = a_policy("shop", "web-out", "app=web");

	(void)state;
	start();
	rule_add_block(policy_add_rule(egress, BH_EGRESS), "10.0.0.0/8");
	world_add_policy(&world, egress);
	db->n_addrs = 0;
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_DENY);
	assert_int_equal(explanation.side[BH_EGRESS].verdict, EXPLAIN_UNKNOWN);
	db->n_addrs = 1;
	policy->audit = true;
	assert_int_equal(ask(end_of(web), end_of(db), IPPROTO_TCP, 80), EXPLAIN_AUDIT);
	stop();
}

static void the_sentence_cannot_steer_a_terminal(void **state)
{
	const struct explain_query query = { .from = { .has_addr = true }, .proto = IPPROTO_TCP, .port = 80 };
	struct explain_query named = query;
	char *sentence;

	(void)state;
	start();
	free(policy->name);
	policy->name = strdup("evil\x1b[2J\nallowed");
	named.from = end_of(web);
	named.to = end_of(db);
	assert_int_equal(ask(named.from, named.to, IPPROTO_TCP, 80), EXPLAIN_DENY);
	sentence = explanation_sentence(&world, &named, &explanation);
	assert_non_null(sentence);
	assert_null(strchr(sentence, 0x1b));
	assert_string_equal(sentence,
			    "allowed by egress of shop/web: no policy isolates it\n"
			    "denied by ingress of shop/db: isolated by shop/evil\\x1b[2J\\x0aallowed: "
			    "the policy lists no ingress rule");
	free(sentence);
	stop();
}

static void a_hostile_selector_makes_a_short_text(void **state)
{
	struct peer *peer;
	char value[16];

	(void)state;
	start();
	peer = rule_add_peer(policy_add_rule(policy, BH_INGRESS), NULL, NULL);
	selector_add(&peer->pods, "role", SELECTOR_IN, "a");
	for (int i = 0; i < 1000; i++) {
		snprintf(value, sizeof(value), "v%d", i);
		peer->pods.v[0].values =
			realloc(peer->pods.v[0].values, (peer->pods.v[0].n_values + 1) * sizeof(char *));
		peer->pods.v[0].values[peer->pods.v[0].n_values++] = strdup(value);
		rule_add_port(&policy->rules[BH_INGRESS][0], IPPROTO_TCP, (uint16_t)(2 * i + 1),
			      (uint16_t)(2 * i + 1));
	}
	ask(end_of(web), end_of(db), IPPROTO_TCP, 80);
	assert_int_equal(explanation.side[BH_INGRESS].clause, CLAUSE_POD_LABEL);
	assert_true(strlen(explanation.side[BH_INGRESS].clause_text) < 200);
	stop();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_label_that_fails_is_named_with_what_the_pod_has),
		cmocka_unit_test(the_rule_that_got_furthest_is_named),
		cmocka_unit_test(one_failed_label_is_nearer_than_two_and_than_another_namespace),
		cmocka_unit_test(a_namespace_that_fails_is_named),
		cmocka_unit_test(blocks_and_excepts_are_named_by_address),
		cmocka_unit_test(without_an_address_a_block_leaves_it_undecided),
		cmocka_unit_test(selectors_never_match_what_is_no_pod_of_the_cluster),
		cmocka_unit_test(a_named_port_is_the_destination_s),
		cmocka_unit_test(the_node_and_the_pod_itself_need_no_rule),
		cmocka_unit_test(posture_is_named_when_no_policy_isolates),
		cmocka_unit_test(an_invalid_rule_allows_nothing_and_says_which_field),
		cmocka_unit_test(one_denial_is_certain_whatever_the_other_side_says),
		cmocka_unit_test(the_sentence_cannot_steer_a_terminal),
		cmocka_unit_test(a_hostile_selector_makes_a_short_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
