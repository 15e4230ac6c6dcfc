// SPDX-License-Identifier: Apache-2.0
/* Enforcement against a kernel that fails: whatever write of a plan is refused,
 * nothing opens that should not, and the next try ends where an undisturbed run
 * would have ended. The tables room is the real one, the kernel is these arrays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/enforce.h"
#include "base/cleanup.h"

#define ROWS 256

/* --- a kernel: what src/dataplane would do, in memory. These definitions stand in
 * for libdataplane's. */
struct maps {
	struct bh_endpoint endpoints[BH_ENDPOINTS_MAX];
	struct bh_port ports[BH_PORTS_MAX];
	struct bh_peer_row peers[ROWS];
	struct bh_prefix_row prefixes[ROWS];
	struct bh_verdict_row verdicts[ROWS];
	uint32_t n_peers, n_prefixes, n_verdicts;
	size_t n_locals;
	long fail_at; /* this write from now fails; negative: none does */
	size_t n_writes;
};

static void put(void *rows, uint32_t *n, size_t size, size_t key_size, const void *row)
{
	char *at = rows;
	uint32_t i = 0;

	while (i < *n && memcmp(at + i * size, row, key_size) != 0)
		i++;
	assert_true(i < ROWS);
	memcpy(at + i * size, row, size);
	if (i == *n)
		(*n)++;
}

static void erase(void *rows, uint32_t *n, size_t size, size_t key_size, const void *key)
{
	char *at = rows;

	for (uint32_t i = 0; i < *n; i++)
		if (memcmp(at + i * size, key, key_size) == 0) {
			memmove(at + i * size, at + (*n - 1) * size, size);
			(*n)--;
			return;
		}
}

static void write_one(struct maps *maps, const struct bh_write *w)
{
	struct bh_peer_row peer = { w->peer.addr, w->peer.class };
	struct bh_prefix_row prefix = { w->prefix.prefix, w->prefix.class };
	struct bh_verdict_row verdict = { w->verdict.key, w->verdict.verdict };
	struct bh_endpoint *row;

	if (w->kind == BH_WRITE_PORT) {
		maps->ports[w->port.index] = w->port.port;
	} else if (w->kind == BH_WRITE_PEER) {
		put(maps->peers, &maps->n_peers, sizeof(peer), sizeof(peer.addr), &peer);
	} else if (w->kind == BH_WRITE_PREFIX) {
		put(maps->prefixes, &maps->n_prefixes, sizeof(prefix), sizeof(prefix.prefix), &prefix);
	} else if (w->kind == BH_WRITE_VERDICT) {
		put(maps->verdicts, &maps->n_verdicts, sizeof(verdict), sizeof(verdict.key), &verdict);
	} else if (w->kind == BH_ERASE_PEER) {
		erase(maps->peers, &maps->n_peers, sizeof(peer), sizeof(peer.addr), &peer);
	} else if (w->kind == BH_ERASE_PREFIX) {
		erase(maps->prefixes, &maps->n_prefixes, sizeof(prefix), sizeof(prefix.prefix), &prefix);
	} else if (w->kind == BH_ERASE_VERDICT) {
		erase(maps->verdicts, &maps->n_verdicts, sizeof(verdict), sizeof(verdict.key), &verdict);
	} else if (w->kind == BH_WRITE_ENDPOINT) {
		row = &maps->endpoints[w->endpoint.slot];
		assert_int_equal(row->ifindex, w->endpoint.ifindex);
		row->flags = (row->flags & ~(uint32_t)BH_EP_POLICY_FLAGS) | w->endpoint.flags;
		row->egress = w->endpoint.egress;
		row->ingress = w->endpoint.ingress;
		row->revision = w->endpoint.revision;
	}
}

int maps_apply(struct maps *maps, const struct bh_write *writes, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (maps->fail_at-- == 0)
			return err_set(err, ENOMEM, "write %zu", i);
		write_one(maps, &writes[i]);
		maps->n_writes++;
	}
	return 0;
}

