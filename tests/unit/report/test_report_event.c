// SPDX-License-Identifier: Apache-2.0
/* Dropped packets in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bulkhead/reason.h>

#include "base/cleanup.h"
#include "lib/smallworld.h"
#include "lib/text_has.h"

static void a_drop_names_everything_in_one_line(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 5432);
	auto_json cJSON *json = NULL;
	const char *sentence;

	keep_first_rule(world);
	assert_int_equal(report_event(world, &the_node, &event, world->pods[2], &json, NULL), 0);
	assert_string_equal(text_at(json, "action", NULL), "drop");
	assert_string_equal(text_at(json, "reason", NULL), "policy");
	assert_string_equal(text_at(json, "direction", NULL), "ingress");
	assert_string_equal(text_at(json, "from", NULL), "shop/job");
	assert_string_equal(text_at(json, "to", NULL), "shop/db");
	assert_int_equal(json_get(json, "port")->valueint, 5432);
	sentence = text_at(json, "sentence", NULL);
	assert_null(strchr(sentence, '\n'));
	text_has(sentence,
		 "dropped TCP shop/job (10.0.0.2) -> shop/db (10.0.0.3) port 5432, ingress of shop/db; ");
	text_has(sentence, "isolated by shop/db");
	text_has(sentence, "rule 0 of shop/db");
	text_has(sentence, "job");
	assert_non_null(json_get(json_get(json, "explanation"), "ingress"));
}

static void a_drop_names_the_service_that_was_dialled(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 5432);
	auto_json cJSON *json = NULL, *nobody = NULL;

	services_add(world);
	keep_first_rule(world);
	event.service = addr_of("10.96.0.7");
	event.service_port = htons(80);
	assert_int_equal(report_event(world, &the_node, &event, world->pods[2], &json, NULL), 0);
	text_has(text_at(json, "sentence", NULL), "-> shop/db (10.0.0.3) port 5432 by Service shop/data "
						  "(10.96.0.7 port 80), ingress of shop/db");
	assert_string_equal(text_at(json, "service", NULL), "shop/data");
	assert_string_equal(text_at(json, "serviceAddress", NULL), "10.96.0.7");
	assert_int_equal(json_get(json, "servicePort")->valueint, 80);
	/* Nobody serves: it never became another address. */
	event = an_event("10.0.0.2", "10.96.0.8", 80);
	event.direction = BH_EGRESS;
	event.reason = BH_NO_BACKEND;
	assert_int_equal(report_event(world, &the_node, &event, NULL, &nobody, NULL), 0);
	text_has(text_at(nobody, "sentence", NULL), "by Service shop/nothing (10.96.0.8 port 80)");
	text_has(text_at(nobody, "sentence", NULL), "no endpoint serves this Service now");
}

static void a_drop_at_the_tunnel_names_the_node(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 5432);
	auto_json cJSON *in = NULL, *out = NULL;

	services_add(world);
	event.reason = BH_TUNNEL_SENDER;
	event.service = addr_of("10.96.0.7"); /* a node's address here, whatever else has it */
	assert_int_equal(report_event(world, &the_node, &event, NULL, &in, NULL), 0);
	text_has(text_at(in, "sentence", NULL),
		 "port 5432, out of the tunnel from 10.96.0.7: tunnel packet whose "
		 "source is in no pod range of the node that sent it");
	assert_string_equal(text_at(in, "tunnelFrom", NULL), "10.96.0.7");
	assert_null(json_get(in, "service"));
	event.reason = BH_TUNNEL_RANGE;
	event.direction = BH_EGRESS;
	event.service = (struct bh_addr){ 0 };
	assert_int_equal(report_event(world, &the_node, &event, NULL, &out, NULL), 0);
	text_has(text_at(out, "sentence", NULL), "port 5432, into the tunnel: tunnel packet to no pod range");
	assert_null(json_get(out, "tunnelFrom"));
}

static void a_drop_that_policy_did_not_decide_gives_its_reason(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.9.9.9", "10.0.0.3", 5432);
	auto_json cJSON *json = NULL;

	event.direction = BH_EGRESS;
	event.reason = BH_SRC_ADDR;
	assert_int_equal(report_event(world, &the_node, &event, world->pods[1], &json, NULL), 0);
	assert_string_equal(text_at(json, "from", NULL), "shop/job");
	assert_string_equal(text_at(json, "fromAddress", NULL), "10.9.9.9");
	assert_string_equal(text_at(json, "reason", NULL), "src_addr");
	text_has(text_at(json, "sentence", NULL), "egress of shop/job: source address is not the pod's");
	assert_null(json_get(json, "explanation"));
}

