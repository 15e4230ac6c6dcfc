// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/kubeclient.h"

#define POD_WITH_IP(ip)                                                                                      \
	"\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\",\"podIP\":\"" ip "\"}"

#define NODE_WITH_RANGE(range)                                                                               \
	"\"spec\":{\"podCIDRs\":[\"" range                                                                   \
	"\"]},\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"192.0.2.1\"}]}"

static int setup(void **state)
{
	struct kubeclient *client = kubeclient_new();

	apiserver_put(client->server, "namespaces", "", "shop", "n-1", "\"team\":\"a\"", NULL);
	apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"web\"",
		      POD_WITH_IP("10.0.0.1"));
	apiserver_put(client->server, "networkpolicies", "shop", "deny", "y-1", NULL,
		      "\"spec\":{\"podSelector\":{}}");
	apiserver_put(client->server, "nodes", "", "n1", "m-1", NULL, NODE_WITH_RANGE("10.244.1.0/24"));
	*state = client;
	return 0;
}

static int teardown(void **state)
{
	kubeclient_free(*state);
	return 0;
}

static void start_synced(struct kubeclient *client)
{
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster) && apiserver_watching(client->server) == CLUSTER_KINDS);
}

static const struct pod *pod(const struct kubeclient *client, const char *name)
{
	return cluster_pod_for(client->cluster, "shop", name);
}

static void the_world_is_what_the_server_has(void **state)
{
	struct kubeclient *client = *state;
	const struct world *world;

	start_synced(client);
	world = kubeclient_world(client);
	assert_int_equal(world->n_pods, 1);
	assert_int_equal(world->n_namespaces, 1);
	assert_int_equal(world->n_netpols, 1);
	assert_int_equal(world->n_nodes, 1);
	assert_ptr_equal(world_node(world, "n1"), world->nodes[0]);
	assert_null(world_node(world, "n2"));
	assert_string_equal(world->pods[0]->uid, "p-1");
	assert_string_equal(world->pods[0]->node, "n1");
	assert_string_equal(labels_get(&world->pods[0]->labels, "app"), "web");
	assert_int_equal(world->pods[0]->n_addrs, 1);
	assert_string_equal(labels_get(&world->namespaces[0]->labels, "kubernetes.io/metadata.name"), "shop");
	assert_true(world->netpols[0]->isolates[BH_INGRESS]);
	assert_ptr_equal(pod(client, "web"), world->pods[0]);
	assert_null(pod(client, "other"));
	kubeclient_no_errors(client);
}

static void changes_arrive_as_they_happen(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_put(client->server, "pods", "shop", "db", "p-2", "\"app\":\"db\"", POD_WITH_IP("10.0.0.2"));
	UNTIL(client, pod(client, "db"));
	apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"job\"",
		      POD_WITH_IP("10.0.0.1"));
	UNTIL(client, strcmp(labels_get(&pod(client, "web")->labels, "app"), "job") == 0);
	apiserver_delete(client->server, "networkpolicies", "shop", "deny");
	UNTIL(client, kubeclient_world(client)->n_netpols == 0);
	apiserver_delete(client->server, "pods", "shop", "web");
	UNTIL(client, !pod(client, "web"));
	apiserver_put(client->server, "namespaces", "", "shop", "n-1", NULL,
		      "\"status\":{\"phase\":\"Terminating\"}");
	UNTIL(client, kubeclient_world(client)->namespaces[0]->terminating);
	assert_int_equal(kubeclient_status(client, "pods").counts.lists, 2);
}

static void last_change_is(const struct kubeclient *client, enum change_kind kind, const char *old_uid,
			   const char *uid)
{
	size_t n;
	const struct change *changes = cluster_changes(client->cluster, &n), *last = &changes[n - 1];
	const struct pod *old = last->old, *now = last->now;

	assert_int_equal(n, 1);
	assert_int_equal(last->kind, kind);
	assert_true(last->heard_us > 0 && last->heard_us <= pollset_now_us());
	assert_int_equal(!!old, !!old_uid);
	assert_int_equal(!!now, !!uid);
	if (old)
		assert_string_equal(old->uid, old_uid);
	if (now)
		assert_string_equal(now->uid, uid);
}

