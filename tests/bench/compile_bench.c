// SPDX-License-Identifier: Apache-2.0
/*
 * What the policy room costs, objects in memory and no kernel: a whole cluster told at
 * once, and then one change at a time (PERFORMANCE G12, G14). Plans are made and
 * dropped; what waits for a fence is erased between changes, which is not timed. Times
 * are the processor's: nothing here waits for anything, but others may run beside it.
 *
 *	compile_bench [ROUNDS]
 *
 * No figure fails the run.
 */
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/spread.h"
#include "lib/build.h"
#include "policy/tables.h"

#define ROUNDS_MAX 101
#define EVENTS	   5000

struct cluster {
	struct namespace **namespaces;
	struct pod **pods;
	struct netpol **netpols;
	size_t n_namespaces, n_pods, n_netpols;
	size_t n_local; /* pods here: the first ones */
};

struct clock {
	double *v;
	size_t n;
	struct timespec start;
};

static void clock_start(struct clock *clock)
{
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &clock->start);
}

static double clock_stop(struct clock *clock)
{
	struct timespec now;
	double us;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	us = (double)(now.tv_sec - clock->start.tv_sec) * 1e6 +
	     (double)(now.tv_nsec - clock->start.tv_nsec) / 1e3;
	clock->v[clock->n++] = us;
	return us;
}

static struct clock clock_new(size_t n)
{
	return (struct clock){ .v = calloc(n, sizeof(double)) };
}

static void clock_print(struct clock *clock, const char *what)
{
	struct spread spread = spread_of(clock->v, clock->n);

	spread_sort(clock->v, clock->n);
	printf("  %-46s %10.1f us [%.1f, %.1f]", what, spread.median, spread.q1, spread.q3);
	if (clock->n >= 100)
		printf("  p99 %.1f us", clock->v[clock->n * 99 / 100]);
	printf("\n");
	free(clock->v);
}

/* --- objects */

static struct pod *pod_at(size_t i, size_t namespace, const char *labels)
{
	char ns[16], name[32], addr[32];
	struct pod *pod, *compact;

	snprintf(ns, sizeof(ns), "ns-%05zu", namespace);
	snprintf(name, sizeof(name), "pod-%06zu", i);
	snprintf(addr, sizeof(addr), "10.%zu.%zu.%zu", 128 + (i >> 16), i >> 8 & 255, i & 255);
	pod = a_pod(ns, name, labels);
	pod_add_addr(pod, addr);
	pod_add_port(pod, "http", IPPROTO_TCP, 8080);
	compact = pod_compact(pod);
	pod_free(pod);
	if (!compact)
		abort();
	return compact;
}

/* One of a namespace's three: from the pods of an app, from the namespaces of a team,
 * from anywhere but private ranges. */
static struct netpol *netpol_at(size_t i, size_t namespace, uint16_t port)
{
	char ns[16], name[32], team[32];
	struct netpol *netpol;
	struct rule *rule;

	snprintf(ns, sizeof(ns), "ns-%05zu", namespace);
	snprintf(name, sizeof(name), "policy-%zu", i);
	snprintf(team, sizeof(team), "team=t%zu", namespace % 50);
	netpol = a_policy(ns, name, i == 0 ? "" : i == 1 ? "app=web" : "app=db");
	rule = policy_add_rule(netpol, BH_INGRESS);
	if (i == 0)
		rule_add_peer(rule, "app=web", NULL);
	else if (i == 1)
		rule_add_peer(rule, NULL, team);
	else
		peer_add_except(rule_add_block(rule, "0.0.0.0/0"), "10.0.0.0/8");
	rule_add_port(rule, IPPROTO_TCP, port, port);
	return netpol;
}

static struct cluster cluster_new(size_t n_namespaces, size_t n_pods, size_t n_per_namespace, size_t n_local)
{
	static const char *const apps[] = { "app=web", "app=db", "app=cache", "app=job" };
	struct cluster c = { .n_local = n_local };

