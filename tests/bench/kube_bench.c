// SPDX-License-Identifier: Apache-2.0
/*
 * The Kubernetes source at size: the real daemon against a scripted API server with a
 * large cluster. tests/bench/kube.sh makes the node and joins the pods; this obeys
 * it, one command a line, each answered by its figures and "ok".
 *
 *	kube_bench KUBECONFIG PIN-ROOT LOG PODS NAMESPACES POLICIES DAEMON [FLAG...]
 *
 *	machine			what it runs on
 *	decode ROUNDS		one pod: the daemon's decoder beside plain cJSON
 *	start, stop		the daemon
 *	cold ROUNDS stream|pages	restarts of the daemon, until its first commit
 *	relist ROUNDS		the whole cluster is listed again; the peak meanwhile
 *	events N		pods relabelled one by one, from socket to row
 *	rate SECONDS relabel|status	1,000 events/s; what they cost
 *
 * Writes the kubeconfig itself. No figure fails the run.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bulkhead/abi.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "bench/decode_race.h"
#include "bench/spread.h"
#include "dataplane/pins.h"
#include "lib/apiserver.h"
#include "lib/crowd.h"

#define ROUNDS_MAX  101
#define SYNC_S	    120 /* no start takes longer */
#define EVENT_MS    2000
#define EVENTS_S    20 /* no more are sent after that */
#define SAMPLES_MAX 100000

struct bench {
	struct apiserver *server;
	char **daemon; /* argv */
	const char *log, *pin_root;
	pid_t pid;
	int peers; /* the pinned map */
};

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "kube_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void sleep_us(long us)
{
	nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

static void print_spread(const char *what, const char *unit, double *v, size_t n)
{
	struct spread q = spread_of(v, n);

	printf("  %-44s %9.1f %s  [%.1f, %.1f]\n", what, q.median, unit, q.q1, q.q3);
}

/* --- the daemon, seen from outside --- */

/* A field of /proc/PID/status, in MB. */
static double memory_mb(pid_t pid, const char *field)
{
	char path[64], line[256];
	double kb = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			kb = strtod(line + strlen(field) + 1, NULL);
	if (file)
		fclose(file);
	return kb / 1024;
}

/* VmHWM starts anew. */
static void memory_forget_peak(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "5", 1) != 1)
		give_up(path);
	close(fd);
}

/* What its threads have run, in seconds: counted by the scheduler. The times in
 * /proc/PID/stat are sampled by the tick, and events that come once a millisecond keep
 * in step with it. */
static double cpu_s(pid_t pid)
{
	struct timespec ran;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ran) < 0)
		give_up("the daemon's times");
	return (double)ran.tv_sec + (double)ran.tv_nsec / 1e9;
}

static bool log_has(const struct bench *bench, const char *words)
{
	char line[4096];
	bool has = false;
	FILE *file = fopen(bench->log, "re");

	while (file && !has && fgets(line, sizeof(line), file))
		has = strstr(line, words) != NULL;
	if (file)
		fclose(file);
	return has;
}

static void daemon_stop(struct bench *bench)
{
	if (bench->pid <= 0)
		return;
	kill(bench->pid, SIGKILL);
	waitpid(bench->pid, NULL, 0);
	bench->pid = 0;
}

/* Until its first commit; how long that took. */
static double daemon_start(struct bench *bench)
{
	int log = open(bench->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int64_t start = now_ns();

	if (log < 0)
		give_up(bench->log);
	bench->pid = fork();
	if (bench->pid == 0) {
		dup2(log, STDERR_FILENO);
		dup2(log, STDOUT_FILENO);
		execv(bench->daemon[0], bench->daemon);
		_exit(127);
	}
	close(log);
	while (!log_has(bench, "synced pods=")) {
		if (waitpid(bench->pid, NULL, WNOHANG) != 0 ||
		    now_ns() - start > SYNC_S * INT64_C(1000000000)) {
			fprintf(stderr, "kube_bench: the daemon has not synced, see %s\n", bench->log);
			exit(1);
		}
		sleep_us(1000);
	}
	return (double)(now_ns() - start) / 1e9;
}

/* --- commands --- */

static void machine(void)
{
	char line[256], model[200] = "unknown processor";
	FILE *file = fopen("/proc/cpuinfo", "re");
	struct utsname name;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "model name : %199[^\n]", model) == 1)
			break;
	if (file)
		fclose(file);
	uname(&name);
	printf("%s, %ld cores, Linux %s\n", model, sysconf(_SC_NPROCESSORS_ONLN), name.release);
	printf("%zu pods of about 8 KiB, %zu namespaces, %zu policies, %d of them for this node's pods\n",
	       crowd.pods, crowd.namespaces, crowd.policies, CROWD_LOCAL_POLICIES);
}