static void readers_are_told_what_was_and_what_is(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	assert_int_equal(client->mirror.n_told, 4); /* everything, as new */
	apiserver_put(client->server, "pods", "shop", "db", "p-2", NULL, POD_WITH_IP("10.0.0.2"));
	UNTIL(client, client->mirror.n_told == 5);
	last_change_is(client, CHANGE_POD, NULL, "p-2");
	apiserver_put(client->server, "pods", "shop", "db", "p-2", "\"app\":\"db\"", POD_WITH_IP("10.0.0.2"));
	UNTIL(client, client->mirror.n_told == 6);
	last_change_is(client, CHANGE_POD, "p-2", "p-2");
	apiserver_delete(client->server, "pods", "shop", "db");
	UNTIL(client, client->mirror.n_told == 7);
	last_change_is(client, CHANGE_POD, "p-2", NULL);
	/* a list tells the differences only */
	apiserver_lose(client->server, true);
	apiserver_put(client->server, "pods", "shop", "job", "p-3", NULL, POD_WITH_IP("10.0.0.3"));
	apiserver_lose(client->server, false);
	apiserver_compact(client->server);
	apiserver_end_watches(client->server, true);
	UNTIL(client, client->mirror.n_told == 8);
	last_change_is(client, CHANGE_POD, NULL, "p-3");
}

static void nodes_arrive_as_they_change(void **state)
{
	struct kubeclient *client = *state;
	const struct world *world;

	start_synced(client);
	world = kubeclient_world(client);
	client->changes = 0;
	for (int i = 0; i < 20; i++)
		apiserver_put(client->server, "nodes", "", "n1", "m-1", NULL,
			      NODE_WITH_RANGE("10.244.1.0/24") ",\"heartbeat\":1");
	UNTIL(client, kubeclient_status(client, "nodes").counts.events >= 20);
	assert_int_equal(client->changes, 0);
	apiserver_put(client->server, "nodes", "", "n1", "m-1", NULL, NODE_WITH_RANGE("10.244.9.0/24"));
	UNTIL(client, world_node(world, "n1")->pod_ranges[0].addr.b[14] == 9);
	apiserver_put(client->server, "nodes", "", "n2", "m-2", NULL, NODE_WITH_RANGE("10.244.2.0/24"));
	UNTIL(client, world->n_nodes == 2);
	apiserver_put(client->server, "nodes", "", "n2", "m-2", NULL, NODE_WITH_RANGE("anything"));
	UNTIL(client, kubeclient_said(client, "spec.podCIDRs[0]: must be ADDRESS/LENGTH"));
	assert_int_equal(world->n_nodes, 2); /* as it was last good */
	apiserver_delete(client->server, "nodes", "", "n1");
	apiserver_delete(client->server, "nodes", "", "n2");
	UNTIL(client, world->n_nodes == 0);
}

static void nothing_is_served_before_every_kind_is_known(void **state)
{
	struct kubeclient *client = *state;

	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "networkpolicies", .times = -1, .status = 403 });
	kubeclient_start(client);
	UNTIL(client, kubeclient_status(client, "pods").synced &&
			      kubeclient_status(client, "namespaces").synced &&
			      kubeclient_status(client, "networkpolicies").degraded);
	TURN_FOR(client, 60);
	assert_false(cluster_synced(client->cluster));
	assert_int_equal(client->changes, 0);
	assert_int_equal(kubeclient_world(client)->n_pods, 0);
	assert_null(pod(client, "web"));
	assert_true(kubeclient_status(client, "networkpolicies").degraded);
	assert_true(kubeclient_status(client, "networkpolicies").degraded_since > 0);
	assert_non_null(strstr(kubeclient_status(client, "networkpolicies").why, "403"));
}