	c.namespaces = calloc(n_namespaces, sizeof(*c.namespaces));
	c.pods = calloc(n_pods, sizeof(*c.pods));
	c.netpols = calloc(n_namespaces * n_per_namespace + 1, sizeof(*c.netpols));
	for (; c.n_namespaces < n_namespaces; c.n_namespaces++) {
		char name[16], team[16];

		snprintf(name, sizeof(name), "ns-%05zu", c.n_namespaces);
		snprintf(team, sizeof(team), "team=t%zu", c.n_namespaces % 50);
		c.namespaces[c.n_namespaces] = a_namespace(name, team);
		for (size_t i = 0; i < n_per_namespace; i++)
			c.netpols[c.n_netpols++] = netpol_at(i % 3, c.n_namespaces, (uint16_t)(80 + i));
	}
	for (; c.n_pods < n_pods; c.n_pods++)
		c.pods[c.n_pods] = pod_at(c.n_pods, c.n_pods / 4 % n_namespaces, apps[c.n_pods % 4]);
	return c;
}

static void cluster_free(struct cluster *c)
{
	for (size_t i = 0; i < c->n_namespaces; i++)
		namespace_free(c->namespaces[i]);
	for (size_t i = 0; i < c->n_pods; i++)
		pod_free(c->pods[i]);
	for (size_t i = 0; i < c->n_netpols; i++)
		netpol_free(c->netpols[i]);
	free(c->namespaces);
	free(c->pods);
	free(c->netpols);
}

/* --- telling */

static size_t update(struct tables *tables)
{
	struct plan plan = { 0 };
	struct err err = { 0 };
	size_t n;

	if (tables_update(tables, &plan, &err) < 0) {
		fprintf(stderr, "compile_bench: %s\n", err.msg);
		exit(1);
	}
	n = plan.n;
	plan_done(&plan);
	return n;
}

static void tidy(struct tables *tables)
{
	while (tables_need_fence(tables)) {
		struct plan plan = { 0 };

		tables_fenced(tables, tables_fence(tables));
		while (tables_sweep(tables, 1000000, &plan) == 0)
			;
		plan_done(&plan);
		update(tables);
	}
}

static void local_tell(struct tables *tables, const struct cluster *c, size_t i)
{
	struct endpoint endpoint = an_endpoint(c->pods[i], (uint32_t)i, (uint32_t)i + 10);

	tables_endpoint(tables, &endpoint, c->pods[i], NULL);
}

static struct tables *tables_of(const struct cluster *c)
{
	struct tables *tables = tables_new();

	if (!tables)
		abort();
	for (size_t i = 0; i < c->n_namespaces; i++)
		tables_namespace(tables, NULL, c->namespaces[i]);
	for (size_t i = 0; i < c->n_pods; i++)
		tables_pod(tables, NULL, c->pods[i]);
	for (size_t i = 0; i < c->n_netpols; i++)
		tables_netpol(tables, NULL, c->netpols[i]);
	for (size_t i = 0; i < c->n_local; i++)
		local_tell(tables, c, i);
	update(tables);
	return tables;
}

static void usage_print(const struct tables *tables)
{
	struct tables_usage usage;

	tables_usage_get(tables, &usage);
	printf("  %zu subjects, %zu classes, %zu peers, %zu prefixes, %zu verdicts, %zu ports\n",
	       usage.subjects, usage.classes, usage.peers, usage.prefixes, usage.verdicts, usage.ports);
}

static void whole(const struct cluster *c, size_t rounds, const char *what)
{
	struct clock clock = clock_new(rounds);
	struct tables *tables = NULL;
	size_t before = mallinfo2().uordblks, bytes = 0;

	for (size_t i = 0; i < rounds; i++) {
		tables_free(tables);
		clock_start(&clock);
		tables = tables_of(c);
		clock_stop(&clock);
		bytes = mallinfo2().uordblks - before;
	}
	clock_print(&clock, what);
	printf("  %-46s %10.1f MB\n", "memory of the tables", (double)bytes / 1e6);
	usage_print(tables);
	tables_free(tables);
}

/* --- changes */

static uint64_t random_state = 1;

static size_t random_below(size_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(random_state >> 33) % n;
}

