// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cni/env.h"

static struct failure failure;

static void environment(const char *command, const char *args)
{
	clearenv();
	failure = (struct failure){ 0 };
	setenv("CNI_COMMAND", command, 1);
	setenv("CNI_CONTAINERID", "c1", 1);
	setenv("CNI_NETNS", "/run/netns/x", 1);
	setenv("CNI_IFNAME", "eth0", 1);
	setenv("CNI_PATH", "/opt/cni/bin", 1);
	if (args)
		setenv("CNI_ARGS", args, 1);
}

static void well_formed_environment_is_read(void **state)
{
	struct cni_env env;

	(void)state;
	environment("ADD", "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0.a;K8S_POD_UID=6c0f-1;");
	assert_int_equal(cni_env_read(&env, &failure), 0);
	assert_int_equal(env.command, CNI_ADD);
	assert_string_equal(env.container_id, "c1");
	assert_string_equal(env.namespace, "shop");
	assert_string_equal(env.pod, "web-0.a");
	assert_string_equal(env.uid, "6c0f-1");
	assert_false(env.netns_override);
}

static void a_runtime_without_kubernetes_gives_no_pod(void **state)
{
	struct cni_env env;

	(void)state;
	environment("ADD", NULL);
	assert_int_equal(cni_env_read(&env, &failure), 0);
	assert_string_equal(env.namespace, "");
	assert_string_equal(env.pod, "");
}

static void override_is_one_or_true(void **state)
{
	static const struct {
		const char *value;
		bool want;
	} rows[] = { { "1", true },  { "true", true }, { "TRUE", true },
		     { "0", false }, { "yes", false }, { "", false } };
	struct cni_env env;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		environment("ADD", NULL);
		setenv("CNI_NETNS_OVERRIDE", rows[i].value, 1);
		assert_int_equal(cni_env_read(&env, &failure), 0);
		assert_int_equal(env.netns_override, rows[i].want);
	}
}

static void every_missing_variable_is_named(void **state)
{
	struct cni_env env;

	(void)state;
	environment("ADD", NULL);
	unsetenv("CNI_CONTAINERID");
	setenv("CNI_NETNS", "", 1);
	unsetenv("CNI_PATH");
	assert_int_equal(cni_env_read(&env, &failure), -1);
	assert_int_equal(failure.code, CODE_ENVIRONMENT);
	assert_string_equal(failure.msg, "missing environment: CNI_CONTAINERID CNI_NETNS CNI_PATH");
}

static void del_needs_only_id_and_name(void **state)
{
	struct cni_env env;

	(void)state;
	environment("DEL", "this is no argument list");
	unsetenv("CNI_NETNS");
	unsetenv("CNI_PATH");
	assert_int_equal(cni_env_read(&env, &failure), 0);
	assert_string_equal(env.netns, "");
	assert_string_equal(env.path, "");
}

static void same_argument_twice_is_accepted_only_with_one_value(void **state)
{
	struct cni_env env;

	(void)state;
	environment("ADD", "K8S_POD_NAMESPACE=a;K8S_POD_NAMESPACE=a;K8S_POD_NAME=x");
	assert_int_equal(cni_env_read(&env, &failure), 0);
	environment("ADD", "K8S_POD_NAMESPACE=a;K8S_POD_NAMESPACE=b;K8S_POD_NAME=x");
	assert_int_equal(cni_env_read(&env, &failure), -1);
	assert_int_equal(failure.code, CODE_ENVIRONMENT);
}

static void hostile_values_are_escaped_in_messages(void **state)
{
	struct cni_env env;

	(void)state;
	environment("ADD", NULL);
	setenv("CNI_CONTAINERID", "a\n\x1b[31mfake", 1);
	assert_int_equal(cni_env_read(&env, &failure), -1);
	assert_null(strchr(failure.msg, '\n'));
	assert_null(strchr(failure.msg, '\x1b'));
	assert_non_null(strstr(failure.msg, "CNI_CONTAINERID"));
}

static void ids_and_names_follow_the_specification(void **state)
{
	char longest[CNI_ID_MAX + 2];

	(void)state;
	assert_true(cni_id_valid("0"));
	assert_true(cni_id_valid("a_.-Z9"));
	assert_false(cni_id_valid(""));
	assert_false(cni_id_valid("_a"));
	assert_false(cni_id_valid("a/b"));
	memset(longest, 'a', sizeof(longest));
	longest[CNI_ID_MAX + 1] = '\0';
	assert_false(cni_id_valid(longest));
	longest[CNI_ID_MAX] = '\0';
	assert_true(cni_id_valid(longest));
	assert_true(cni_ifname_valid("eth0"));
	assert_true(cni_ifname_valid("fifteen-bytes-x"));
	assert_false(cni_ifname_valid("sixteen-bytes-xx"));
	assert_false(cni_ifname_valid("all"));
	assert_false(cni_ifname_valid(".."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_environment_is_read),
		cmocka_unit_test(a_runtime_without_kubernetes_gives_no_pod),
		cmocka_unit_test(override_is_one_or_true),
		cmocka_unit_test(every_missing_variable_is_named),
		cmocka_unit_test(del_needs_only_id_and_name),
		cmocka_unit_test(same_argument_twice_is_accepted_only_with_one_value),
		cmocka_unit_test(hostile_values_are_escaped_in_messages),
		cmocka_unit_test(ids_and_names_follow_the_specification),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
