// SPDX-License-Identifier: Apache-2.0
/* Which endpoints stand behind a Service (who serves). */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/packet.h"
#include "lib/simservices.h"

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
	view.node = "n3";
	view.data = NULL;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, services_setup, services_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ready_endpoints_serve),
		TEST(terminating_ones_serve_when_none_is_ready),
		TEST(without_endpoints_the_row_says_nobody),
		TEST(local_traffic_stays_here),
		TEST(families_do_not_mix),
		TEST(headless_and_names_have_no_rows),
		TEST(pods_stand_for_slices),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
