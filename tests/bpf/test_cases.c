// SPDX-License-Identifier: Apache-2.0
/*
 * The case table, three ways: each row of tests/cases/ is judged by the oracle, by
 * the evaluator behind `explain`, and by the compiled tables in the kernel's
 * programs with a real packet. All must say what the row wants. Then the same with
 * the objects in reverse order (R5).
 *
 * The tables of one file are adopted by the next, as a restarted daemon would.
 */
#include <dirent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cases.h"
#include "lib/kern.h"
#include "lib/oracle.h"
#include "lib/tap.h"
#include "policy/tables.h"

#define PODS_MAX 64

struct bench {
	struct kern *kern;
	struct ring *ring;
	struct tables *tables;
	struct kern_pod pods[PODS_MAX]; /* as world.pods; ifindex 0: not an endpoint */
	struct endpoint endpoints[PODS_MAX];
	size_t n_endpoints;
	unsigned int audits; /* events since last asked */
	uint16_t next_port;
};

static void on_event(const struct bh_event *event, void *data)
{
	struct bench *bench = data;

	bench->audits += event->action == BH_AUDIT;
}

static void must(int r, const struct err *err, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err->msg);
	exit(1);
}

static void link_add(struct kern_pod *pod, size_t n)
{
	*pod = (struct kern_pod){ .mac = { 2, 0xb, 0, 0, 2, (uint8_t)n }, .host_mac = { 2, 0xb, 0, 0, 3, (uint8_t)n } };
	snprintf(pod->name, sizeof(pod->name), "c%zu", n);
	kern_run("ip link add name %s type veth peer name p-%s && ip link set dev %s up", pod->name, pod->name,
		 pod->name);
	pod->ifindex = if_nametoindex(pod->name);
}

/* One pod of the world becomes an endpoint: a veth, a claimed row, its addresses. */
static void endpoint_add(struct bench *bench, const struct pod *pod, struct kern_pod *ret)
{
	struct endpoint *endpoint = &bench->endpoints[bench->n_endpoints++];
	struct bh_endpoint row = { .flags = BH_EP_ROUTED };
	struct err err = { 0 };

	link_add(ret, bench->n_endpoints);
	row.ifindex = ret->ifindex;
	memcpy(row.mac, ret->mac, 6);
	memcpy(row.host_mac, ret->host_mac, 6);
	for (size_t i = 0; i < pod->n_addrs && i < BH_ENDPOINT_ADDRS; i++)
		row.addr[i] = pod->addrs[i];
	must(maps_endpoint_claim(bench->kern->maps, &row, &ret->slot, &err), &err, "claim");
	*endpoint = (struct endpoint){ .slot = ret->slot, .ifindex = ret->ifindex, .namespace = pod->namespace,
				       .pod = pod->name, .uid = pod->uid, .n_addrs = pod->n_addrs };
	for (size_t i = 0; i < pod->n_addrs && i < BH_ENDPOINT_ADDRS; i++) {
		endpoint->addrs[i] = pod->addrs[i];
		must(maps_local_set(bench->kern->maps, &pod->addrs[i], ret->slot, &err), &err, "local");
	}
}

static void compile(struct bench *bench, const struct world *world)
{
	struct plan plan = { 0 };
	struct err err = { 0 };

	must(tables_update(bench->tables, world, bench->endpoints, bench->n_endpoints, &plan, &err), &err,
	     "compile");
	must(maps_apply(bench->kern->maps, plan.v, plan.n, &err), &err, "apply");
	tables_commit(bench->tables);
	plan_done(&plan);
}

static void bench_start(struct bench *bench, const struct case_file *file)
{
	struct bh_snapshot snapshot = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < file->world.n_pods; i++) {
		const struct pod *pod = file->world.pods[i];

		if (pod->n_addrs && !pod->host_network && !pod->finished && i < PODS_MAX)
			endpoint_add(bench, pod, &bench->pods[i]);
	}
	bench->tables = tables_new();
	must(maps_snapshot(bench->kern->maps, &snapshot, &err), &err, "snapshot");
	must(tables_adopt(bench->tables, &snapshot, &err), &err, "adopt");
	maps_snapshot_done(&snapshot);
	compile(bench, &file->world);
}

static void bench_stop(struct bench *bench, const struct case_file *file)
{
	struct err err = { 0 };

	for (size_t i = 0; i < file->world.n_pods && i < PODS_MAX; i++) {
		if (!bench->pods[i].ifindex)
			continue;
		must(maps_endpoint_release(bench->kern->maps, bench->pods[i].ifindex, &err), &err, "release");
		kern_run("ip link del %s", bench->pods[i].name);
	}
	bench->tables = tables_free(bench->tables);
	memset(bench->pods, 0, sizeof(bench->pods));
	bench->n_endpoints = 0;
}

static const struct kern_pod *pod_at(const struct bench *bench, const struct world *world, const struct pod *pod)
{
	for (size_t i = 0; pod && i < world->n_pods && i < PODS_MAX; i++) {
		if (world->pods[i] == pod && bench->pods[i].ifindex)
			return &bench->pods[i];
	}
	return NULL;
}

