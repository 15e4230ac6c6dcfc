// SPDX-License-Identifier: Apache-2.0
/* Services into writes: a model of the kernel's tables takes them one by one, and after
 * each a new connection finds the old backends or the new ones (C4, C13). */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/packet.h"
#include "base/addr.h"
#include "service/services.h"

/* --- objects */

static struct service_port web_ports[] = {
	{ .name = "web", .proto = IPPROTO_TCP, .port = 80, .target = 8080 }
};
static struct bh_addr web_addrs[2], api_addrs[1];
static struct service web = { .namespace = "shop", .name = "web", .has_selector = true },
		      api = { .namespace = "shop", .name = "api" };

static struct slice_port slice_ports[] = { { "web", IPPROTO_TCP, 8080 } };

struct said {
	struct endpoint_slice slice;
	struct slice_endpoint endpoints[64];
};

static void endpoint(struct said *said, const char *addr, bool ready, bool serving, bool terminating)
{
	said->slice.namespace = "shop";
	said->slice.name = "web-1";
	said->slice.service = "web";
	said->slice.ports = slice_ports;
	said->slice.n_ports = 1;
	said->slice.endpoints = said->endpoints;
	said->endpoints[said->slice.n_endpoints++] =
		(struct slice_endpoint){ addr_of(addr), "", ready, serving, terminating };
}

static bool is_local(const struct bh_addr *addr, void *data)
{
	return data && addr_equal(addr, data);
}

static struct service_view view = { .node = "", .is_local = is_local };

/* --- the kernel */

struct kernel {
	struct bh_front_row fronts[64];
	struct bh_group_row groups[4096];
	size_t n_fronts, n_groups;
	unsigned int gens, fences, writes;
};

static struct kernel kernel;

static struct bh_front_row *kernel_front(const struct bh_front *key)
{
	for (size_t i = 0; i < kernel.n_fronts; i++)
		if (memcmp(&kernel.fronts[i].front, key, sizeof(*key)) == 0)
			return &kernel.fronts[i];
	return NULL;
}

static struct bh_group_row *kernel_group(const struct bh_group_key *key)
{
	for (size_t i = 0; i < kernel.n_groups; i++)
		if (memcmp(&kernel.groups[i].key, key, sizeof(*key)) == 0)
			return &kernel.groups[i];
	return NULL;
}

/* Every front's set is there, whole and sorted: whenever a packet may come. */
static void kernel_check(void)
{
	for (size_t i = 0; i < kernel.n_fronts; i++) {
		const struct bh_service *row = &kernel.fronts[i].service;
		const struct bh_backend *last = NULL;

		for (uint32_t j = 0; j < row->count; j++) {
			struct bh_group_key key = { row->set, j / BH_GROUP_SIZE };
			const struct bh_group_row *group = kernel_group(&key);
			const struct bh_backend *backend;

			assert_non_null(group);
			backend = &group->group.backend[j % BH_GROUP_SIZE];
			assert_int_not_equal(backend->port, 0);
			if (last)
				assert_true(bh_sorts_after(&backend->addr, backend->port, &last->addr,
							   last->port));
			last = backend;
		}
	}
}

static void kernel_write(const struct bh_service_write *write)
{
	struct bh_front_row *front;
	struct bh_group_row *group;

	switch (write->kind) {
	case BH_GROUP_PUT:
		group = kernel_group(&write->group.key);
		assert_null(group); /* sets are never written over */
		kernel.groups[kernel.n_groups].key = write->group.key;
		kernel.groups[kernel.n_groups++].group = write->group.group;
		break;
	case BH_FRONT_PUT:
		front = kernel_front(&write->front.key);
		if (!front)
			front = &kernel.fronts[kernel.n_fronts++];
		front->front = write->front.key;
		front->service = write->front.service;
		break;
	case BH_FRONT_ERASE:
		front = kernel_front(&write->front.key);
		assert_non_null(front);
		*front = kernel.fronts[--kernel.n_fronts];
		break;
	case BH_UDP_CHANGED:
		kernel.gens++;
		break;
	case BH_SETS_FENCE:
		kernel.fences++;
		break;
	case BH_GROUP_ERASE:
		assert_int_not_equal(kernel.fences, 0);
		group = kernel_group(&write->group.key);
		if (group)
			*group = kernel.groups[--kernel.n_groups];
		break;
	default:
		fail_msg("a write of kind %u", write->kind);
	}
	kernel.writes++;
	kernel_check();
}

