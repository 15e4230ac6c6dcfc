// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/network_plan.h"

#define NODES_MAX 8
#define TUNNEL	  7
#define UPLINK	  2

struct scene {
	struct node *nodes[NODES_MAX];
	size_t n;
	enum network_mode mode;
	struct network_plan plan;
	struct err err;
};

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->mode = NETWORK_VXLAN;
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	for (size_t i = 0; i < scene->n; i++)
		node_free(scene->nodes[i]);
	network_plan_done(&scene->plan);
	free(scene);
	return 0;
}

/* Lists end with a null. */
static void node_add(struct scene *scene, const char *name, const char *const *addrs,
		     const char *const *ranges)
{
	struct node *node = calloc(1, sizeof(*node));

	assert_non_null(node);
	node->name = strdup(name);
	node->addrs = calloc(4, sizeof(*node->addrs));
	node->pod_ranges = calloc(4, sizeof(*node->pod_ranges));
	while (*addrs)
		assert_int_equal(addr_parse(*addrs++, &node->addrs[node->n_addrs++]), 0);
	node->n_internal = node->n_addrs;
	while (*ranges)
		assert_int_equal(prefix_parse(*ranges++, &node->pod_ranges[node->n_pod_ranges++]), 0);
	scene->nodes[scene->n++] = node;
}
#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define EMPTY	  ((const char *const[]){ NULL })

/* 198.51.100.0/24 is behind a router, 203.0.113.0/24 is nowhere. */
static int way_to(void *data, const struct bh_addr *addr, struct link_way *ret_way, struct err *err)
{
	struct prefix far, nowhere;

	(void)data;
	prefix_parse("198.51.100.0/24", &far);
	prefix_parse("203.0.113.0/24", &nowhere);
	if (prefix_contains(&nowhere, addr))
		return err_set(err, ENETUNREACH, "no way");
	*ret_way = (struct link_way){ .ifindex = UPLINK, .has_gateway = prefix_contains(&far, addr) };
	addr_parse("192.0.2.254", &ret_way->gateway);
	return 0;
}

static int plan_make(struct scene *scene)
{
	const struct network_question question = {
		.mode = scene->mode,
		.self = "n1",
		.nodes = scene->nodes,
		.n_nodes = scene->n,
		.tunnel = TUNNEL,
		.way_to = way_to,
	};

	network_plan_done(&scene->plan);
	return network_plan_make(&question, &scene->plan, &scene->err);
}

static void plan_is_made(struct scene *scene)
{
	if (plan_make(scene) < 0)
		fail_msg("%s", scene->err.msg);
}

static const char *why(const struct scene *scene, const char *name)
{
	for (size_t i = 0; i < scene->plan.n_peers; i++)
		if (strcmp(scene->plan.peers[i].node->name, name) == 0)
			return scene->plan.peers[i].why;
	fail_msg("no node %s", name);
	return NULL;
}

/* "10.244.2.0/24 via 10.244.2.0 dev 7", "unreachable 10.244.1.0/24" */
static void route_is(const struct scene *scene, size_t i, const char *want)
{
	const struct link_route *route = &scene->plan.routes[i];
	char dst[ADDR_TEXT_MAX], via[ADDR_TEXT_MAX], text[256];

	assert_true(i < scene->plan.n_routes);
	prefix_format(&route->dst, dst);
	addr_format(&route->gateway, via);
	if (route->unreachable)
		snprintf(text, sizeof(text), "unreachable %s", dst);
	else
		snprintf(text, sizeof(text), "%s via %s dev %u", dst, via, route->ifindex);
	assert_string_equal(text, want);
}

