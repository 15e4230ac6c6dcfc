// SPDX-License-Identifier: Apache-2.0
/* R24 across a restart: what a daemon remembered, the next one knows. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/keeper.h"
#include "base/file.h"

struct scene {
	struct world world; /* one namespace "shop" and its policies */
	struct attachments attachments;
	struct keeper keeper;
	char folder[32], path[64];
};

static void add_policy(struct scene *scene, const char *name, bool egress)
{
	struct netpol *netpol = calloc(1, sizeof(*netpol));

	assert_non_null(netpol);
	netpol->namespace = strdup("shop");
	netpol->name = strdup(name);
	netpol->uid = strdup("u");
	netpol->pods.has = true;
	netpol->isolates[BH_INGRESS] = true;
	netpol->isolates[BH_EGRESS] = egress;
	scene->world.netpols =
		reallocarray(scene->world.netpols, scene->world.n_netpols + 1, sizeof(struct netpol *));
	assert_non_null(scene->world.netpols);
	scene->world.netpols[scene->world.n_netpols++] = netpol;
}

static void drop_policies(struct scene *scene)
{
	while (scene->world.n_netpols)
		netpol_free(scene->world.netpols[--scene->world.n_netpols]);
}

static void attach(struct scene *scene)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	assert_non_null(attachment);
	attachment->container_id = strdup("c1");
	attachment->ifname = strdup("eth0");
	attachment->endpoint.namespace = strdup("shop");
	attachment->endpoint.pod = strdup("web");
	attachment->endpoint.uid = strdup("");
	assert_int_equal(attachments_put(&scene->attachments, attachment, NULL), 0);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct namespace *ns = calloc(1, sizeof(*ns));

	if (!scene || !ns)
		return -1;
	ns->name = strdup("shop");
	scene->world.namespaces = calloc(1, sizeof(ns));
	scene->world.namespaces[scene->world.n_namespaces++] = ns;
	strcpy(scene->folder, "/tmp/bulkhead-keeper.XXXXXX");
	if (!mkdtemp(scene->folder))
		return -1;
	snprintf(scene->path, sizeof(scene->path), "%s/kept.json", scene->folder);
	attach(scene);
	*state = scene;
	return keeper_load(&scene->keeper, scene->path, NULL);
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	keeper_done(&scene->keeper);
	attachments_done(&scene->attachments);
	world_done(&scene->world);
	unlink(scene->path);
	rmdir(scene->folder);
	free(scene);
	return 0;
}

static void update(struct scene *scene)
{
	assert_int_equal(keeper_update(&scene->keeper, &scene->world, &scene->attachments, NULL), 0);
}

static int restart(struct scene *scene, struct err *err)
{
	keeper_done(&scene->keeper);
	return keeper_load(&scene->keeper, scene->path, err);
}

static void policies_that_vanish_during_a_restart_count_on(void **state)
{
	struct scene *scene = *state;
	struct netpol *before;

	add_policy(scene, "a", false);
	add_policy(scene, "b", true);
	update(scene);
	before = netpol_copy(scene->world.netpols[1]);
	drop_policies(scene);
	scene->world.namespaces[0]->terminating = true;
	assert_int_equal(restart(scene, NULL), 0);
	update(scene);
	assert_int_equal(scene->keeper.n, 2);
	assert_true(scene->keeper.v[0].missing && scene->keeper.v[1].missing);
	assert_true(netpol_equal(scene->keeper.v[1].netpol, before));
	assert_int_equal(restart(scene, NULL), 0); /* and once more */
	update(scene);
	assert_int_equal(scene->keeper.n, 2);
	netpol_free(before);
}

static void the_file_holds_the_newest_form_of_a_policy(void **state)
{
	struct scene *scene = *state;

	add_policy(scene, "a", false);
	update(scene);
	scene->world.netpols[0]->isolates[BH_EGRESS] = true;
	update(scene);
	drop_policies(scene);
	scene->world.namespaces[0]->terminating = true;
	assert_int_equal(restart(scene, NULL), 0);
	update(scene);
	assert_int_equal(scene->keeper.n, 1);
	assert_true(scene->keeper.v[0].netpol->isolates[BH_EGRESS]);
}