static void a_drop_that_policies_now_allow_says_so(void **state)
{
	struct bh_event event = an_event("10.0.0.1", "10.0.0.3", 5432);
	struct world *world = *state;
	auto_json cJSON *json = NULL;

	assert_int_equal(report_event(world, &the_node, &event, world->pods[2], &json, NULL), 0);
	text_has(text_at(json, "sentence", NULL), "the policies as they are now would let it pass");
}

static void unknown_ends_and_reasons_still_print(void **state)
{
	struct bh_event event = an_event("203.0.113.9", "198.51.100.7", 1);
	auto_json cJSON *json = NULL;

	event.reason = 63;
	event.proto = 47;
	assert_int_equal(report_event(*state, &the_node, &event, NULL, &json, NULL), 0);
	assert_string_equal(text_at(json, "reason", NULL), "unknown");
	assert_string_equal(text_at(json, "protocol", NULL), "47");
	assert_null(json_get(json, "port"));
	text_has(text_at(json, "sentence", NULL), "dropped 47 203.0.113.9 -> 198.51.100.7, ingress of");
}

static void a_frame_that_was_not_parsed_is_called_one(void **state)
{
	struct bh_event event = {
		.ifindex = 7, .direction = BH_EGRESS, .reason = BH_ETHERTYPE, .ethertype = 0x88cc
	};
	struct world *world = *state;
	auto_json cJSON *known = NULL;
	auto_json cJSON *unknown = NULL;

	assert_int_equal(report_event(world, &the_node, &event, world->pods[1], &known, NULL), 0);
	text_has(text_at(known, "sentence", NULL), "dropped frame of type 0x88cc, egress of shop/job: ");
	event.ethertype = 0x86dd;
	event.reason = BH_CLOSED;
	assert_int_equal(report_event(world, &the_node, &event, NULL, &unknown, NULL), 0);
	text_has(text_at(unknown, "sentence", NULL), "dropped IPv6 frame, egress of interface 7: ");
}

static void a_pod_that_is_not_known_is_not_explained(void **state)
{
	struct bh_event event = an_event("203.0.113.9", "198.51.100.7", 80);
	auto_json cJSON *json = NULL;

	event.reason = BH_POLICY;
	assert_int_equal(report_event(*state, &the_node, &event, NULL, &json, NULL), 0);
	assert_null(json_get(json, "explanation"));
	text_has(text_at(json, "sentence", NULL),
		 ": no rule allows it; why is not known, for the pod is not");
}

static void event_times_are_wall_clock(void **state)
{
	struct bh_event event = an_event("10.0.0.1", "10.0.0.3", 1);
	auto_json cJSON *json = NULL;
	struct timespec mono;
	int year = 0, month = 0;
	struct tm tm;
	time_t now = time(NULL);

	clock_gettime(CLOCK_MONOTONIC, &mono);
	event.time_ns = (__u64)mono.tv_sec * 1000000000u;
	assert_int_equal(report_event(*state, &the_node, &event, NULL, &json, NULL), 0);
	assert_int_equal(sscanf(text_at(json, "time", NULL), "%d-%d-", &year, &month), 2);
	gmtime_r(&now, &tm);
	assert_int_equal(year, tm.tm_year + 1900);
	assert_int_equal(text_at(json, "time", NULL)[strlen(text_at(json, "time", NULL)) - 1], 'Z');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, smallworld_setup, smallworld_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_drop_names_everything_in_one_line),
		TEST(a_drop_names_the_service_that_was_dialled),
		TEST(a_drop_at_the_tunnel_names_the_node),
		TEST(a_drop_that_policy_did_not_decide_gives_its_reason),
		TEST(a_drop_that_policies_now_allow_says_so),
		TEST(unknown_ends_and_reasons_still_print),
		TEST(a_frame_that_was_not_parsed_is_called_one),
		TEST(a_pod_that_is_not_known_is_not_explained),
		TEST(event_times_are_wall_clock),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