static void a_tunnel_leads_to_each_range(void **state)
{
	struct scene *scene = *state;

	node_add(scene, "n2", LIST("192.0.2.2", "2001:db8::2"), LIST("10.244.2.0/24", "fd00:2::/64"));
	node_add(scene, "n1", LIST("192.0.2.1", "2001:db8::1"), LIST("10.244.1.0/24", "fd00:1::/64"));
	plan_is_made(scene);
	assert_int_equal(scene->plan.n_routes, 4);
	route_is(scene, 0, "unreachable 10.244.1.0/24");
	route_is(scene, 1, "10.244.2.0/24 via 10.244.2.0 dev 7");
	route_is(scene, 2, "unreachable fd00:1::/64");
	route_is(scene, 3, "fd00:2::/64 via fd00:2:: dev 7");
	assert_true(scene->plan.routes[1].onlink && scene->plan.routes[1].has_source);
	assert_true(addr_equal(&scene->plan.routes[1].source, &scene->plan.own[0].addr));
	assert_int_equal(scene->plan.n_all, 4);
	assert_int_equal(scene->plan.n_own, 2);
	assert_string_equal(why(scene, "n2"), "");
	for (size_t i = 0; i < scene->plan.n_all; i++)
		assert_int_equal(addr_is_zero(&scene->plan.ranges[i].range.node), i < scene->plan.n_own);
}

static void direct_goes_by_way_of_the_nodes(void **state)
{
	struct scene *scene = *state;

	scene->mode = NETWORK_DIRECT;
	node_add(scene, "n1", LIST("192.0.2.1", "2001:db8::1"), LIST("10.244.1.0/24", "fd00:1::/64"));
	node_add(scene, "n2", LIST("2001:db8::2", "192.0.2.2"), LIST("10.244.2.0/24", "fd00:2::/64"));
	plan_is_made(scene);
	route_is(scene, 1, "10.244.2.0/24 via 192.0.2.2 dev 2");
	route_is(scene, 3, "fd00:2::/64 via 2001:db8::2 dev 2");
	assert_false(scene->plan.routes[1].onlink || scene->plan.routes[1].has_source);
}

static void direct_refuses_what_is_not_on_the_link(void **state)
{
	struct scene *scene = *state;

	scene->mode = NETWORK_DIRECT;
	node_add(scene, "n1", LIST("192.0.2.1"), LIST("10.244.1.0/24"));
	node_add(scene, "n2", LIST("198.51.100.2"), LIST("10.244.2.0/24"));
	node_add(scene, "n3", LIST("203.0.113.3"), LIST("10.244.3.0/24"));
	node_add(scene, "n4", LIST("192.0.2.4"), LIST("10.244.4.0/24", "fd00:4::/64"));
	plan_is_made(scene);
	assert_string_equal(why(scene, "n2"), "198.51.100.2 is behind 192.0.2.254 and not on the link, which "
					      "mode direct needs");
	assert_string_equal(why(scene, "n3"), "cannot be reached: no way");
	assert_string_equal(why(scene, "n4"), "has no IPv6 InternalIP for its range fd00:4::/64");
	assert_int_equal(scene->plan.n_routes, 2);
	route_is(scene, 1, "10.244.4.0/24 via 192.0.2.4 dev 2");
}

static void without_this_node_there_is_no_plan(void **state)
{
	struct scene *scene = *state;

	node_add(scene, "n2", LIST("192.0.2.2"), LIST("10.244.2.0/24"));
	assert_int_equal(plan_make(scene), -ENODATA);
	assert_string_equal(scene->err.msg, "no Node object is called n1: is nodeName right?");
	node_add(scene, "n1", LIST("192.0.2.1"), EMPTY);
	assert_int_equal(plan_make(scene), -ENODATA);
	assert_string_equal(scene->err.msg, "node n1: spec.podCIDRs is empty");
	node_free(scene->nodes[--scene->n]);
	node_add(scene, "n1", EMPTY, LIST("10.244.1.0/24"));
	assert_int_equal(plan_make(scene), -ENODATA);
	assert_string_equal(scene->err.msg, "node n1: status.addresses has no InternalIP");
}

