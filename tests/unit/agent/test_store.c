// SPDX-License-Identifier: Apache-2.0
/* Objects and attachments joined: whose pod it is, and whose address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/revisions.h"
#include "agent/store.h"
#include "base/cleanup.h"

struct scene {
	struct world world; /* the source's */
	struct attachments attachments;
	struct posture_config posture;
	struct store store;
};

static struct pod *add_pod(struct scene *scene, const char *name, const char *uid, const char *workload)
{
	struct pod *pod = calloc(1, sizeof(*pod));

	assert_non_null(pod);
	pod->namespace = strdup("shop");
	pod->name = strdup(name);
	pod->uid = strdup(uid);
	pod->node = strdup("");
	pod->workload = strdup(workload);
	assert_int_equal(labels_set(&pod->labels, "app", name), 0);
	pod->ports = calloc(1, sizeof(*pod->ports));
	pod->ports[pod->n_ports++] = (struct named_port){ strdup("http"), 6, 8080 };
	scene->world.pods = reallocarray(scene->world.pods, scene->world.n_pods + 1, sizeof(pod));
	assert_non_null(scene->world.pods);
	scene->world.pods[scene->world.n_pods++] = pod;
	return pod;
}

static void add_addr(struct pod *pod, const char *addr)
{
	pod->addrs = reallocarray(pod->addrs, pod->n_addrs + 1, sizeof(*pod->addrs));
	assert_int_equal(addr_parse(addr, &pod->addrs[pod->n_addrs++]), 0);
}

static struct attachment *attach(struct scene *scene, const char *id, const char *pod, const char *uid,
				 const char *addr)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));

	assert_non_null(attachment);
	attachment->container_id = strdup(id);
	attachment->ifname = strdup("eth0");
	attachment->endpoint.namespace = strdup("shop");
	attachment->endpoint.pod = strdup(pod);
	attachment->endpoint.uid = strdup(uid);
	assert_int_equal(addr_parse(addr, &attachment->endpoint.addrs[0]), 0);
	attachment->endpoint.n_addrs = 1;
	assert_int_equal(attachments_put(&scene->attachments, attachment, NULL), 0);
	return attachment;
}

/* The source's rule in short: the pod of that name, else the workload whose name
 * begins the pod's. */
static const struct pod *pod_for(const void *data, const char *namespace, const char *name)
{
	const struct world *world = data;

	for (size_t i = 0; i < world->n_pods; i++)
		if (strcmp(world->pods[i]->name, name) == 0 &&
		    strcmp(world->pods[i]->namespace, namespace) == 0)
			return world->pods[i];
	for (size_t i = 0; i < world->n_pods; i++)
		if (world->pods[i]->workload[0] &&
		    strncmp(world->pods[i]->name, name, strlen(world->pods[i]->name)) == 0)
			return world->pods[i];
	return NULL;
}

static void build(struct scene *scene)
{
	struct source source = { &scene->world, pod_for, &scene->world };

	assert_int_equal(store_build(&scene->store, &source, &scene->attachments, &scene->posture, NULL), 0);
}

static bool has_addr(const struct pod *pod, const char *text)
{
	struct bh_addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (addr_equal(&pod->addrs[i], &addr))
			return true;
	return false;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct scene));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	store_done(&scene->store);
	attachments_done(&scene->attachments);
	world_done(&scene->world);
	free(scene);
	return 0;
}

static void a_template_becomes_the_attached_pod(void **state)
{
	struct scene *scene = *state;
	const struct attachment *attachment;
	const struct pod *pod;

	add_pod(scene, "web", "", "Deployment/web");
	attachment = attach(scene, "c1", "web-5d9-x", "u1", "10.0.0.1");
	build(scene);
	pod = store_pod(&scene->store, &attachment->endpoint);
	assert_non_null(pod);
	assert_string_equal(pod->name, "web-5d9-x");
	assert_string_equal(pod->uid, "u1");
	assert_string_equal(pod->workload, "Deployment/web");
	assert_string_equal(labels_get(&pod->labels, "app"), "web");
	assert_int_equal(pod->n_ports, 1);
	assert_string_equal(pod->ports[0].name, "http");
	assert_true(has_addr(pod, "10.0.0.1"));
	assert_int_equal(scene->store.world.n_pods, 2); /* the template answers for pods to come */
}