static void cold(struct bench *bench, unsigned int rounds, bool streams)
{
	double seconds[ROUNDS_MAX], cpu[ROUNDS_MAX], resident[ROUNDS_MAX], peak[ROUNDS_MAX];

	apiserver_streaming(bench->server, streams ? APISERVER_STREAMS : APISERVER_REFUSES);
	for (unsigned int i = 0; i < rounds; i++) {
		daemon_stop(bench);
		seconds[i] = daemon_start(bench);
		cpu[i] = cpu_s(bench->pid);
		sleep_us(500000); /* what is tidied up after the commit */
		resident[i] = memory_mb(bench->pid, "VmRSS:");
		peak[i] = memory_mb(bench->pid, "VmHWM:");
	}
	printf("cold sync, %s, to the first commit: %u rounds, medians [quartiles]\n",
	       streams ? "streaming list" : "list in pages", rounds);
	print_spread("time", "s", seconds, rounds);
	print_spread("CPU of the daemon, loading the programs aside", "s", cpu, rounds);
	print_spread("resident memory after it (VmRSS)", "MB", resident, rounds);
	print_spread("peak meanwhile (VmHWM)", "MB", peak, rounds);
}

static void wait_for_watches(const struct bench *bench, unsigned int asked, unsigned int watches)
{
	int64_t start = now_ns();

	while (apiserver_count(bench->server, "/pods?") < asked ||
	       apiserver_watching(bench->server) < watches) {
		if (now_ns() - start > SYNC_S * INT64_C(1000000000))
			give_up("the daemon has not listed again");
		sleep_us(1000);
	}
}

static void relist(struct bench *bench, unsigned int rounds)
{
	double seconds[ROUNDS_MAX], peak[ROUNDS_MAX], resident[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++) {
		/* The watch that is refused, and the list. */
		unsigned int asked = apiserver_count(bench->server, "/pods?") + 2;
		unsigned int watches = apiserver_watching(bench->server);
		int64_t start;

		sleep_us(1500000); /* lists that follow each other at once are waited for */
		memory_forget_peak(bench->pid);
		start = now_ns();
		apiserver_compact(bench->server);
		apiserver_end_watches(bench->server, true);
		wait_for_watches(bench, asked, watches);
		seconds[i] = (double)(now_ns() - start) / 1e9;
		sleep_us(500000);
		peak[i] = memory_mb(bench->pid, "VmHWM:");
		resident[i] = memory_mb(bench->pid, "VmRSS:");
	}
	printf("everything listed again, nothing changed: %u rounds, medians [quartiles]\n", rounds);
	print_spread("time", "s", seconds, rounds);
	print_spread("peak meanwhile (VmHWM)", "MB", peak, rounds);
	print_spread("resident memory after it (VmRSS)", "MB", resident, rounds);
}

static uint32_t class_of(const struct bench *bench, const struct bh_addr *addr)
{
	uint32_t class = BH_PEER_ANY;

	bpf_map_lookup_elem(bench->peers, addr, &class);
	return class;
}

static void peers_open(struct bench *bench)
{
	struct err err = { 0 };

	if (bench->peers < 0)
		bench->peers = pin_open_map(bench->pin_root, BH_MAP_PEERS, &err);
	if (bench->peers < 0) {
		fprintf(stderr, "kube_bench: %s\n", err.msg);
		exit(1);
	}
}

static void say_pod(const struct bench *bench, size_t i, const char *app, unsigned int again)
{
	auto_text struct text line = { 0 };

	text_addf(&line, "{\"type\":\"MODIFIED\",\"object\":");
	crowd_pod_as(&line, i, 1000000 + (long)again, true, app, again);
	text_addf(&line, "}");
	apiserver_say(bench->server, "pods", line.data);
}

/* Every pod is a peer in some policy of this node; relabelled to an app that none asks
 * for, it is another class of peer. */
static double event_us(const struct bench *bench, size_t i, const char *app, unsigned int again)
{
	struct bh_addr addr;
	uint32_t before;
	int64_t start;
	char text[32];

	crowd_pod_addr(text, sizeof(text), i);
	if (addr_parse(text, &addr) < 0)
		give_up(text);
	before = class_of(bench, &addr);
	start = now_ns();
	say_pod(bench, i, app, again);
	while (class_of(bench, &addr) == before)
		if (now_ns() - start > EVENT_MS * INT64_C(1000000))
			return -1;
	return (double)(now_ns() - apiserver_told_ns(bench->server)) / 1e3;
}

/* Whoever waits for a row looks all the time, and gives way to all others at once: else the
 * daemon waits now and then until our share of its processor is over. */
static void give_way(bool always)
{
	const struct sched_param none = { 0 };

	if (sched_setscheduler(0, always ? SCHED_IDLE : SCHED_OTHER, &none) < 0)
		give_up("the scheduler");
}