/* The first pods are in namespaces that this node's policies speak of. */
static void pod_events(struct tables *tables, struct cluster *c, size_t first, size_t n, const char *what)
{
	static const char *const apps[] = { "app=web", "app=db", "app=cache", "app=job" };
	struct clock clock = clock_new(EVENTS);

	for (size_t i = 0; i < EVENTS; i++) {
		size_t at = first + random_below(n);
		struct pod *old = c->pods[at],
			   *now = pod_at(at, at / 4 % c->n_namespaces, apps[random_below(4)]);

		clock_start(&clock);
		tables_pod(tables, old, now);
		update(tables);
		clock_stop(&clock);
		c->pods[at] = now;
		pod_free(old);
		tidy(tables);
	}
	clock_print(&clock, what);
}

static void policy_edits(struct tables *tables, struct cluster *c, const char *what)
{
	struct clock clock = clock_new(EVENTS);

	for (size_t i = 0; i < EVENTS; i++) {
		size_t namespace = random_below(c->n_local / 4), kind = random_below(3),
		       at = namespace * 3 + kind;
		struct netpol *old = c->netpols[at],
			      *now = netpol_at(kind, namespace, (uint16_t)(1000 + random_below(1000)));

		clock_start(&clock);
		tables_netpol(tables, old, now);
		update(tables);
		clock_stop(&clock);
		c->netpols[at] = now;
		netpol_free(old);
		tidy(tables);
	}
	clock_print(&clock, what);
}

/* A selector that nobody asked before, over the whole cluster. */
static void selector_edits(struct tables *tables, struct cluster *c, const char *what)
{
	struct clock clock = clock_new(EVENTS / 10);

	for (size_t i = 0; i < EVENTS / 10; i++) {
		struct netpol *old = c->netpols[1], *now = netpol_at(1, random_below(50), 8080);

		free(now->namespace);
		now->namespace = strdup(old->namespace);
		clock_start(&clock);
		tables_netpol(tables, old, now);
		update(tables);
		clock_stop(&clock);
		c->netpols[1] = now;
		netpol_free(old);
		tidy(tables);
	}
	clock_print(&clock, what);
}

static void namespace_relabels(struct tables *tables, struct cluster *c, const char *what)
{
	struct clock clock = clock_new(EVENTS);

	for (size_t i = 0; i < EVENTS; i++) {
		size_t at = random_below(c->n_namespaces);
		struct namespace *old = c->namespaces[at], *now;
		char team[16];

		snprintf(team, sizeof(team), "team=t%zu", random_below(50));
		now = a_namespace(old->name, team);
		clock_start(&clock);
		tables_namespace(tables, old, now);
		update(tables);
		clock_stop(&clock);
		c->namespaces[at] = now;
		namespace_free(old);
		tidy(tables);
	}
	clock_print(&clock, what);
}

static void large_cluster(size_t rounds)
{
	struct cluster c = cluster_new(25000, 100000, 3, 100);
	struct tables *tables;

	printf("25,000 namespaces, 75,000 policies, 100,000 pods, 100 of them here\n");
	whole(&c, rounds, "the whole cluster");
	tables = tables_of(&c);
	tidy(tables);
	pod_events(tables, &c, 100, 99900, "a pod relabelled, anywhere");
	pod_events(tables, &c, 0, 100, "a pod relabelled, here");
	policy_edits(tables, &c, "a policy's port edited, here");
	selector_edits(tables, &c, "a policy's namespaceSelector edited, here");
	namespace_relabels(tables, &c, "a namespace relabelled, anywhere");
	usage_print(tables);
	tables_free(tables);
	cluster_free(&c);
}

static void same_selector(size_t rounds)
{
	struct cluster c = cluster_new(1, 10000, 10000, 100);

	printf("10,000 policies of one namespace over its 10,000 pods, 100 of them here\n");
	whole(&c, rounds, "the whole cluster");
	cluster_free(&c);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 7;

	if (rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: compile_bench [ROUNDS up to %d]\n", ROUNDS_MAX);
		return 2;
	}
	large_cluster(rounds);
	same_selector(rounds);
	return 0;
}
