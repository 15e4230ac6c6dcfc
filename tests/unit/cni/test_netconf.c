// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cni/netconf.h"

#define CONF(version, rest) "{\"cniVersion\":\"" version "\",\"name\":\"pods\",\"type\":\"bulkhead\"" rest "}"
#define IPAM		    ",\"ipam\":{\"type\":\"host-local\"}"

static struct failure failure;

static int parse(const char *text, enum cni_command command, struct netconf *conf)
{
	failure = (struct failure){ 0 };
	return netconf_parse(text, strlen(text), command, conf, &failure);
}

static int code_of(const char *text, enum cni_command command)
{
	auto_netconf struct netconf conf = { 0 };

	return parse(text, command, &conf) == 0 ? 0 : failure.code;
}

static void defaults_are_the_published_ones(void **state)
{
	auto_netconf struct netconf conf = { 0 };

	(void)state;
	assert_int_equal(parse(CONF("1.0.0", IPAM), CNI_ADD, &conf), 0);
	assert_string_equal(conf.name, "pods");
	assert_int_equal(conf.version, CNI_V1_0_0);
	assert_string_equal(conf.run_dir, "/run/bulkhead");
	assert_string_equal(conf.pin_root, "/sys/fs/bpf/bulkhead");
	assert_int_equal(conf.daemon_timeout_ms, 10000);
	assert_int_equal(conf.mtu, 0);
	assert_string_equal(conf.ipam_type, "host-local");
	assert_null(conf.prev_result);
}

static void own_keys_are_taken(void **state)
{
	auto_netconf struct netconf conf = { 0 };

	(void)state;
	assert_int_equal(parse(CONF("1.1.0", IPAM
				    ",\"mtu\":9000,\"runDir\":\"/a\",\"pinRoot\":\"/b\",\"daemonTimeout\":60,"
				    "\"logLevel\":\"error\",\"unknown\":[{}]"),
			       CNI_ADD, &conf),
			 0);
	assert_int_equal(conf.mtu, 9000);
	assert_string_equal(conf.run_dir, "/a");
	assert_string_equal(conf.pin_root, "/b");
	assert_int_equal(conf.daemon_timeout_ms, 60000);
}

static void unsupported_value_names_key_and_value(void **state)
{
	(void)state;
	assert_int_equal(code_of(CONF("1.0.0", IPAM ",\"mtu\":12"), CNI_ADD), CODE_UNSUPPORTED);
	assert_non_null(strstr(failure.msg, "mtu 12"));
	assert_int_equal(code_of(CONF("1.0.0", IPAM ",\"runDir\":\"x\""), CNI_ADD), CODE_UNSUPPORTED);
	assert_non_null(strstr(failure.msg, "runDir \"x\""));
}

static void commands_need_their_versions(void **state)
{
	static const struct {
		enum cni_command command;
		int want[CNI_VERSIONS]; /* 0.3.1, 0.4.0, 1.0.0, 1.1.0 */
	} rows[] = {
		{ CNI_ADD, { 0, 0, 0, 0 } },
		{ CNI_DEL, { 0, 0, 0, 0 } },
		{ CNI_CHECK, { CODE_VERSION, 0, 0, 0 } },
		{ CNI_STATUS, { CODE_VERSION, CODE_VERSION, CODE_VERSION, 0 } },
		{ CNI_GC, { CODE_VERSION, CODE_VERSION, CODE_VERSION, 0 } },
	};
	static const char *const texts[] = { CONF("0.3.1", IPAM ",\"prevResult\":{}"),
					     CONF("0.4.0", IPAM ",\"prevResult\":{}"),
					     CONF("1.0.0", IPAM ",\"prevResult\":{}"),
					     CONF("1.1.0", IPAM ",\"prevResult\":{}") };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int v = 0; v < CNI_VERSIONS; v++)
			assert_int_equal(code_of(texts[v], rows[i].command), rows[i].want[v]);
	}
	assert_int_equal(code_of(CONF("1.2.0", IPAM), CNI_DEL), CODE_VERSION);
	assert_int_equal(code_of("{\"name\":\"pods\"}", CNI_DEL), CODE_VERSION);
}

static void sections_are_needed_where_they_are_used(void **state)
{
	(void)state;
	assert_int_equal(code_of(CONF("1.0.0", ""), CNI_ADD), CODE_CONFIG);
	assert_int_equal(code_of(CONF("1.0.0", ",\"prevResult\":{}"), CNI_ADD), 0);
	assert_int_equal(code_of(CONF("1.0.0", ",\"prevResult\":null"), CNI_ADD), CODE_CONFIG);
	assert_int_equal(code_of(CONF("1.0.0", ""), CNI_DEL), 0);
	assert_int_equal(code_of(CONF("1.0.0", IPAM), CNI_CHECK), CODE_CONFIG);
	assert_int_equal(code_of(CONF("1.0.0", ",\"ipam\":{\"type\":\"../x\"}"), CNI_DEL), CODE_CONFIG);
}

static void text_that_is_no_object_is_undecodable(void **state)
{
	(void)state;
	assert_int_equal(code_of("", CNI_ADD), CODE_UNDECODABLE);
	assert_int_equal(code_of("[]", CNI_ADD), CODE_UNDECODABLE);
	assert_int_equal(code_of("{\"name\":\"a\",\"name\":\"b\"}", CNI_ADD), CODE_UNDECODABLE);
}

static void shortage_becomes_try_again_later(void **state)
{
	struct err err = { 0 };

	(void)state;
	err_set(&err, 12 /* ENOMEM */, "no memory");
	assert_int_equal(failure_from(&failure, CODE_LINK, &err, "wire"), -1);
	assert_int_equal(failure.code, CODE_TRY_LATER);
	assert_string_equal(failure.details, "no memory");
	err_set(&err, 5 /* EIO */, "bad disk");
	failure_from(&failure, CODE_LINK, &err, "wire");
	assert_int_equal(failure.code, CODE_LINK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_published_ones),
		cmocka_unit_test(own_keys_are_taken),
		cmocka_unit_test(unsupported_value_names_key_and_value),
		cmocka_unit_test(commands_need_their_versions),
		cmocka_unit_test(sections_are_needed_where_they_are_used),
		cmocka_unit_test(text_that_is_no_object_is_undecodable),
		cmocka_unit_test(shortage_becomes_try_again_later),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("netconf", tests, NULL, NULL);
}
