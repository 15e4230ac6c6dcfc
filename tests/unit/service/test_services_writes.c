// SPDX-License-Identifier: Apache-2.0
/* What a change of Services writes, after a restart and in any order. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/packet.h"
#include "lib/simservices.h"

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, services_setup, services_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_change_writes_one_service),	       TEST(udp_flows_hear_of_changes),
		TEST(first_comes_keeps_the_address),	       TEST(too_many_backends_are_refused_whole),
		TEST(a_restart_takes_over_what_is_there),      TEST(off_empties_the_tables),
		TEST(random_changes_agree_with_a_fresh_start),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