static void a_template_of_the_pods_own_name_stands_aside(void **state)
{
	struct scene *scene = *state;

	add_pod(scene, "web", "", "Deployment/web");
	attach(scene, "c1", "web", "", "10.0.0.1");
	build(scene);
	assert_int_equal(scene->store.world.n_pods, 1);
	assert_true(has_addr(world_pod(&scene->store.world, "shop", "web"), "10.0.0.1"));
}

static void a_pod_object_gets_the_attached_address(void **state)
{
	struct scene *scene = *state;
	const struct attachment *attachment;
	const struct pod *pod;

	add_addr(add_pod(scene, "web", "", ""), "10.0.0.1");
	attachment = attach(scene, "c1", "web", "u1", "fd00::1");
	build(scene);
	pod = store_pod(&scene->store, &attachment->endpoint);
	assert_int_equal(scene->store.world.n_pods, 1);
	assert_string_equal(pod->uid, "u1");
	assert_true(has_addr(pod, "10.0.0.1") && has_addr(pod, "fd00::1"));
	assert_int_equal(scene->world.pods[0]->n_addrs, 1); /* the source's own is untouched */
}

static void an_object_of_another_uid_describes_nothing(void **state)
{
	struct scene *scene = *state;
	const struct attachment *attachment;

	add_pod(scene, "db-0", "old", "");
	attachment = attach(scene, "c1", "db-0", "new", "10.0.0.1");
	build(scene);
	assert_null(store_pod(&scene->store, &attachment->endpoint));
	assert_false(has_addr(world_pod(&scene->store.world, "shop", "db-0"), "10.0.0.1"));
}

static void an_unknown_pod_is_not_made_up(void **state)
{
	struct scene *scene = *state;
	const struct attachment *attachment = attach(scene, "c1", "web", "u1", "10.0.0.1");

	build(scene);
	assert_null(store_pod(&scene->store, &attachment->endpoint));
	assert_int_equal(scene->store.world.n_pods, 0);
}

/* THREATS C6: a finished job still lists an address that was given to another. */
static void an_attached_address_belongs_to_that_pod_alone(void **state)
{
	struct scene *scene = *state;
	struct pod *job = add_pod(scene, "job", "", "");

	add_addr(job, "10.0.0.1");
	add_addr(job, "10.0.0.9");
	add_pod(scene, "web", "", "");
	attach(scene, "c1", "web", "", "10.0.0.1");
	build(scene);
	assert_true(has_addr(world_pod(&scene->store.world, "shop", "web"), "10.0.0.1"));
	assert_false(has_addr(world_pod(&scene->store.world, "shop", "job"), "10.0.0.1"));
	assert_true(has_addr(world_pod(&scene->store.world, "shop", "job"), "10.0.0.9"));
	assert_int_equal(job->n_addrs, 2);
}

static void two_interfaces_of_a_pod_make_one_pod(void **state)
{
	struct scene *scene = *state;
	const struct pod *pod;

	add_pod(scene, "web", "", "");
	attach(scene, "c1", "web", "u1", "10.0.0.1");
	attach(scene, "c2", "web", "u1", "10.0.0.2");
	build(scene);
	pod = world_pod(&scene->store.world, "shop", "web");
	assert_int_equal(scene->store.world.n_pods, 1);
	assert_true(has_addr(pod, "10.0.0.1") && has_addr(pod, "10.0.0.2"));
}

static void a_host_network_pod_gets_no_address(void **state)
{
	struct scene *scene = *state;

	add_pod(scene, "agent", "", "")->host_network = true;
	attach(scene, "c1", "agent", "", "10.0.0.1");
	build(scene);
	assert_int_equal(world_pod(&scene->store.world, "shop", "agent")->n_addrs, 0);
}

static void building_again_forgets_what_left(void **state)
{
	struct scene *scene = *state;

	add_pod(scene, "web", "", "");
	attach(scene, "c1", "web", "", "10.0.0.1");
	build(scene);
	attachment_free(attachments_take(&scene->attachments, "c1", "eth0"));
	build(scene);
	assert_int_equal(scene->store.n_own, 0);
	assert_ptr_equal(scene->store.world.pods[0], scene->world.pods[0]);
}

static struct netpol *add_policy(struct scene *scene, const char *namespace, const char *name)
{
	struct netpol *netpol = calloc(1, sizeof(*netpol));

	assert_non_null(netpol);
	netpol->namespace = strdup(namespace);
	netpol->name = strdup(name);
	netpol->uid = strdup("");
	netpol->pods.has = true;
	netpol->isolates[BH_INGRESS] = true;
	scene->world.netpols = reallocarray(scene->world.netpols, scene->world.n_netpols + 1, sizeof(netpol));
	assert_non_null(scene->world.netpols);
	scene->world.netpols[scene->world.n_netpols++] = netpol;
	return netpol;
}