static struct services *services;

static void settle(void)
{
	int more = 1;

	kernel.writes = 0;
	while (more >= 0) {
		struct service_plan plan = { 0 };

		if (more)
			more = services_plan(services, &view, &plan);
		else
			more = services_tidy(services, &plan) - 1;
		assert_in_range(more + 1, 0, 2);
		for (size_t i = 0; i < plan.n; i++)
			kernel_write(&plan.v[i]);
		service_plan_done(&plan);
	}
}

static void change(enum change_kind kind, const void *old, const void *now)
{
	const struct change it = { kind, old, now, 0 };

	assert_int_equal(services_change(services, &it), 0);
}

/* "10.0.0.1:8080 10.0.0.2:8080", "none" without backends, "absent" without a row. */
static const char *behind(const struct bh_addr *addr, uint16_t port, uint8_t proto)
{
	static char out[512];
	struct bh_front key = { .addr = *addr, .port = htons(port), .proto = proto };
	const struct bh_front_row *row = kernel_front(&key);

	if (!row)
		return "absent";
	snprintf(out, sizeof(out), "%s", row->service.count ? "" : "none");
	for (uint32_t i = 0; i < row->service.count; i++) {
		struct bh_group_key at = { row->service.set, i / BH_GROUP_SIZE };
		const struct bh_backend *backend = &kernel_group(&at)->group.backend[i % BH_GROUP_SIZE];
		char text[ADDR_TEXT_MAX];
		size_t used = strlen(out);

		addr_format(&backend->addr, text);
		snprintf(out + used, sizeof(out) - used, "%s%s:%u", i ? " " : "", text, ntohs(backend->port));
	}
	return out;
}

static const char *behind_web(void)
{
	return behind(&web_addrs[0], 80, IPPROTO_TCP);
}

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	web_addrs[0] = addr_of("10.96.0.10");
	web_addrs[1] = addr_of("fd00:96::10");
	api_addrs[0] = addr_of("10.96.0.20");
	web.addrs = web_addrs;
	web.n_addrs = 1;
	web.ports = web_ports;
	web.n_ports = 1;
	web.local_only = web.headless = web.is_name = false;
	web.affinity_s = 0;
	web_ports[0].proto = slice_ports[0].proto = IPPROTO_TCP;
	api.addrs = api_addrs;
	api.n_addrs = 1;
	api.ports = web_ports;
	api.n_ports = 1;
	view = (struct service_view){ .node = "", .is_local = is_local };
	services = services_new();
	return services ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	services = services_free(services);
	return 0;
}

/* --- who serves */

