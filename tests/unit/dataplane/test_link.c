// SPDX-License-Identifier: Apache-2.0
/* Links, addresses and routes in two namespaces of our own; needs root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "dataplane/link.h"

static const struct link_side host_side = { "bhhost", { 2, 0, 0, 0, 0, 1 } };
static const struct link_side pod_side = { "eth0", { 2, 0, 0, 0, 0, 2 } };

static int pod_netns = -1;
static struct link_ns *host, *pod;

static struct bh_addr addr(const char *text)
{
	struct bh_addr out;

	assert_int_equal(addr_parse(text, &out), 0);
	return out;
}

static struct prefix prefix(const char *text)
{
	struct prefix out;

	assert_int_equal(prefix_parse(text, &out), 0);
	return out;
}

/* A fresh pair of namespaces for each test. */
static int world_open(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	pod_netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (pod_netns < 0 || unshare(CLONE_NEWNET) < 0)
		return -1;
	if (link_ns_open(-1, &host, NULL) < 0 || link_ns_open(pod_netns, &pod, NULL) < 0)
		return -1;
	return 0;
}

static int world_close(void **state)
{
	(void)state;
	host = link_ns_free(host);
	pod = link_ns_free(pod);
	close(pod_netns);
	return 0;
}

static void pair_make(uint32_t mtu, struct link_info *host_info, struct link_info *pod_info)
{
	struct err err = { 0 };

	if (link_veth_create(host, pod, &host_side, &pod_side, mtu, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(link_find(host, "bhhost", host_info, &err), 0);
	assert_int_equal(link_find(pod, "eth0", pod_info, &err), 0);
}

static void veth_is_born_down_with_its_peer_in_the_pod(void **state)
{
	struct link_info h, p;

	(void)state;
	pair_make(1400, &h, &p);
	assert_string_equal(h.kind, "veth");
	assert_int_equal(h.peer_ifindex, p.ifindex);
	assert_int_equal(p.peer_ifindex, h.ifindex);
	assert_memory_equal(h.mac, host_side.mac, 6);
	assert_memory_equal(p.mac, pod_side.mac, 6);
	assert_int_equal(h.mtu, 1400);
	assert_int_equal(p.mtu, 1400);
	assert_false(h.up);
	assert_false(p.up);
	assert_int_equal(link_find(host, "eth0", &p, NULL), -ENODEV);
}

static void taken_name_is_refused_and_nothing_is_left(void **state)
{
	struct link_side other = { "bhother", { 2, 0, 0, 0, 0, 3 } };
	struct link_info h, p;
	struct err err = { 0 };

	(void)state;
	pair_make(0, &h, &p);
	assert_int_equal(link_veth_create(host, pod, &other, &pod_side, 0, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "eth0"));
	assert_int_equal(link_find(host, "bhother", &h, NULL), -ENODEV);
}

static void deleting_twice_is_success(void **state)
{
	struct link_info h, p;

	(void)state;
	pair_make(0, &h, &p);
	assert_int_equal(link_delete(host, h.ifindex, NULL), 0);
	assert_int_equal(link_delete(host, h.ifindex, NULL), 0);
	assert_int_equal(link_find_index(host, h.ifindex, &h, NULL), -ENODEV);
	assert_int_equal(link_find(pod, "eth0", &p, NULL), -ENODEV);
}

static void alias_survives_a_look(void **state)
{
	auto_free struct link_info *all = NULL;
	struct link_info h, p;
	bool seen = false;
	size_t n;

	(void)state;
	pair_make(0, &h, &p);
	assert_int_equal(link_set_alias(host, h.ifindex, "bulkhead net id eth0", NULL), 0);
	assert_int_equal(link_list(host, &all, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		seen |= all[i].ifindex == h.ifindex && strcmp(all[i].alias, "bulkhead net id eth0") == 0;
	assert_true(seen);
}

static bool has_addr(struct link_ns *ns, uint32_t ifindex, const char *text)
{
	auto_free struct prefix *addrs = NULL;
	struct prefix want = prefix(text);
	size_t n = 0;

	assert_int_equal(link_addrs(ns, ifindex, &addrs, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		if (addrs[i].len == want.len && addr_equal(&addrs[i].addr, &want.addr))
			return true;
	}
	return false;
}

static void addresses_of_both_families_are_listed(void **state)
{
	struct bh_addr v4 = addr("10.1.0.5"), v6 = addr("fd00::5");
	struct link_info h, p;

	(void)state;
	pair_make(0, &h, &p);
	assert_int_equal(link_addr_add(pod, p.ifindex, &v4, 128, NULL), 0);
	assert_int_equal(link_addr_add(pod, p.ifindex, &v6, 128, NULL), 0);
	assert_true(has_addr(pod, p.ifindex, "10.1.0.5/32"));
	assert_true(has_addr(pod, p.ifindex, "fd00::5/128"));
	assert_true(has_addr(pod, 0, "10.1.0.5/32"));
	assert_false(has_addr(host, 0, "10.1.0.5/32"));
}

static void route_check(const char *dst, const char *gateway)
{
	struct link_info h, p;
	struct link_route route = {
		.dst = prefix(dst), .has_gateway = true, .gateway = addr(gateway), .onlink = true
	};
	struct bh_addr own = addr("10.1.0.5");
	struct link_route other;
	struct err err = { 0 };

	pair_make(0, &h, &p);
	route.ifindex = p.ifindex;
	assert_int_equal(link_route_exists(pod, &route, NULL), 0);
	/* A route needs its interface up; the other side being down is enough to
	 * keep packets from going anywhere. */
	assert_true(link_route_add(pod, &route, NULL) < 0);
	assert_int_equal(link_set_up(pod, p.ifindex, true, NULL), 0);
	/* Without any IPv4 address the kernel has no table to judge a gateway by. */
	assert_int_equal(link_addr_add(pod, p.ifindex, &own, 128, NULL), 0);
	if (link_route_add(pod, &route, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(link_route_add(pod, &route, NULL), 0);
	assert_int_equal(link_route_exists(pod, &route, NULL), 1);
	other = route;
	other.gateway.b[15] ^= 1;
	assert_int_equal(link_route_exists(pod, &other, NULL), 0);
	assert_int_equal(link_route_del(pod, &route, NULL), 0);
	assert_int_equal(link_route_del(pod, &route, NULL), 0);
	assert_int_equal(link_route_exists(pod, &route, NULL), 0);
}

static void default_route_of_ipv4_comes_and_goes(void **state)
{
	(void)state;
	route_check("0.0.0.0/0", "169.254.1.1");
}

static void default_route_of_ipv6_comes_and_goes(void **state)
{
	(void)state;
	route_check("::/0", "fe80::1");
}

static void prefix_route_comes_and_goes(void **state)
{
	(void)state;
	route_check("10.9.0.0/16", "10.1.0.1");
}

static void host_route_without_gateway_is_found(void **state)
{
	struct link_route route = { .dst = prefix("10.1.0.5/32") };
	struct link_info h, p;

	(void)state;
	pair_make(0, &h, &p);
	route.ifindex = h.ifindex;
	assert_int_equal(link_set_up(host, h.ifindex, true, NULL), 0);
	assert_int_equal(link_route_add(host, &route, NULL), 0);
	assert_int_equal(link_route_exists(host, &route, NULL), 1);
}

static void neighbours_are_accepted_twice(void **state)
{
	struct bh_addr v4 = addr("10.1.0.5"), v6 = addr("fd00::5");
	struct link_info h, p;

	(void)state;
	pair_make(0, &h, &p);
	assert_int_equal(link_neigh_add(host, h.ifindex, &v4, pod_side.mac, NULL), 0);
	assert_int_equal(link_neigh_add(host, h.ifindex, &v4, pod_side.mac, NULL), 0);
	assert_int_equal(link_neigh_add(host, h.ifindex, &v6, pod_side.mac, NULL), 0);
	assert_int_equal(link_neigh_add(host, 9999, &v4, pod_side.mac, NULL), -ENODEV);
}

static char sysctl_read(const char *path)
{
	auto_fclose FILE *file = fopen(path, "re");

	assert_non_null(file);
	return (char)fgetc(file);
}

static void sysctl_changes_only_the_named_namespace(void **state)
{
	struct link_info h, p;

	(void)state;
	pair_make(0, &h, &p);
	assert_int_equal(link_sysctl_set(pod, "ipv4/ip_forward", "1", NULL), 0);
	assert_int_equal(sysctl_read("/proc/sys/net/ipv4/ip_forward"), '0');
	assert_int_equal(link_sysctl_set(host, "ipv4/ip_forward", "1", NULL), 0);
	assert_int_equal(sysctl_read("/proc/sys/net/ipv4/ip_forward"), '1');
	assert_int_equal(link_sysctl_set(host, "ipv4/no_such_knob", "1", NULL), -ENOENT);
}

static void errors_name_the_object_and_the_reason(void **state)
{
	struct link_info info;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(link_find(host, "nothere", &info, &err), -ENODEV);
	assert_string_equal(err.msg, "interface nothere: No such device");
	assert_int_equal(link_find_index(host, 0, &info, NULL), -ENODEV);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(veth_is_born_down_with_its_peer_in_the_pod),
		IN_WORLD(taken_name_is_refused_and_nothing_is_left),
		IN_WORLD(deleting_twice_is_success),
		IN_WORLD(alias_survives_a_look),
		IN_WORLD(addresses_of_both_families_are_listed),
		IN_WORLD(default_route_of_ipv4_comes_and_goes),
		IN_WORLD(default_route_of_ipv6_comes_and_goes),
		IN_WORLD(prefix_route_comes_and_goes),
		IN_WORLD(host_route_without_gateway_is_found),
		IN_WORLD(neighbours_are_accepted_twice),
		IN_WORLD(sysctl_changes_only_the_named_namespace),
		IN_WORLD(errors_name_the_object_and_the_reason),
	};

	if (unshare(CLONE_NEWNET) < 0) {
		printf("1..1\nok 1 - link # SKIP needs root to make network namespaces\n");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