int maps_local_set(struct maps *maps, const struct bh_addr *addr, uint32_t slot, struct err *err)
{
	(void)addr, (void)slot, (void)err;
	maps->n_locals++;
	return 0;
}

int maps_snapshot(struct maps *maps, struct bh_snapshot *ret, struct err *err)
{
	(void)err;
	*ret = (struct bh_snapshot){ maps->peers,     maps->prefixes, maps->verdicts,	maps->ports,
				     maps->endpoints, maps->n_peers,  maps->n_prefixes, maps->n_verdicts };
	return 0;
}

void maps_snapshot_done(struct bh_snapshot *snapshot)
{
	*snapshot = (struct bh_snapshot){ 0 };
}

/* --- a world: db takes web on one port; both are attached here */
struct scene {
	struct maps maps;
	struct enforce enforce;
	struct world world;
	struct attachments attachments;
	struct pod pod[2], *pods[2];
	struct label label[2];
	struct bh_addr addr[2];
	struct netpol netpol, *netpols[1];
	struct rule rule;
	struct peer peer;
	struct port_match port;
	struct requirement is_db, is_web;
	char *db[1], *web[1];
};

static void attach(struct scene *scene, int i)
{
	struct attachment *attachment = calloc(1, sizeof(*attachment));
	struct endpoint *endpoint = &attachment->endpoint;

	assert_non_null(attachment);
	attachment->container_id = strdup(scene->pod[i].name);
	attachment->ifname = strdup("eth0");
	endpoint->namespace = strdup("shop");
	endpoint->pod = strdup(scene->pod[i].name);
	endpoint->uid = strdup("");
	endpoint->slot = endpoint->ifindex = (uint32_t)(i + 5);
	endpoint->addrs[0] = scene->addr[i];
	endpoint->n_addrs = 1;
	assert_int_equal(attachments_put(&scene->attachments, attachment, NULL), 0);
	scene->maps.endpoints[endpoint->slot].ifindex = endpoint->ifindex;
}

static void add_pod(struct scene *scene, int i, const char *name, const char *addr)
{
	struct pod *pod = &scene->pod[i];

	scene->label[i] = (struct label){ (char *)"app", (char *)name };
	assert_int_equal(addr_parse(addr, &scene->addr[i]), 0);
	*pod = (struct pod){ .namespace = (char *)"shop",
			     .name = (char *)name,
			     .uid = (char *)"",
			     .node = (char *)"",
			     .workload = (char *)"",
			     .labels = { &scene->label[i], 1 },
			     .addrs = &scene->addr[i],
			     .n_addrs = 1 };
	scene->pods[i] = pod;
	attach(scene, i);
}

static struct scene *scene_new(void)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->maps.fail_at = -1;
	add_pod(scene, 0, "db", "10.0.0.1");
	add_pod(scene, 1, "web", "10.0.0.2");
	scene->db[0] = (char *)"db";
	scene->web[0] = (char *)"web";
	scene->is_db = (struct requirement){ (char *)"app", SELECTOR_IN, scene->db, 1 };
	scene->is_web = (struct requirement){ (char *)"app", SELECTOR_IN, scene->web, 1 };
	scene->port = (struct port_match){ .proto = 6, .has_port = true, .first = 80, .last = 80 };
	scene->peer.pods = (struct selector){ true, false, &scene->is_web, 1 };
	scene->rule = (struct rule){ .peers = &scene->peer,
				     .n_peers = 1,
				     .has_peers = true,
				     .ports = &scene->port,
				     .n_ports = 1,
				     .has_ports = true };
	scene->netpol =
		(struct netpol){ .namespace = (char *)"shop", .name = (char *)"db", .uid = (char *)"" };
	scene->netpol.pods = (struct selector){ true, false, &scene->is_db, 1 };
	scene->netpol.isolates[BH_INGRESS] = true;
	scene->netpol.rules[BH_INGRESS] = &scene->rule;
	scene->netpol.n_rules[BH_INGRESS] = 1;
	scene->netpols[0] = &scene->netpol;
	scene->world =
		(struct world){ .pods = scene->pods, .n_pods = 2, .netpols = scene->netpols, .n_netpols = 1 };
	scene->world.posture.posture = POSTURE_STANDARD;
	assert_int_equal(enforce_init(&scene->enforce, &scene->maps, NULL), 0);
	return scene;
}