static void the_world_stays_as_it_is_until_it_is_read_again(void **state)
{
	struct kubeclient *client = *state;
	const struct pod *before;

	start_synced(client);
	before = kubeclient_world(client)->pods[0];
	client->hold = true;
	client->changes = 0;
	apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"job\"",
		      POD_WITH_IP("10.0.0.1"));
	UNTIL(client, strcmp(labels_get(&pod(client, "web")->labels, "app"), "job") == 0);
	apiserver_delete(client->server, "pods", "shop", "web");
	UNTIL(client, !pod(client, "web"));
	assert_string_equal(labels_get(&before->labels, "app"), "web");
	assert_int_equal(kubeclient_world(client)->n_pods, 1);
	assert_int_equal(client->changes, 1); /* told once until it reads */
	client->hold = false;
	UNTIL(client, kubeclient_world(client)->n_pods == 0);
	assert_int_equal(client->mirror.n_told, 6);
	assert_int_equal(cluster_read(client->cluster), 0);
}

static void an_event_that_changes_nothing_for_policy_is_no_change(void **state)
{
	struct kubeclient *client = *state;
	const struct pod *before;

	start_synced(client);
	before = pod(client, "web");
	client->changes = 0;
	for (int i = 0; i < 20; i++)
		apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"web\"",
			      POD_WITH_IP("10.0.0.1") ",\"heartbeat\":1");
	UNTIL(client, kubeclient_status(client, "pods").counts.events >= 20);
	assert_int_equal(client->changes, 0);
	assert_ptr_equal(pod(client, "web"), before);
}

static void a_relist_that_finds_the_same_is_no_change(void **state)
{
	struct kubeclient *client = *state;
	const struct pod *before;

	apiserver_delete(client->server, "networkpolicies", "shop", "deny");
	client->options.timing.relist = 0;
	start_synced(client);
	before = pod(client, "web");
	client->changes = 0;
	TURN_FOR(client, 60);
	apiserver_end_watches(client->server, true);
	UNTIL(client, kubeclient_status(client, "pods").counts.lists > 2 &&
			      kubeclient_status(client, "namespaces").counts.lists > 2 &&
			      apiserver_watching(client->server) == CLUSTER_KINDS);
	assert_int_equal(client->changes, 0);
	assert_ptr_equal(pod(client, "web"), before);
}

static void many_objects_come_and_go(void **state)
{
	struct kubeclient *client = *state;
	char name[32], uid[32];

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "pod-%d", i);
		snprintf(uid, sizeof(uid), "u-%d", i);
		apiserver_put(client->server, "pods", "shop", name, uid, NULL, POD_WITH_IP("10.0.0.9"));
	}
	start_synced(client);
	assert_int_equal(kubeclient_world(client)->n_pods, 3001);
	assert_int_equal(apiserver_count(client->server, "/pods?limit=500"), 7);
	for (int i = 0; i < 3000; i += 2) {
		snprintf(name, sizeof(name), "pod-%d", i);
		apiserver_delete(client->server, "pods", "shop", name);
	}
	UNTIL(client, kubeclient_world(client)->n_pods == 1501);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "pod-%d", i);
		assert_int_equal(pod(client, name) != NULL, i % 2);
	}
}

static void a_finished_pod_and_a_host_network_pod_are_told_apart(void **state)
{
	struct kubeclient *client = *state;

	apiserver_put(client->server, "pods", "shop", "done", "p-3", NULL,
		      "\"status\":{\"phase\":\"Succeeded\"}");
	apiserver_put(client->server, "pods", "shop", "host", "p-4", NULL, "\"spec\":{\"hostNetwork\":true}");
	start_synced(client);
	assert_true(pod(client, "done")->finished);
	assert_true(pod(client, "host")->host_network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_world_is_what_the_server_has, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_arrive_as_they_happen, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_are_told_what_was_and_what_is, setup, teardown),
		cmocka_unit_test_setup_teardown(nodes_arrive_as_they_change, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_served_before_every_kind_is_known, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_world_stays_as_it_is_until_it_is_read_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_event_that_changes_nothing_for_policy_is_no_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_relist_that_finds_the_same_is_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(many_objects_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(a_finished_pod_and_a_host_network_pod_are_told_apart, setup,
						teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
