// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/build.h"
#include "policy/worldindex.h"

static struct world world;
static struct worldindex names;

static void add_pod(const char *namespace, const char *name, const char *uid)
{
	struct pod *pod = a_pod(namespace, name, "");

	free(pod->uid);
	pod->uid = strdup(uid);
	world_add_pod(&world, pod);
}

static void start(void)
{
	world = (struct world){ 0 };
	add_pod("b", "x", "2");
	add_pod("a", "y", "");
	add_pod("b", "x", "1");
	add_pod("a", "x", "3");
	world_add_namespace(&world, a_namespace("b", ""));
	world_add_namespace(&world, a_namespace("a", ""));
	world_add_policy(&world, a_policy("b", "2", ""));
	world_add_policy(&world, a_policy("c", "1", ""));
	world_add_policy(&world, a_policy("b", "1", ""));
	assert_int_equal(worldindex_init(&names, &world), 0);
}

static void stop(void)
{
	worldindex_done(&names);
	world_done(&world);
}

static void pods_are_found_by_name_and_uid(void **state)
{
	(void)state;
	start();
	assert_string_equal(worldindex_pod(&names, "b", "x", "2")->uid, "2");
	assert_string_equal(worldindex_pod(&names, "b", "x", NULL)->uid, "1");
	assert_null(worldindex_pod(&names, "b", "x", "9"));
	assert_non_null(worldindex_pod(&names, "a", "y", "anything"));
	assert_null(worldindex_pod(&names, "c", "x", ""));
	assert_null(worldindex_pod(&names, "", "", ""));
	stop();
}

static void policies_come_by_namespace_in_order(void **state)
{
	const struct netpol *const *first;

	(void)state;
	start();
	assert_int_equal(worldindex_netpols(&names, "b", &first), 2);
	assert_string_equal(first[0]->name, "1");
	assert_string_equal(first[1]->name, "2");
	assert_int_equal(worldindex_netpols(&names, "a", &first), 0);
	assert_int_equal(worldindex_netpols(&names, "c", &first), 1);
	stop();
}

static void namespaces_without_an_object_are_not_found(void **state)
{
	(void)state;
	start();
	assert_string_equal(worldindex_namespace(&names, "a")->name, "a");
	assert_null(worldindex_namespace(&names, "c"));
	stop();
}

static void an_empty_world_has_an_empty_index(void **state)
{
	const struct netpol *const *first;
	struct world nothing = { 0 };

	(void)state;
	assert_int_equal(worldindex_init(&names, &nothing), 0);
	assert_null(worldindex_pod(&names, "a", "x", NULL));
	assert_null(worldindex_namespace(&names, "a"));
	assert_int_equal(worldindex_netpols(&names, "a", &first), 0);
	worldindex_done(&names);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_are_found_by_name_and_uid),
		cmocka_unit_test(policies_come_by_namespace_in_order),
		cmocka_unit_test(namespaces_without_an_object_are_not_found),
		cmocka_unit_test(an_empty_world_has_an_empty_index),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