static void scene_free(struct scene *scene)
{
	enforce_done(&scene->enforce);
	attachments_done(&scene->attachments);
	free(scene);
}

static int run(struct scene *scene)
{
	struct err err = { 0 };
	int r = enforce_run(&scene->enforce, &scene->world, &scene->attachments, &err);

	return r < 0 ? r : enforce_tidy(&scene->enforce, &err);
}

/* What the kernel's programs would say to web -> db, by their own steps. */
static int verdict(const struct scene *scene, uint16_t port)
{
	const struct maps *maps = &scene->maps;
	const struct bh_endpoint *db = &maps->endpoints[5];
	struct bh_verdict_key key = { db->ingress, 0 };

	if (!(db->flags & BH_EP_OPEN))
		return BH_DENY;
	if (!db->ingress)
		return BH_ALLOW;
	for (uint32_t i = 0; i < maps->n_peers; i++)
		if (addr_equal(&maps->peers[i].addr, &scene->addr[1]))
			key.peer = maps->peers[i].class;
	for (int pass = 0; pass < 2; pass++, key.peer = BH_PEER_ANY)
		for (uint32_t i = 0; i < maps->n_verdicts; i++) {
			const struct bh_verdict *row = &maps->verdicts[i].verdict;

			if (memcmp(&maps->verdicts[i].key, &key, sizeof(key)) != 0)
				continue;
			for (uint32_t j = row->first; j < row->first + row->count; j++)
				if (maps->ports[j].proto == 6 && maps->ports[j].first <= port &&
				    port <= maps->ports[j].last)
					return maps->ports[j].action;
			return row->rest;
		}
	return BH_DENY;
}

static void a_first_run_opens_and_isolates(void **state)
{
	struct scene *scene = scene_new();

	(void)state;
	assert_int_equal(verdict(scene, 80), BH_DENY);
	assert_int_equal(run(scene), 0);
	assert_true(scene->enforce.synced);
	assert_int_equal(verdict(scene, 80), BH_ALLOW);
	assert_int_equal(verdict(scene, 81), BH_DENY);
	assert_int_equal(scene->maps.n_locals, 2);
	scene_free(scene);
}

static void a_run_without_change_writes_nothing(void **state)
{
	struct scene *scene = scene_new();
	size_t writes;

	(void)state;
	assert_int_equal(run(scene), 0);
	writes = scene->maps.n_writes;
	assert_int_equal(enforce_run(&scene->enforce, &scene->world, &scene->attachments, NULL), 1);
	assert_int_equal(scene->maps.n_writes, writes);
	assert_int_equal(scene->enforce.updates, 1);
	assert_int_equal(scene->maps.n_locals, 2);
	scene_free(scene);
}

/* The rows are in before the plan's tidying, which waits for a fence. */
static void the_commit_does_not_wait_for_the_tidying(void **state)
{
	struct scene *scene = scene_new();

	(void)state;
	assert_int_equal(run(scene), 0);
	scene->port.first = scene->port.last = 90;
	assert_int_equal(enforce_run(&scene->enforce, &scene->world, &scene->attachments, NULL), 0);
	assert_true(scene->enforce.tidying);
	assert_int_equal(verdict(scene, 90), BH_ALLOW);
	assert_int_equal(verdict(scene, 80), BH_DENY);
	assert_int_equal(enforce_tidy(&scene->enforce, NULL), 0);
	assert_false(scene->enforce.tidying);
	assert_int_equal(verdict(scene, 90), BH_ALLOW);
	scene_free(scene);
}