static struct namespace *add_namespace(struct scene *scene, const char *name)
{
	struct namespace *ns = calloc(1, sizeof(*ns));

	assert_non_null(ns);
	ns->name = strdup(name);
	scene->world.namespaces = calloc(1, sizeof(ns));
	assert_non_null(scene->world.namespaces);
	scene->world.namespaces[scene->world.n_namespaces++] = ns;
	return ns;
}

static void drop_policies(struct scene *scene)
{
	while (scene->world.n_netpols)
		netpol_free(scene->world.netpols[--scene->world.n_netpols]);
}

/* R24: the policies of a namespace go before its last pods do. */
static void a_terminating_namespace_keeps_its_policies(void **state)
{
	struct scene *scene = *state;
	struct namespace *ns = add_namespace(scene, "shop");

	add_pod(scene, "web", "", "");
	attach(scene, "c1", "web", "", "10.0.0.1");
	add_policy(scene, "shop", "deny");
	add_policy(scene, "other", "deny");
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 2);
	ns->terminating = true;
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 2); /* none twice */
	drop_policies(scene);
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 1);
	assert_string_equal(scene->store.world.netpols[0]->namespace, "shop");
	assert_true(scene->store.world.netpols[0]->isolates[BH_INGRESS]);
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 1);
	attachment_free(attachments_take(&scene->attachments, "c1", "eth0"));
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 0);
}

static void a_policy_deleted_from_a_living_namespace_is_gone(void **state)
{
	struct scene *scene = *state;
	struct namespace *ns = add_namespace(scene, "shop");

	add_pod(scene, "web", "", "");
	attach(scene, "c1", "web", "", "10.0.0.1");
	add_policy(scene, "shop", "deny");
	build(scene);
	drop_policies(scene);
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 0);
	ns->terminating = true; /* too late for what was deleted before */
	build(scene);
	assert_int_equal(scene->store.world.n_netpols, 0);
}

/* Every part of a policy is in its copy: the fingerprint reads them all. */
static void a_copy_reads_like_its_policy(void **state)
{
	struct scene *scene = *state;
	struct netpol *netpol = add_policy(scene, "shop", "web"), *copy;
	struct rule *rule = calloc(1, sizeof(*rule));
	struct requirement *requirement = calloc(1, sizeof(*requirement));

	assert_true(rule && requirement);
	netpol->rules[BH_EGRESS] = rule;
	netpol->n_rules[BH_EGRESS] = 1;
	rule->has_peers = rule->has_ports = true;
	rule->peers = calloc(1, sizeof(*rule->peers));
	rule->ports = calloc(1, sizeof(*rule->ports));
	rule->n_peers = rule->n_ports = 1;
	rule->ports[0] = (struct port_match){ .proto = 6, .has_port = true, .name = strdup("http") };
	rule->peers[0].has_block = true;
	assert_int_equal(prefix_parse("10.0.0.0/8", &rule->peers[0].block), 0);
	rule->peers[0].excepts = calloc(1, sizeof(struct prefix));
	rule->peers[0].n_excepts = 1;
	assert_int_equal(prefix_parse("10.1.0.0/16", &rule->peers[0].excepts[0]), 0);
	netpol->pods.v = requirement;
	netpol->pods.n = 1;
	requirement->key = strdup("app");
	requirement->values = calloc(1, sizeof(char *));
	requirement->values[0] = strdup("web");
	requirement->n_values = 1;
	copy = netpol_copy(netpol);
	assert_non_null(copy);
	assert_true(netpol_fingerprint(copy) == netpol_fingerprint(netpol));
	netpol_free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_template_becomes_the_attached_pod),
		TEST(a_template_of_the_pods_own_name_stands_aside),
		TEST(a_pod_object_gets_the_attached_address),
		TEST(an_object_of_another_uid_describes_nothing),
		TEST(an_unknown_pod_is_not_made_up),
		TEST(an_attached_address_belongs_to_that_pod_alone),
		TEST(two_interfaces_of_a_pod_make_one_pod),
		TEST(a_host_network_pod_gets_no_address),
		TEST(a_terminating_namespace_keeps_its_policies),
		TEST(a_policy_deleted_from_a_living_namespace_is_gone),
		TEST(a_copy_reads_like_its_policy),
		TEST(building_again_forgets_what_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