static void a_living_namespaces_policies_are_the_sources_alone(void **state)
{
	struct scene *scene = *state;

	add_policy(scene, "a", false);
	update(scene);
	drop_policies(scene);
	assert_int_equal(restart(scene, NULL), 0);
	update(scene);
	assert_int_equal(scene->keeper.n, 0);
	scene->world.namespaces[0]->terminating = true; /* too late */
	assert_int_equal(restart(scene, NULL), 0);
	update(scene);
	assert_int_equal(scene->keeper.n, 0);
}

static void problems_travel_along(void **state)
{
	struct scene *scene = *state;
	struct netpol *netpol;

	add_policy(scene, "a", false);
	netpol = scene->world.netpols[0];
	netpol->problems = calloc(1, sizeof(char *));
	netpol->problems[netpol->n_problems++] = strdup("spec.ingress[0]: wrong");
	netpol->rules[BH_INGRESS] = calloc(1, sizeof(struct rule));
	netpol->rules[BH_INGRESS][netpol->n_rules[BH_INGRESS]++].invalid = true;
	update(scene);
	assert_int_equal(restart(scene, NULL), 0);
	assert_int_equal(scene->keeper.n, 1);
	netpol = scene->keeper.v[0].netpol;
	assert_int_equal(netpol->n_problems, 1);
	assert_string_equal(netpol->problems[0], "spec.ingress[0]: wrong");
	assert_int_equal(netpol->n_rules[BH_INGRESS], 1);
	assert_true(netpol->rules[BH_INGRESS][0].invalid);
}

/* Closed, in both directions, until the namespace is gone; a living one as it says. */
static void a_file_that_cannot_be_read_closes_what_terminates(void **state)
{
	static const char *const texts[] = { "",
					     "{",
					     "{\"version\":2,\"policies\":[]}",
					     "{\"policies\":[]}",
					     "{\"version\":1,\"policies\":[{\"policy\":{}}]}",
					     "{\"version\":1,\"policies\":[{\"policy\":{\"metadata\":"
					     "{\"name\":\"a\"}}}]}" };
	struct scene *scene = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = { 0 };

		scene->world.namespaces[0]->terminating = true;
		assert_int_equal(file_write_atomic(scene->path, texts[i], strlen(texts[i]), 0600, NULL), 0);
		assert_int_equal(restart(scene, &err), -EBADMSG);
		assert_non_null(strstr(err.msg, scene->path));
		update(scene);
		assert_int_equal(scene->keeper.n, 1);
		assert_true(scene->keeper.v[0].netpol->isolates[BH_INGRESS]);
		assert_true(scene->keeper.v[0].netpol->isolates[BH_EGRESS]);
		assert_int_equal(restart(scene, NULL), 0); /* the new file is whole */
		update(scene);
		assert_int_equal(scene->keeper.n, 1);
		scene->world.namespaces[0]->terminating = false;
		update(scene);
		assert_int_equal(scene->keeper.n, 0);
	}
}

/* An older form must not be what is found: it may have allowed more. */
static void what_cannot_be_written_leaves_nothing_older(void **state)
{
	struct scene *scene = *state;
	char temp[80];

	add_policy(scene, "a", false);
	update(scene);
	assert_int_equal(access(scene->path, F_OK), 0);
	keeper_done(&scene->keeper);
	/* A path that is too deep to be written: its folder is a file. */
	snprintf(temp, sizeof(temp), "%s/x", scene->path);
	assert_int_equal(keeper_load(&scene->keeper, temp, NULL), -EBADMSG);
	update(scene);
	assert_int_equal(scene->keeper.written, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(policies_that_vanish_during_a_restart_count_on),
		TEST(the_file_holds_the_newest_form_of_a_policy),
		TEST(a_living_namespaces_policies_are_the_sources_alone),
		TEST(problems_travel_along),
		TEST(a_file_that_cannot_be_read_closes_what_terminates),
		TEST(what_cannot_be_written_leaves_nothing_older),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