/* From "port 80" to "port 90", the n-th write refused: at every moment port 81 is
 * denied and the two ports say old or new, and trying again ends in the new. */
static bool fails_and_recovers(long n)
{
	struct scene *scene = scene_new();
	bool failed;

	assert_int_equal(run(scene), 0);
	scene->port.first = scene->port.last = 90;
	scene->maps.fail_at = n;
	failed = run(scene) < 0;
	assert_int_equal(verdict(scene, 81), BH_DENY);
	assert_int_not_equal(verdict(scene, 80), verdict(scene, 90));
	scene->maps.fail_at = -1;
	assert_true(run(scene) >= 0);
	assert_int_equal(verdict(scene, 80), BH_DENY);
	assert_int_equal(verdict(scene, 81), BH_DENY);
	assert_int_equal(verdict(scene, 90), BH_ALLOW);
	scene_free(scene);
	return failed;
}

static void every_refused_write_is_recovered_from(void **state)
{
	long n = 0;

	(void)state;
	while (fails_and_recovers(n))
		n++;
	assert_true(n >= 4); /* a list, a row, the commit, the fence */
}

/* The same for a first start: nothing is open before its policy is. */
static void every_refused_write_of_a_first_run_keeps_closed(void **state)
{
	bool failed = true;
	long n;

	(void)state;
	for (n = 0; failed; n++) {
		struct scene *scene = scene_new();

		scene->maps.fail_at = n;
		failed = run(scene) < 0;
		assert_int_equal(verdict(scene, 81), BH_DENY);
		scene->maps.fail_at = -1;
		assert_true(run(scene) >= 0);
		assert_true(scene->enforce.synced);
		assert_int_equal(verdict(scene, 80), BH_ALLOW);
		assert_int_equal(verdict(scene, 81), BH_DENY);
		scene_free(scene);
	}
	assert_true(n >= 4);
}

/* A new process over the same kernel: no verdict changes, revisions grow on. */
static void a_restart_takes_over_what_is_there(void **state)
{
	struct scene *scene = scene_new();
	uint32_t revision;

	(void)state;
	assert_int_equal(run(scene), 0);
	revision = scene->enforce.revision;
	enforce_done(&scene->enforce);
	assert_int_equal(enforce_init(&scene->enforce, &scene->maps, NULL), 0);
	assert_int_equal(scene->enforce.revision, revision);
	assert_false(scene->enforce.synced);
	assert_int_equal(verdict(scene, 80), BH_ALLOW);
	assert_true(run(scene) >= 0);
	assert_int_equal(verdict(scene, 80), BH_ALLOW);
	assert_int_equal(verdict(scene, 81), BH_DENY);
	assert_true(scene->enforce.revision >= revision);
	scene_free(scene);
}

static void closing_keeps_all_but_the_open_flag(void **state)
{
	struct scene *scene = scene_new();
	struct bh_endpoint before;

	(void)state;
	assert_int_equal(run(scene), 0);
	scene->maps.endpoints[5].flags |= BH_EP_ROUTED;
	before = scene->maps.endpoints[5];
	assert_int_equal(enforce_close(&scene->enforce, 5, &before, NULL), 0);
	assert_int_equal(scene->maps.endpoints[5].flags, before.flags & ~(uint32_t)BH_EP_OPEN);
	assert_int_equal(scene->maps.endpoints[5].ingress, before.ingress);
	assert_int_equal(verdict(scene, 80), BH_DENY);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_run_opens_and_isolates),
		cmocka_unit_test(a_run_without_change_writes_nothing),
		cmocka_unit_test(the_commit_does_not_wait_for_the_tidying),
		cmocka_unit_test(every_refused_write_is_recovered_from),
		cmocka_unit_test(every_refused_write_of_a_first_run_keeps_closed),
		cmocka_unit_test(a_restart_takes_over_what_is_there),
		cmocka_unit_test(closing_keeps_all_but_the_open_flag),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