/* The first packet of a connection nobody has seen before. */
static void frame_fill_row(struct bench *bench, struct frame *f, const struct explain_query *query)
{
	uint16_t port = bench->next_port++;

	switch (query->proto) {
	case IPPROTO_TCP:
		frame_tcp(f, port, query->port, FRAME_SYN);
		break;
	case IPPROTO_UDP:
		frame_udp(f, port, query->port);
		break;
	case IPPROTO_SCTP:
		frame_sctp(f, port, query->port, 1 /* INIT */);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		frame_echo(f, true, port);
		break;
	default:
		frame_proto(f, query->proto, 16);
	}
	frame_end(f);
}

static enum explain_verdict kernel_verdict(struct bench *bench, const struct world *world,
					   const struct explain_query *query)
{
	const struct kern_pod *from = pod_at(bench, world, query->from.pod);
	const struct kern_pod *to = pod_at(bench, world, query->to.pod);
	struct frame f = { 0 };
	int action;

	bench->audits = 0;
	if (from) {
		kern_frame_from(&f, from, &query->from.addr, &query->to.addr);
		frame_fill_row(bench, &f, query);
		action = kern_from_pod(bench->kern, from, &f);
	} else {
		kern_frame_to(&f, to, &query->from.addr, &query->to.addr);
		frame_fill_row(bench, &f, query);
		action = kern_to_pod(bench->kern, to, query->from.is_own_node ? 0 : bench->kern->uplink, &f);
	}
	ring_consume(bench->ring);
	if (action == KERN_DROP)
		return EXPLAIN_DENY;
	return bench->audits ? EXPLAIN_AUDIT : EXPLAIN_ALLOW;
}

static enum explain_verdict explained_verdict(const struct world *world, const struct explain_query *query)
{
	struct explanation explanation = { 0 };
	enum explain_verdict verdict;
	struct err err = { 0 };

	must(explain(world, query, &explanation, &err), &err, "explain");
	verdict = explanation.verdict;
	explanation_done(&explanation);
	return verdict;
}

static void rows_judge(struct bench *bench, const struct case_file *file, const char *how)
{
	for (size_t i = 0; i < file->n_rows; i++) {
		const struct case_row *row = &file->rows[i];
		enum explain_verdict oracle = oracle_verdict(&file->world, &row->query);
		enum explain_verdict explained = explained_verdict(&file->world, &row->query);
		enum explain_verdict kernel = kernel_verdict(bench, &file->world, &row->query);
		bool good = oracle == row->want && explained == row->want && kernel == row->want;

		tap_result(good, "%s%s: %s -> %s %s is %s: %s", file->name, how, row->from, row->to, row->what,
			   verdict_name(row->want), row->why);
		if (!good)
			tap_note("oracle %s, evaluator %s, kernel %s", verdict_name(oracle),
				 verdict_name(explained), verdict_name(kernel));
	}
}

static void reverse(void *array, size_t n)
{
	void **v = array;

	for (size_t i = 0; i < n / 2; i++) {
		void *swap = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = swap;
	}
}

/* Same objects, other order: nothing to write, the same verdicts. */
static void world_reverse_judge(struct bench *bench, struct case_file *file)
{
	struct plan plan = { 0 };
	struct err err = { 0 };
	int r;

	reverse(file->world.netpols, file->world.n_netpols);
	reverse(file->world.namespaces, file->world.n_namespaces);
	r = tables_update(bench->tables, &file->world, bench->endpoints, bench->n_endpoints, &plan, &err);
	must(r, &err, "compile again");
	tap_result(r == 1 && plan.n == 0, "%s: another order of the same policies changes no row (R5)", file->name);
	tables_abort(bench->tables);
	plan_done(&plan);
}

static void file_judge(struct bench *bench, const char *path)
{
	struct case_file file;
	struct err err = { 0 };

	must(case_file_read(path, &file, &err), &err, "cases");
	bench_start(bench, &file);
	rows_judge(bench, &file, "");
	world_reverse_judge(bench, &file);
	bench_stop(bench, &file);
	case_file_done(&file);
}

static void node_addrs_set(struct kern *kern)
{
	struct bh_addr addrs[2] = { addr_of(CASE_NODE_V4), addr_of(CASE_NODE_V6) };
	struct err err = { 0 };

	must(maps_node_addrs_set(kern->maps, addrs, 2, &err), &err, "node addresses");
}

int main(void)
{
	static struct bench bench = { .next_port = 20000 };
	struct dirent **names;
	struct err err = { 0 };
	const char *why;
	int n;

	bench.kern = kern_open(&why);
	if (!bench.kern) {
		tap_skip("the case table in the kernel", why);
		return tap_done();
	}
	bench.kern->config.event_rate = 1000000;
	must(kern_configure(bench.kern), &err, "configuration");
	must(ring_open(bench.kern->maps, on_event, &bench, &bench.ring, &err), &err, "ring");
	node_addrs_set(bench.kern);
	n = scandir("tests/cases", &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "tests/cases/%s", names[i]->d_name);
		if (strstr(path, ".yaml"))
			file_judge(&bench, path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	ring_free(bench.ring);
	kern_close(bench.kern);
	return tap_done();
}
