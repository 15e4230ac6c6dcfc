// SPDX-License-Identifier: Apache-2.0
/* Enforcement against a kernel that fails: whatever write of a plan is refused,
 * nothing opens that should not, and the next try ends where an undisturbed run
 * would have ended. The tables room is the real one, the kernel is these arrays. */
#include <errno.h>
#include <poll.h>
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
	struct store store;
	struct attachments attachments;
	struct netpol *edited[8]; /* copies that were told; the last counts */
	size_t n_edited;
	struct pod pod[2], *pods[2];
	struct label label[2];
	struct bh_addr addr[2];
	struct netpol netpol;
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

static const struct pod *pod_for(const void *data, const char *namespace, const char *name)
{
	const struct scene *scene = data;

	(void)namespace;
	return strcmp(name, "db") == 0 ? &scene->pod[0] : &scene->pod[1];
}

static void whole(const void *data, void (*each)(const struct change *change, void *each_data),
		  void *each_data)
{
	const struct scene *scene = data;

	for (int i = 0; i < 2; i++)
		each(&(struct change){ CHANGE_POD, NULL, &scene->pod[i], 0 }, each_data);
	each(&(struct change){ CHANGE_NETPOL, NULL, scene->edited[scene->n_edited - 1], 0 }, each_data);
}

static void tell(struct scene *scene, const struct change *change)
{
	struct source source = { change, change != NULL, whole, pod_for, scene };

	assert_int_equal(store_read(&scene->store, &source, &scene->attachments, NULL), 0);
}

/* db takes web on this port now, and on no other. */
static void edit(struct scene *scene, uint16_t port)
{
	struct netpol *next, *last = scene->n_edited ? scene->edited[scene->n_edited - 1] : NULL;

	scene->port.first = scene->port.last = port;
	next = netpol_copy(&scene->netpol);
	assert_non_null(next);
	scene->edited[scene->n_edited++] = next;
	tell(scene, &(struct change){ CHANGE_NETPOL, last, next, 1 });
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
	scene->is_db = (struct requirement){ (char *)"app", scene->db, 1, SELECTOR_IN };
	scene->is_web = (struct requirement){ (char *)"app", scene->web, 1, SELECTOR_IN };
	scene->port = (struct port_match){ .proto = 6, .has_port = true, .first = 80, .last = 80 };
	scene->peer.pods = (struct selector){ .has = true, .v = &scene->is_web, .n = 1 };
	scene->rule = (struct rule){ .peers = &scene->peer,
				     .n_peers = 1,
				     .has_peers = true,
				     .ports = &scene->port,
				     .n_ports = 1,
				     .has_ports = true };
	scene->netpol =
		(struct netpol){ .namespace = (char *)"shop", .name = (char *)"db", .uid = (char *)"" };
	scene->netpol.pods = (struct selector){ .has = true, .v = &scene->is_db, .n = 1 };
	scene->netpol.isolates[BH_INGRESS] = true;
	scene->netpol.rules[BH_INGRESS] = &scene->rule;
	scene->netpol.n_rules[BH_INGRESS] = 1;
	assert_int_equal(enforce_init(&scene->enforce, &scene->maps, NULL), 0);
	store_init(&scene->store, enforce_tell, &scene->enforce);
	scene->store.world.posture.posture = POSTURE_STANDARD;
	tell(scene, &(struct change){ CHANGE_POD, NULL, &scene->pod[0], 1 });
	tell(scene, &(struct change){ CHANGE_POD, NULL, &scene->pod[1], 1 });
	edit(scene, 80);
	return scene;
}

static void scene_free(struct scene *scene)
{
	scene->store.tell = NULL;
	store_done(&scene->store);
	enforce_done(&scene->enforce);
	attachments_done(&scene->attachments);
	for (size_t i = 0; i < scene->n_edited; i++)
		netpol_free(scene->edited[i]);
	free(scene);
}

static int run_once(struct scene *scene)
{
	int r = enforce_run(&scene->enforce, &scene->store, &scene->attachments, NULL);

	store_bury(&scene->store);
	return r;
}

/* And waits for what has to wait. */
static int tidy(struct scene *scene)
{
	while (!enforce_is_tidy(&scene->enforce)) {
		struct pollfd done = { .fd = scene->enforce.fencer.answer, .events = POLLIN };
		int r;

		if (scene->enforce.is_fencing)
			assert_int_equal(poll(&done, 1, 10000), 1);
		r = enforce_fenced(&scene->enforce, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(struct scene *scene)
{
	int r = run_once(scene), tidied = r < 0 ? r : tidy(scene);

	return tidied < 0 ? tidied : r;
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
	assert_int_equal(run_once(scene), 1);
	assert_int_equal(scene->maps.n_writes, writes);
	assert_int_equal(scene->enforce.updates, 1);
	assert_int_equal(scene->maps.n_locals, 2);
	scene_free(scene);
}

/* What is erased waits for a fence, and nothing else does. */
static void the_commit_does_not_wait_for_the_tidying(void **state)
{
	struct scene *scene = scene_new();
	size_t rows;

	(void)state;
	assert_int_equal(run(scene), 0);
	rows = scene->maps.n_verdicts;
	edit(scene, 90);
	assert_int_equal(run_once(scene), 0);
	assert_false(enforce_is_tidy(&scene->enforce));
	assert_int_equal(verdict(scene, 90), BH_ALLOW);
	assert_int_equal(verdict(scene, 80), BH_DENY);
	assert_true(scene->maps.n_verdicts > rows);
	edit(scene, 91); /* and neither does the next one */
	assert_int_equal(run_once(scene), 0);
	assert_int_equal(verdict(scene, 91), BH_ALLOW);
	assert_int_equal(tidy(scene), 0);
	assert_int_equal(scene->maps.n_verdicts, rows);
	assert_int_equal(verdict(scene, 91), BH_ALLOW);
	scene_free(scene);
}

/* From "port 80" to "port 90", the n-th write refused: at every moment port 81 is
 * denied and the two ports say old or new, and trying again ends in the new. */
static bool fails_and_recovers(long n)
{
	struct scene *scene = scene_new();
	bool failed;

	assert_int_equal(run(scene), 0);
	edit(scene, 90);
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
	assert_true(n >= 4); /* a list, a row, the commit, what is erased */
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
	scene->store.tell = NULL;
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
