// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cni/result.h"

static struct failure failure;

static cJSON *json_of(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

static int parse(const char *text, int interface, struct result *result)
{
	auto_json cJSON *json = json_of(text);

	return result_parse(json, interface, result, &failure);
}

static void addresses_keep_their_host_bits(void **state)
{
	auto_result struct result result = { 0 };
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(parse("{\"ips\":[{\"address\":\"10.1.2.3/24\",\"gateway\":\"10.1.2.1\"},"
			       "{\"version\":\"6\",\"address\":\"fd00::5/64\"}]}",
			       -1, &result),
			 0);
	assert_int_equal(result.n_ips, 2);
	addr_format(&result.ips[0].addr, text);
	assert_string_equal(text, "10.1.2.3");
	assert_int_equal(result.ips[0].len, 96 + 24);
	assert_true(result.ips[0].has_gateway);
	assert_int_equal(result.ips[1].len, 64);
	assert_false(result.ips[1].has_gateway);
}

static void only_addresses_of_the_interface_count(void **state)
{
	static const char prev[] = "{\"interfaces\":[{\"name\":\"cni0\"},{\"name\":\"eth0\",\"sandbox\":\"/"
				   "x\"},{\"name\":\"eth0\"}],"
				   "\"ips\":[{\"interface\":0,\"address\":\"10.0.0.1/"
				   "24\"},{\"interface\":1,\"address\":\"10.0.0.2/24\"},"
				   "{\"address\":\"10.0.0.3/24\"}]}";
	auto_result struct result result = { 0 };
	auto_json cJSON *json = json_of(prev);

	(void)state;
	assert_int_equal(result_pod_interface(json, "eth0"), 1);
	assert_int_equal(result_pod_interface(json, "eth1"), -1);
	assert_int_equal(result_pod_interface(json, "cni0"), -1);
	assert_int_equal(result_parse(json, 1, &result, &failure), 0);
	assert_int_equal(result.n_ips, 2);
}

static void routes_are_read_with_what_cni_1_1_added(void **state)
{
	auto_result struct result result = { 0 };

	(void)state;
	assert_int_equal(
		parse("{\"ips\":[{\"address\":\"10.1.2.3/24\"}],\"routes\":[{\"dst\":\"0.0.0.0/0\"},"
		      "{\"dst\":\"10.9.1.7/"
		      "16\",\"gw\":\"10.1.2.9\",\"mtu\":1400,\"priority\":7,\"advmss\":1300,\"table\":9}]}",
		      -1, &result),
		0);
	assert_int_equal(result.n_routes, 2);
	assert_false(result.routes[0].has_gateway);
	assert_true(result.routes[1].has_gateway);
	assert_int_equal(result.routes[1].dst.addr.b[15], 0);
	assert_int_equal(result.routes[1].mtu, 1400);
	assert_int_equal(result.routes[1].priority, 7);
	assert_int_equal(result.routes[1].advmss, 1300);
	assert_int_equal(result.routes[1].table, 9);
}

static void unusable_results_are_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"ips\":[]}",
		"{\"ips\":{}}",
		"{\"ips\":[{\"address\":\"10.0.0.1\"}]}",
		"{\"ips\":[{\"address\":\"10.0.0.1/33\"}]}",
		"{\"ips\":[{\"address\":\"0.0.0.0/0\"}]}",
		"{\"ips\":[{\"address\":\"127.0.0.1/8\"}]}",
		"{\"ips\":[{\"address\":\"224.0.0.1/4\"}]}",
		"{\"ips\":[{\"address\":\"ff02::1/128\"}]}",
		"{\"ips\":[{\"address\":\"::/128\"}]}",
		"{\"ips\":[{\"address\":\"::ffff:10.0.0.1/128\"}]}",
		"{\"ips\":[{\"address\":\"10.0.0.1/24\",\"gateway\":\"fd00::1\"}]}",
		"{\"ips\":[{\"address\":\"10.0.0.1/24\"}],\"routes\":[{\"dst\":\"::/"
		"0\",\"gw\":\"10.0.0.1\"}]}",
		"{\"ips\":[{\"address\":\"10.0.0.1/24\"}],\"routes\":[{\"dst\":\"10.0.0.0/8\",\"mtu\":-1}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_result struct result result = { 0 };

		failure = (struct failure){ 0 };
		assert_int_equal(parse(texts[i], -1, &result), -1);
		assert_int_equal(failure.code, CODE_IPAM_RESULT);
		assert_null(result.routes);
	}
}

static void built(enum cni_version version, const char *conf_text, const char *want)
{
	static const char answer_text[] =
		"{\"ips\":[{\"address\":\"10.1.0.5/24\",\"gateway\":\"10.1.0.1\"}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"nameservers\":[\"10.0.0.10\"]}}";
	static const uint8_t host_mac[6] = { 2, 0, 0, 0, 0, 1 }, pod_mac[6] = { 2, 0, 0, 0, 0, 2 };
	const struct result_interface interfaces[] = {
		{ .name = "bh1", .mac = host_mac, .mtu = 1500 },
		{ .name = "eth0", .sandbox = "/x", .mac = pod_mac, .mtu = 1500 },
	};
	auto_json cJSON *answer = json_of(answer_text), *conf_json = json_of(conf_text);
	struct netconf conf = { .version = version, .json = conf_json };
	auto_result struct result result = { 0 };

	assert_int_equal(result_parse(answer, -1, &result, &failure), 0);

	auto_json cJSON *out = result_build(&conf, &result, answer, interfaces);
	auto_free char *text = cJSON_PrintUnformatted(out);

	assert_string_equal(text, want);
}

static void result_has_the_shape_of_its_version(void **state)
{
	(void)state;
	built(CNI_V0_3_1, "{}",
	      "{\"cniVersion\":\"0.3.1\",\"interfaces\":[{\"name\":\"bh1\",\"mac\":\"02:00:00:00:00:01\"},"
	      "{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\",\"sandbox\":\"/x\"}],"
	      "\"ips\":[{\"version\":\"4\",\"interface\":1,\"address\":\"10.1.0.5/"
	      "32\",\"gateway\":\"10.1.0.1\"}],"
	      "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"nameservers\":[\"10.0.0.10\"]}}");
	built(CNI_V1_1_0, "{\"dns\":{\"domain\":\"x\"}}",
	      "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"bh1\",\"mac\":\"02:00:00:00:00:01\","
	      "\"mtu\":1500},"
	      "{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\",\"mtu\":1500,\"sandbox\":\"/x\"}],"
	      "\"ips\":[{\"interface\":1,\"address\":\"10.1.0.5/32\",\"gateway\":\"10.1.0.1\"}],"
	      "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"domain\":\"x\"}}");
}

static void mac_text_is_strict(void **state)
{
	uint8_t mac[6];

	(void)state;
	assert_int_equal(mac_parse("02:00:5e:00:00:ff", mac), 0);
	assert_int_equal(mac[5], 0xff);
	assert_true(mac_parse("02:00:5e:00:00:f", mac) < 0);
	assert_true(mac_parse("02:00:5e:00:00:ff:00", mac) < 0);
	assert_true(mac_parse("02:00:5e:00:00", mac) < 0);
	assert_true(mac_parse("", mac) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_keep_their_host_bits),
		cmocka_unit_test(only_addresses_of_the_interface_count),
		cmocka_unit_test(routes_are_read_with_what_cni_1_1_added),
		cmocka_unit_test(unusable_results_are_refused),
		cmocka_unit_test(result_has_the_shape_of_its_version),
		cmocka_unit_test(mac_text_is_strict),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
