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
#include "lib/mirror.h"
#include "lib/randworld.h"

struct scene {
	struct world world; /* the source's */
	struct attachments attachments;
	struct store store;
	struct mirror mirror; /* knows only what the store tells */
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

static void each_in(enum change_kind kind, void *const *list, size_t n,
		    void (*each)(const struct change *change, void *data), void *data)
{
	for (size_t i = 0; i < n; i++)
		each(&(struct change){ kind, NULL, list[i], 0 }, data);
}

static void whole(const void *data, void (*each)(const struct change *change, void *each_data),
		  void *each_data)
{
	const struct world *world = data;

	each_in(CHANGE_POD, (void **)world->pods, world->n_pods, each, each_data);
	each_in(CHANGE_NAMESPACE, (void **)world->namespaces, world->n_namespaces, each, each_data);
	each_in(CHANGE_NETPOL, (void **)world->netpols, world->n_netpols, each, each_data);
}

static void on_tell(const struct change *change, void *data)
{
	struct scene *scene = data;

	if (change)
		mirror_apply(&scene->mirror, change, 1);
	else
		mirror_forget(&scene->mirror);
}

static void read_changes(struct scene *scene, const struct change *changes, size_t n)
{
	struct source source = { changes, n, whole, pod_for, &scene->world };

	assert_int_equal(store_read(&scene->store, &source, &scene->attachments, NULL), 0);
	mirror_check(&scene->mirror, &scene->store.world);
	store_bury(&scene->store);
}

/* All of it anew: objects of these tests are changed in place. */
static void build(struct scene *scene)
{
	scene->store.is_lost = true;
	read_changes(scene, NULL, 0);
}

static void told(struct scene *scene, enum change_kind kind, const void *old, const void *now)
{
	read_changes(scene, &(struct change){ kind, old, now, 1 }, 1);
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
	struct scene *scene = calloc(1, sizeof(*scene));

	*state = scene;
	if (!scene)
		return -1;
	store_init(&scene->store, on_tell, scene);
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	store_done(&scene->store);
	mirror_done(&scene->mirror);
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

static bool pod_is_in(const struct pod *pod, const struct world *world)
{
	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *other = world->pods[i];
		bool same = strcmp(pod->name, other->name) == 0 && strcmp(pod->uid, other->uid) == 0 &&
			    pod->n_addrs == other->n_addrs && pod->host_network == other->host_network;

		for (size_t k = 0; same && k < pod->n_addrs; k++) {
			char text[ADDR_TEXT_MAX];

			addr_format(&pod->addrs[k], text);
			same = has_addr(other, text);
		}
		if (same)
			return true;
	}
	return false;
}

static void fresh_compare(const struct scene *scene)
{
	struct source source = { NULL, 0, whole, pod_for, &scene->world };
	struct store fresh;

	store_init(&fresh, NULL, NULL);
	fresh.is_lost = true;
	assert_int_equal(store_read(&fresh, &source, &scene->attachments, NULL), 0);
	assert_int_equal(fresh.world.n_pods, scene->store.world.n_pods);
	for (size_t i = 0; i < fresh.world.n_pods; i++)
		assert_true(pod_is_in(fresh.world.pods[i], &scene->store.world));
	store_done(&fresh);
}

/* --- change by change */

static void an_event_touches_its_pod_alone(void **state)
{
	struct scene *scene = *state;
	struct pod *web = add_pod(scene, "web", "", ""), *other = add_pod(scene, "other", "", ""), *again;
	const struct pod *own;

	add_addr(web, "10.0.0.1");
	add_addr(other, "10.0.0.2");
	attach(scene, "c1", "web", "u1", "10.0.0.1");
	build(scene);
	own = world_pod(&scene->store.world, "shop", "web");
	again = add_pod(scene, "other", "", "");
	scene->world.pods[1] = again;
	scene->world.n_pods--;
	add_addr(again, "10.0.0.1"); /* which is attached to web */
	told(scene, CHANGE_POD, other, again);
	pod_free(other);
	assert_ptr_equal(world_pod(&scene->store.world, "shop", "web"), own);
	assert_int_equal(world_pod(&scene->store.world, "shop", "other")->n_addrs, 0);
	told(scene, CHANGE_POD, again, NULL);
	assert_null(world_pod(&scene->store.world, "shop", "other"));
	assert_int_equal(scene->store.world.n_pods, 1);
}

static void an_attached_pod_follows_its_object(void **state)
{
	struct scene *scene = *state;
	const struct attachment *attachment = attach(scene, "c1", "web", "u1", "10.0.0.1");
	uint64_t serial;
	struct pod *web, *later;

	build(scene);
	assert_null(store_pod(&scene->store, &attachment->endpoint));
	serial = scene->store.endpoints_serial;
	web = add_pod(scene, "web", "u1", "");
	told(scene, CHANGE_POD, NULL, web);
	assert_non_null(store_pod(&scene->store, &attachment->endpoint));
	assert_true(scene->store.endpoints_serial > serial);
	serial = scene->store.endpoints_serial;
	later = add_pod(scene, "web", "u1", "");
	assert_int_equal(labels_set(&later->labels, "app", "changed"), 0);
	scene->world.pods[0] = later;
	scene->world.n_pods = 1;
	told(scene, CHANGE_POD, web, later);
	pod_free(web);
	assert_true(scene->store.endpoints_serial > serial);
	assert_string_equal(labels_get(&store_pod(&scene->store, &attachment->endpoint)->labels, "app"),
			    "changed");
	assert_true(has_addr(store_pod(&scene->store, &attachment->endpoint), "10.0.0.1"));
	scene->world.n_pods = 0;
	told(scene, CHANGE_POD, later, NULL);
	pod_free(later);
	assert_null(store_pod(&scene->store, &attachment->endpoint));
	assert_int_equal(scene->store.world.n_pods, 0);
}

static void an_endpoint_that_comes_or_goes_is_joined_without_the_objects(void **state)
{
	struct scene *scene = *state;
	struct pod *job = add_pod(scene, "job", "", "");

	add_addr(job, "10.0.0.1");
	add_pod(scene, "web", "", "");
	build(scene);
	attach(scene, "c1", "web", "", "10.0.0.1");
	read_changes(scene, NULL, 0);
	assert_true(has_addr(world_pod(&scene->store.world, "shop", "web"), "10.0.0.1"));
	assert_int_equal(world_pod(&scene->store.world, "shop", "job")->n_addrs, 0);
	attachment_free(attachments_take(&scene->attachments, "c1", "eth0"));
	read_changes(scene, NULL, 0);
	assert_ptr_equal(world_pod(&scene->store.world, "shop", "job"), job);
	assert_int_equal(scene->store.n_own + scene->store.n_exceptions, 0);
}

/* Whatever comes in whatever order: what the store then has is what it has when it
 * begins anew. */
static void random_changes_end_where_a_fresh_start_ends(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" }, *const uids[] = { "", "u1", "u2" },
				 *const addrs[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1" };
	struct scene *scene = *state;
	struct rng rng = { rng_seed() };
	char id[] = "c0";

	for (int step = 0; step < 3000; step++) {
		const char *name = names[rng_below(&rng, 4)];
		const struct pod *there = world_pod(&scene->world, "shop", name);
		struct pod *old = NULL, *now = NULL;

		id[1] = (char)('0' + rng_below(&rng, 4));
		if (rng_below(&rng, 3) == 0)
			attachment_free(attachments_take(&scene->attachments, id, "eth0"));
		else if (rng_below(&rng, 3) == 0)
			attach(scene, id, name, uids[rng_below(&rng, 3)], addrs[rng_below(&rng, 4)]);
		for (size_t i = 0; there && i < scene->world.n_pods; i++)
			if (scene->world.pods[i] == there) {
				old = scene->world.pods[i];
				scene->world.pods[i] = scene->world.pods[--scene->world.n_pods];
			}
		if (!old || rng_below(&rng, 3)) {
			now = add_pod(scene, name, uids[rng_below(&rng, 3)], "");
			add_addr(now, addrs[rng_below(&rng, 4)]);
			now->host_network = rng_below(&rng, 8) == 0;
		}
		read_changes(scene, &(struct change){ CHANGE_POD, old, now, 1 }, old || now);
		pod_free(old);
		fresh_compare(scene);
	}
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
		TEST(an_event_touches_its_pod_alone),
		TEST(an_attached_pod_follows_its_object),
		TEST(an_endpoint_that_comes_or_goes_is_joined_without_the_objects),
		TEST(random_changes_end_where_a_fresh_start_ends),
		TEST(a_terminating_namespace_keeps_its_policies),
		TEST(a_policy_deleted_from_a_living_namespace_is_gone),
		TEST(a_copy_reads_like_its_policy),
		TEST(building_again_forgets_what_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