static void overlapping_ranges_belong_to_the_earlier_name(void **state)
{
	struct scene *scene = *state;

	node_add(scene, "n4", LIST("192.0.2.4"), LIST("10.244.2.0/24"));
	node_add(scene, "n3", LIST("192.0.2.3"), LIST("10.244.2.128/25"));
	node_add(scene, "n2", LIST("192.0.2.2"), LIST("10.244.2.0/25"));
	node_add(scene, "n1", LIST("192.0.2.1"), LIST("10.244.1.0/24"));
	node_add(scene, "n0", LIST("192.0.2.9"), LIST("10.244.0.0/16"));
	plan_is_made(scene);
	assert_string_equal(why(scene, "n0"), "range 10.244.0.0/16 overlaps that of node n1");
	assert_string_equal(why(scene, "n4"), "range 10.244.2.0/24 overlaps that of node n2");
	assert_string_equal(why(scene, "n2"), "");
	assert_string_equal(why(scene, "n3"), "");
	assert_int_equal(scene->plan.n_routes, 3);
	route_is(scene, 1, "10.244.2.0/25 via 10.244.2.0 dev 7");
	route_is(scene, 2, "10.244.2.128/25 via 10.244.2.128 dev 7");
}

static void a_range_that_would_swallow_nodes_is_refused(void **state)
{
	struct scene *scene = *state;

	node_add(scene, "n1", LIST("192.0.2.1"), LIST("10.244.1.0/24"));
	node_add(scene, "n2", LIST("192.0.2.2"), LIST("192.0.2.0/25"));
	node_add(scene, "n3", LIST("192.0.2.3"), LIST("0.0.0.0/0"));
	node_add(scene, "n4", LIST("192.0.2.4"), LIST("10.244.4.1/32"));
	node_add(scene, "n5", LIST("192.0.2.5"), LIST("10.244.5.0/24", "10.0.0.0/7"));
	plan_is_made(scene);
	assert_string_equal(why(scene, "n2"), "range 192.0.2.0/25 holds an address of node n1");
	assert_string_equal(why(scene, "n3"), "range 0.0.0.0/0 is not within /8 to /30");
	assert_string_equal(why(scene, "n4"), "range 10.244.4.1/32 is not within /8 to /30");
	assert_string_equal(why(scene, "n5"), "range 10.0.0.0/7 is not within /8 to /30");
	assert_int_equal(scene->plan.n_routes, 2);
	route_is(scene, 1, "10.244.5.0/24 via 10.244.5.0 dev 7");
}

static void families_must_meet(void **state)
{
	struct scene *scene = *state;

	node_add(scene, "n1", LIST("192.0.2.1"), LIST("10.244.1.0/24"));
	node_add(scene, "n2", LIST("2001:db8::2"), LIST("10.244.2.0/24"));
	node_add(scene, "n3", LIST("192.0.2.3"), LIST("fd00:3::/64"));
	node_add(scene, "n4", LIST("192.0.2.4"), EMPTY);
	plan_is_made(scene);
	assert_string_equal(why(scene, "n2"), "has no IPv4 InternalIP, which the tunnel uses here");
	assert_string_equal(why(scene, "n3"), "has IPv6 pods, this node has none");
	assert_string_equal(why(scene, "n4"), "has no pod range (spec.podCIDRs)");
	assert_int_equal(scene->plan.n_routes, 1);
}

static void the_order_of_objects_changes_nothing(void **state)
{
	struct scene *scene = *state;
	struct node *swap;

	node_add(scene, "n1", LIST("192.0.2.1"), LIST("10.244.1.0/24"));
	node_add(scene, "n3", LIST("192.0.2.3"), LIST("10.244.2.0/24"));
	node_add(scene, "n2", LIST("192.0.2.2"), LIST("10.244.2.0/24"));
	for (int i = 0; i < 2; i++) {
		plan_is_made(scene);
		assert_string_equal(why(scene, "n3"), "range 10.244.2.0/24 overlaps that of node n2");
		assert_true(
			addr_equal(&scene->plan.ranges[1].range.node, &scene->plan.peers[1].node->addrs[0]));
		swap = scene->nodes[1];
		scene->nodes[1] = scene->nodes[2];
		scene->nodes[2] = swap;
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_tunnel_leads_to_each_range),
		TEST(direct_goes_by_way_of_the_nodes),
		TEST(direct_refuses_what_is_not_on_the_link),
		TEST(without_this_node_there_is_no_plan),
		TEST(overlapping_ranges_belong_to_the_earlier_name),
		TEST(a_range_that_would_swallow_nodes_is_refused),
		TEST(families_must_meet),
		TEST(the_order_of_objects_changes_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