static void ready_endpoints_serve(void **state)
{
	struct said said = { 0 };

	(void)state;
	endpoint(&said, "10.0.0.2", true, true, false);
	endpoint(&said, "10.0.0.1", true, true, false);
	endpoint(&said, "10.0.0.3", false, false, false);
	endpoint(&said, "10.0.0.4", false, true, true);
	endpoint(&said, "10.0.0.2", true, true, false); /* twice, while it moves between slices */
	endpoint(&said, "fd00::1", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.1:8080 10.0.0.2:8080");
}

static void terminating_ones_serve_when_none_is_ready(void **state)
{
	struct said said = { 0 };

	(void)state;
	endpoint(&said, "10.0.0.3", false, false, true);
	endpoint(&said, "10.0.0.4", false, true, true);
	endpoint(&said, "10.0.0.5", false, true, false); /* serving alone is not enough */
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.4:8080");
}

static void without_endpoints_the_row_says_nobody(void **state)
{
	struct said said = { 0 };

	(void)state;
	change(CHANGE_SERVICE, NULL, &web);
	settle();
	assert_string_equal(behind_web(), "none");
	endpoint(&said, "10.0.0.3", false, false, false);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_string_equal(behind_web(), "none");
	assert_int_equal(kernel.writes, 0);
}

static void local_traffic_stays_here(void **state)
{
	struct bh_addr here = addr_of("10.0.0.2");
	struct said said = { 0 };

	(void)state;
	web.local_only = true;
	view.data = &here;
	endpoint(&said, "10.0.0.1", true, true, false);
	endpoint(&said, "10.0.0.2", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.2:8080");
	/* The last one here terminates: it serves on, the ready one elsewhere does not. */
	said.endpoints[1] = (struct slice_endpoint){ here, "", false, true, true };
	change(CHANGE_SLICE, &said.slice, &said.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.2:8080");
	/* A node's name counts where both are said. */
	view.node = "n1";
	said.endpoints[0].node = "n1";
	said.endpoints[1].node = "n2";
	change(CHANGE_SLICE, &said.slice, &said.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.1:8080");
	/* Nobody here. */
	view = (struct service_view){ .node = "n3", .is_local = is_local };
	services_touch(services, true);
	settle();
	assert_string_equal(behind_web(), "none");
}

static void families_do_not_mix(void **state)
{
	struct said four = { 0 }, six = { 0 };

	(void)state;
	web.n_addrs = 2;
	endpoint(&four, "10.0.0.1", true, true, false);
	endpoint(&six, "fd00::1", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &four.slice);
	change(CHANGE_SLICE, NULL, &six.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.1:8080");
	assert_string_equal(behind(&web_addrs[1], 80, IPPROTO_TCP), "fd00::1:8080");
}

static void headless_and_names_have_no_rows(void **state)
{
	(void)state;
	web.headless = true;
	change(CHANGE_SERVICE, NULL, &web);
	settle();
	assert_string_equal(behind_web(), "absent");
	web.headless = false;
	web.is_name = true;
	change(CHANGE_SERVICE, &web, &web);
	settle();
	assert_string_equal(behind_web(), "absent");
	web.is_name = false;
	web_addrs[0] = addr_of("127.0.0.1"); /* nobody may take loopback away */
	change(CHANGE_SERVICE, &web, &web);
	settle();
	assert_int_equal(kernel.n_fronts, 0);
}

static void pods_stand_for_slices(void **state)
{
	static struct label labels[] = { { "app", "web" } };
	struct named_port named = { "http", IPPROTO_TCP, 9090 };
	struct bh_addr addr = addr_of("10.0.0.7"), other = addr_of("10.0.0.8");
	struct pod pod = { .namespace = "shop",
			   .name = "web-0",
			   .uid = "",
			   .node = "",
			   .workload = "",
			   .labels = { labels, 1 },
			   .addrs = &addr,
			   .n_addrs = 1,
			   .ports = &named,
			   .n_ports = 1 };
	struct pod stranger = pod;
	const struct pod *pods[] = { &pod, &stranger };
	struct service named_web = web;
	struct service_port port = { "web", IPPROTO_TCP, 80, 0, "http" };
	struct said said = { 0 };

	(void)state;
	stranger.namespace = "other";
	stranger.addrs = &other;
	named_web.selector = (struct labels){ labels, 1 };
	named_web.ports = &port;
	view.pods = pods;
	view.n_pods = 2;
	change(CHANGE_SERVICE, NULL, &named_web);
	settle();
	assert_string_equal(behind_web(), "10.0.0.7:9090");
	pod.finished = true;
	services_touch(services, false);
	settle();
	assert_string_equal(behind_web(), "none");
	/* A slice's word counts more. */
	endpoint(&said, "10.0.0.1", true, true, false);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.1:8080");
}

/* --- writes */

static void one_change_writes_one_service(void **state)
{
	struct said said = { 0 };

	(void)state;
	for (int i = 1; i <= 20; i++) {
		char addr[32];

		snprintf(addr, sizeof(addr), "10.0.0.%d", i);
		endpoint(&said, addr, true, true, false);
	}
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SERVICE, NULL, &api);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_int_equal(kernel.n_groups, 3);
	said.slice.n_endpoints = 9;
	change(CHANGE_SLICE, &said.slice, &said.slice);
	settle();
	/* Two groups, the front, the fence, and the three old groups. */
	assert_int_equal(kernel.writes, 2 + 1 + 1 + 3);
	assert_int_equal(kernel.n_groups, 2);
	change(CHANGE_SLICE, &said.slice, &said.slice);
	settle();
	assert_int_equal(kernel.writes, 0); /* said again, the same */
	assert_int_equal(kernel.gens, 0);   /* TCP asks nobody */
}

static void udp_flows_hear_of_changes(void **state)
{
	struct said said = { 0 };

	(void)state;
	web_ports[0].proto = slice_ports[0].proto = IPPROTO_UDP;
	endpoint(&said, "10.0.0.1", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	assert_int_equal(kernel.gens, 1);
	change(CHANGE_SLICE, &said.slice, NULL);
	settle();
	assert_int_equal(kernel.gens, 2);
	assert_string_equal(behind(&web_addrs[0], 80, IPPROTO_UDP), "none");
	change(CHANGE_SERVICE, &web, NULL);
	settle();
	assert_int_equal(kernel.gens, 3);
	assert_string_equal(behind(&web_addrs[0], 80, IPPROTO_UDP), "absent");
}

static void first_comes_keeps_the_address(void **state)
{
	struct said said = { 0 };

	(void)state;
	api_addrs[0] = web_addrs[0];
	endpoint(&said, "10.0.0.1", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	change(CHANGE_SERVICE, NULL, &api);
	settle();
	assert_string_equal(behind_web(), "10.0.0.1:8080");
	assert_int_equal(services_counts(services).refused, 1);
	/* It goes, the other gets it. */
	change(CHANGE_SERVICE, &web, NULL);
	settle();
	assert_string_equal(behind_web(), "none");
	assert_int_equal(services_counts(services).refused, 0);
}

static void too_many_backends_are_refused_whole(void **state)
{
	struct endpoint_slice slice = { "shop", "web-1", "web", slice_ports, 1, NULL, 0 };
	struct said said = { 0 };

	(void)state;
	endpoint(&said, "10.0.0.1", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	slice.n_endpoints = BH_FRONT_BACKENDS + 1;
	slice.endpoints = calloc(slice.n_endpoints, sizeof(*slice.endpoints));
	assert_non_null(slice.endpoints);
	for (size_t i = 0; i < slice.n_endpoints; i++) {
		uint32_t addr = htonl(0x0a010000u + (uint32_t)i);

		slice.endpoints[i] = (struct slice_endpoint){ addr_from_v4(&addr), "", true, true, false };
	}
	change(CHANGE_SLICE, &said.slice, &slice);
	settle();
	assert_string_equal(behind_web(), "10.0.0.1:8080"); /* as before (C13) */
	assert_int_equal(services_counts(services).refused, 1);
	slice.n_endpoints = 2;
	change(CHANGE_SLICE, &slice, &slice);
	settle();
	assert_string_equal(behind_web(), "10.1.0.0:8080 10.1.0.1:8080");
	assert_int_equal(services_counts(services).refused, 0);
	change(CHANGE_SLICE, &slice, NULL);
	settle();
	free(slice.endpoints);
}

/* --- a restart */

static void adopt(void)
{
	struct bh_service_snapshot snapshot = { kernel.fronts, (uint32_t)kernel.n_fronts, kernel.groups,
						(uint32_t)kernel.n_groups };

	services_free(services);
	services = services_new();
	assert_non_null(services);
	assert_int_equal(services_adopt(services, &snapshot), 0);
}

static void a_restart_takes_over_what_is_there(void **state)
{
	struct said said = { 0 };
	struct service *world_services[] = { &web };
	struct endpoint_slice *world_slices[] = { &said.slice };
	struct world world = {
		.services = world_services, .n_services = 1, .slices = world_slices, .n_slices = 1
	};

	(void)state;
	for (int i = 1; i <= 9; i++)
		endpoint(&said, (char[]){ '1', '0', '.', '0', '.', '0', '.', (char)('0' + i), 0 }, true, true,
			 false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SERVICE, NULL, &api);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	/* A crash left a set that no front has. */
	kernel.groups[kernel.n_groups++].key = (struct bh_group_key){ 77, 0 };
	adopt();
	assert_int_equal(services_reset(services, &world), 0);
	settle();
	assert_int_equal(kernel.n_fronts, 1); /* api is gone meanwhile */
	assert_int_equal(kernel.n_groups, 2);
	assert_int_equal(kernel.writes, 1 + 1 + 1); /* its row, the fence, the set left over */
	/* And numbers go on where they were. */
	said.slice.n_endpoints = 3;
	change(CHANGE_SLICE, &said.slice, &said.slice);
	settle();
	assert_true(kernel.fronts[0].service.set > 77);
}

static void off_empties_the_tables(void **state)
{
	struct said said = { 0 };

	(void)state;
	endpoint(&said, "10.0.0.1", true, true, false);
	change(CHANGE_SERVICE, NULL, &web);
	change(CHANGE_SLICE, NULL, &said.slice);
	settle();
	adopt();
	assert_int_equal(services_reset(services, NULL), 0);
	settle();
	assert_int_equal(kernel.n_fronts, 0);
	assert_int_equal(kernel.n_groups, 0);
}

/* --- any order of changes gives what the last state says */

static void random_changes_agree_with_a_fresh_start(void **state)
{
	enum { SLICES = 6 };
	static struct said said[SLICES], old[SLICES];
	bool there[SLICES] = { false };

	(void)state;
	srandom(7);
	change(CHANGE_SERVICE, NULL, &web);
	for (int round = 0; round < 2000; round++) {
		int i = (int)(random() % SLICES), n = (int)(random() % 20);
		char was[512];

		old[i] = said[i];
		old[i].slice.endpoints = old[i].endpoints;
		if (there[i])
			change(CHANGE_SLICE, &said[i].slice, NULL);
		there[i] = random() % 4 != 0;
		memset(&said[i], 0, sizeof(said[i]));
		for (int k = 0; k < n; k++) {
			char addr[32];

			snprintf(addr, sizeof(addr), "10.0.%ld.%ld", random() % 2, random() % 30 + 1);
			endpoint(&said[i], addr, random() % 3 == 0, random() % 2, random() % 2);
		}
		if (!n)
			endpoint(&said[i], "10.9.9.9", false, false, false);
		if (there[i])
			change(CHANGE_SLICE, NULL, &said[i].slice);
		if (random() % 3)
			settle();
		if (round % 50)
			continue;
		settle();
		snprintf(was, sizeof(was), "%s", behind_web());
		assert_in_range(kernel.n_groups, 0, 16);
		services_free(services);
		services = services_new();
		memset(&kernel, 0, sizeof(kernel));
		change(CHANGE_SERVICE, NULL, &web);
		for (int k = 0; k < SLICES; k++)
			if (there[k])
				change(CHANGE_SLICE, NULL, &said[k].slice);
		settle();
		assert_string_equal(behind_web(), was);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ready_endpoints_serve, setup, teardown),
		cmocka_unit_test_setup_teardown(terminating_ones_serve_when_none_is_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(without_endpoints_the_row_says_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(local_traffic_stays_here, setup, teardown),
		cmocka_unit_test_setup_teardown(families_do_not_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(headless_and_names_have_no_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(pods_stand_for_slices, setup, teardown),
		cmocka_unit_test_setup_teardown(one_change_writes_one_service, setup, teardown),
		cmocka_unit_test_setup_teardown(udp_flows_hear_of_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(first_comes_keeps_the_address, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_backends_are_refused_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restart_takes_over_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(off_empties_the_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(random_changes_agree_with_a_fresh_start, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