static void events(struct bench *bench, unsigned int n)
{
	double *us = calloc(n + 1, sizeof(*us));
	int64_t end = now_ns() + EVENTS_S * INT64_C(1000000000);
	size_t first = crowd_pod_of(CROWD_LOCAL_NAMESPACES), lost = 0, seen = 0;

	if (!us)
		give_up("samples");
	peers_open(bench);
	give_way(true);
	for (unsigned int i = 0; i < n && now_ns() < end; i++) {
		/* Away and back again, so that the cluster is what it was. */
		size_t pod = first + i / 2 * 7919 % (crowd.pods - first);
		double took = event_us(bench, pod, i % 2 ? NULL : "elsewhere", i + 1);

		if (took < 0)
			lost++;
		else
			us[seen++] = took;
		sleep_us(500);
	}
	give_way(false);
	printf("one pod relabelled, from the server's socket to the row in the kernel: %zu events\n",
	       seen + lost);
	spread_sort(us, seen);
	if (seen)
		printf("  p50 %.0f us, p90 %.0f us, p99 %.0f us, most %.0f us\n", us[seen / 2],
		       us[seen * 9 / 10], us[seen * 99 / 100], us[seen - 1]);
	if (lost)
		printf("  %zu events changed no row in %d ms\n", lost, EVENT_MS);
	free(us);
}

static void rate(struct bench *bench, unsigned int seconds, bool relabels)
{
	int64_t start = now_ns(), next = start;
	double before = cpu_s(bench->pid), spent;
	size_t first = crowd_pod_of(CROWD_LOCAL_NAMESPACES);
	unsigned int n = 0;

	for (; next - start < seconds * INT64_C(1000000000); next += 1000000, n++) {
		while (now_ns() < next)
			sleep_us((next - now_ns()) / 1000 + 1);
		say_pod(bench, first + n * 7919ul % (crowd.pods - first), relabels ? "elsewhere" : NULL,
			n + 1);
	}
	spent = (double)(now_ns() - start) / 1e9;
	sleep_us(200000);
	printf("%.0f events/s for %u s, %s: %.1f %% of a core\n", n / spent, seconds,
	       relabels ? "every one a new label" : "every one a new status only",
	       100 * (cpu_s(bench->pid) - before) / spent);
	printf("  resident memory after it (VmRSS) %.1f MB\n", memory_mb(bench->pid, "VmRSS:"));
}

static void decode(unsigned int rounds)
{
	double own[ROUNDS_MAX], ratio[ROUNDS_MAX];
	size_t bytes = decode_race(rounds, own, ratio);

	printf("decoding one pod of %zu bytes: %u rounds, medians [quartiles]\n", bytes, rounds);
	print_spread("the daemon's decoder", "us", own, rounds);
	print_spread("plain cJSON takes so many times as long", "x ", ratio, rounds);
}

static int obey(struct bench *bench, const char *line)
{
	unsigned int n = 0;
	char word[16] = "";

	if (strcmp(line, "machine\n") == 0)
		machine();
	else if (strcmp(line, "start\n") == 0)
		daemon_start(bench);
	else if (strcmp(line, "stop\n") == 0)
		daemon_stop(bench);
	else if (sscanf(line, "decode %u", &n) == 1 && n && n <= ROUNDS_MAX)
		decode(n);
	else if (sscanf(line, "cold %u %15s", &n, word) == 2 && n && n <= ROUNDS_MAX)
		cold(bench, n, strcmp(word, "stream") == 0);
	else if (sscanf(line, "relist %u", &n) == 1 && n && n <= ROUNDS_MAX)
		relist(bench, n);
	else if (sscanf(line, "events %u", &n) == 1 && n && n <= SAMPLES_MAX)
		events(bench, n);
	else if (sscanf(line, "rate %u %15s", &n, word) == 2)
		rate(bench, n, strcmp(word, "relabel") == 0);
	else
		return -1;
	return 0;
}

static void kubeconfig_write(const struct bench *bench, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		give_up(path);
	fprintf(file,
		"{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: "
		"c, user: u}}],\n"
		" clusters: [{name: c, cluster: {server: \"http://127.0.0.1:%d\"}}], users: [{name: u, user: "
		"{token: t}}]}\n",
		apiserver_port(bench->server));
	fclose(file);
}

int main(int argc, char **argv)
{
	struct bench bench = { .peers = -1 };
	char line[256];

	if (argc < 8) {
		fprintf(stderr, "usage: kube_bench KUBECONFIG PIN-ROOT LOG PODS NAMESPACES POLICIES DAEMON "
				"[FLAG...]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	crowd = (struct crowd){ strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10),
				strtoul(argv[6], NULL, 10) };
	if (crowd.namespaces <= CROWD_LOCAL_NAMESPACES || crowd.pods < crowd.namespaces)
		give_up("a cluster has more pods and namespaces than this node");
	bench.server = apiserver_new(NULL, NULL);
	bench.pin_root = argv[2];
	bench.log = argv[3];
	bench.daemon = argv + 7;
	kubeconfig_write(&bench, argv[1]);
	apiserver_crowd(bench.server, "pods", (struct apiserver_crowd){ crowd.pods, crowd_pod });
	apiserver_crowd(bench.server, "namespaces",
			(struct apiserver_crowd){ crowd.namespaces, crowd_namespace });
	apiserver_crowd(bench.server, "networkpolicies",
			(struct apiserver_crowd){ crowd.policies, crowd_policy });
	while (fgets(line, sizeof(line), stdin))
		puts(obey(&bench, line) == 0 ? "ok" : "what?");
	daemon_stop(&bench);
	apiserver_free(bench.server);
	return 0;
}
