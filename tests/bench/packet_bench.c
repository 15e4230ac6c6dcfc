// SPDX-License-Identifier: Apache-2.0
/*
 * What a packet costs: established, new and denied, in nanoseconds over an empty
 * program, for Bulkhead and two baselines of our own, at 1 and at 10,000 peers.
 *
 *	packet_bench OBJECTS [ROUNDS]
 *
 * OBJECTS holds empty.bpf.o, lru.bpf.o and lpm.bpf.o. Rounds are interleaved in
 * random order, ratios are taken within a round, medians and quartiles printed. No
 * figure fails the run; a machine too noisy to judge is said to be one.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/spread.h"
#include "dataplane/pins.h"
#include "lib/kern.h"
#include "tests/bench/baseline.h"

#define ROUNDS_MAX   101
#define TUPLES	     64	   /* established flows and denied peers in one sample */
#define REPEAT	     400   /* runs of each */
#define NEW_FLOWS    20000 /* connections opened in one sample */
#define ALLOWED_PORT 80
#define DENIED_PORT  22
#define CLASSES	     100 /* peers share so many classes or identities */

enum contender { BULKHEAD, LRU, LPM, CONTENDERS };
enum measure { ESTABLISHED, NEW, DENIED, MEASURES };
static const char *const contender_names[] = { "bulkhead", "lru-hash", "lpm-identity" };
static const char *const measure_names[] = { "established", "new", "denied" };

struct bench {
	struct kern *kern;
	struct kern_pod pod;
	struct ring *ring;
	struct ring_buffer *rings;     /* the baselines' */
	struct bpf_object *objects[3]; /* empty, lru, lpm */
	int empty, vary, next;	       /* programs, and the array that vary goes on by */
	int prog[CONTENDERS];
	int flows[CONTENDERS]; /* the table to empty between samples */
	unsigned int peers;
};

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "packet_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct bh_addr peer_addr(unsigned int i)
{
	struct bh_addr addr = addr_of("172.16.0.0");

	addr.b[13] = (uint8_t)(16 + (i >> 16));
	addr.b[14] = (uint8_t)(i >> 8);
	addr.b[15] = (uint8_t)i;
	return addr;
}

/* Spread over all peers, the same for every contender. */
static struct bh_addr tuple_peer(const struct bench *bench, unsigned int i)
{
	return peer_addr((i * 7919u) % bench->peers);
}

static struct frame tcp(const struct bench *bench, const struct bh_addr *dst, uint16_t sport, uint16_t dport,
			uint8_t flags)
{
	struct frame f;

	kern_frame_from(&f, &bench->pod, &bench->pod.v4, dst);
	frame_tcp(&f, sport, dport, flags);
	frame_end(&f);
	return f;
}

static uint32_t timed(const struct bench *bench, int prog, const struct frame *f, uint32_t repeat, bool drop)
{
	int action;
	uint32_t ns =
		kern_time(bench->kern, prog, bench->pod.ifindex, bench->pod.ifindex, f, repeat, &action);

	if ((action == KERN_DROP) != drop) {
		fprintf(stderr, "packet_bench: a program answered %d\n", action);
		exit(1);
	}
	return ns;
}

static void table_clear(int fd)
{
	static unsigned char keys[65536 * 64], values[65536 * 64];
	__u32 batch, count;
	int r;

	do {
		count = 65536;
		r = bpf_map_lookup_and_delete_batch(fd, NULL, &batch, keys, values, &count, NULL);
	} while (r == 0);
	if (r != -ENOENT)
		give_up("emptying a flow table");
}

static double measure_established(const struct bench *bench, int prog)
{
	double sum = 0;

	for (unsigned int i = 0; i < TUPLES; i++) {
		struct bh_addr dst = tuple_peer(bench, i);
		struct frame f = tcp(bench, &dst, (uint16_t)(1024 + i), ALLOWED_PORT, FRAME_SYN);

		timed(bench, prog, &f, 1, false);
		f = tcp(bench, &dst, (uint16_t)(1024 + i), ALLOWED_PORT, FRAME_ACK);
		sum += timed(bench, prog, &f, REPEAT, false);
	}
	return sum / TUPLES;
}

/* Through `vary`, whose own cost and tail call the empty program pays too. */
static double measure_new(const struct bench *bench, int prog)
{
	unsigned int batches = 10;
	double sum = 0;
	__u32 zero = 0;

	if (bpf_map_update_elem(bench->next, &zero, &prog, BPF_ANY) < 0)
		give_up("entering a program into the array");
	for (unsigned int i = 0; i < batches; i++) {
		struct bh_addr dst = tuple_peer(bench, 1000 + i);
		uint16_t sport = (uint16_t)(20000 + i * (NEW_FLOWS / batches));
		struct frame f = tcp(bench, &dst, sport, ALLOWED_PORT, FRAME_SYN);

		sum += timed(bench, bench->vary, &f, NEW_FLOWS / batches, false);
	}
	return sum / batches;
}

/* A full ring refuses fast; no event may meet one. */
static void rings_drain(const struct bench *bench)
{
	if (ring_consume(bench->ring) < 0 || ring_buffer__consume(bench->rings) < 0)
		give_up("reading the events");
}

static double measure_denied(const struct bench *bench, int prog)
{
	bool drop = prog != bench->empty;
	double sum = 0;

	for (unsigned int i = 0; i < TUPLES; i++) {
		struct bh_addr dst = tuple_peer(bench, i);
		struct frame f = tcp(bench, &dst, (uint16_t)(1024 + i), DENIED_PORT, FRAME_SYN);

		sum += timed(bench, prog, &f, REPEAT, drop);
		rings_drain(bench);
	}
	return sum / TUPLES;
}

static double measure(const struct bench *bench, enum measure what, int prog)
{
	switch (what) {
	case ESTABLISHED:
		return measure_established(bench, prog);
	case NEW:
		return measure_new(bench, prog);
	default:
		return measure_denied(bench, prog);
	}
}

static int prog_of(const struct bpf_object *object, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	if (!prog)
		give_up(name);
	return bpf_program__fd(prog);
}

static int map_of(const struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	if (fd < 0)
		give_up(name);
	return fd;
}

static struct bpf_object *object_load(const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct bpf_object *object;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object) < 0)
		give_up(path);
	return object;
}

static void contenders_open(struct bench *bench, const char *folder)
{
	struct err err = { 0 };

	bench->objects[0] = object_load(folder, "empty.bpf.o");
	bench->objects[1] = object_load(folder, "lru.bpf.o");
	bench->objects[2] = object_load(folder, "lpm.bpf.o");
	bench->empty = prog_of(bench->objects[0], "bench_empty");
	bench->vary = prog_of(bench->objects[0], "bench_vary");
	bench->next = map_of(bench->objects[0], "next");
	bench->prog[BULKHEAD] = bench->kern->from_pod;
	bench->prog[LRU] = prog_of(bench->objects[1], "bench_lru");
	bench->prog[LPM] = prog_of(bench->objects[2], "bench_lpm");
	bench->flows[BULKHEAD] = pin_open_map(KERN_ROOT, BH_MAP_FLOWS, &err);
	bench->flows[LRU] = map_of(bench->objects[1], "flows");
	bench->flows[LPM] = map_of(bench->objects[2], "flows");
}

static void put(int fd, const void *key, const void *value)
{
	if (bpf_map_update_elem(fd, key, value, BPF_ANY) < 0)
		give_up("filling a table");
}

/* Each peer allowed on one port: /32s and identities for the baselines, exact
 * addresses and classes for Bulkhead. */
static void peers_fill(struct bench *bench, unsigned int peers)
{
	static const struct bh_port web = { ALLOWED_PORT, ALLOWED_PORT, IPPROTO_TCP, BH_ALLOW, 0 };
	struct base_ports ports = { .n = 1, .port = { { ALLOWED_PORT, ALLOWED_PORT, IPPROTO_TCP } } };
	int lru = map_of(bench->objects[1], "peers"), lpm = map_of(bench->objects[2], "identities");

	for (unsigned int i = 0; i < peers; i++) {
		struct bh_addr addr = peer_addr(i);
		struct base_prefix key = { .len = 32 };
		__u32 class = 256 + i % CLASSES;

		memcpy(&key.addr, addr.b + 12, 4);
		kern_peer(bench->kern, &addr, class);
		put(lru, &key, &ports);
		put(lpm, &key, &class);
	}
	for (unsigned int i = 0; i < CLASSES; i++) {
		struct base_policy key = { .identity = 256 + i,
					   .port = htons(ALLOWED_PORT),
					   .proto = IPPROTO_TCP };
		__u32 one = 1;

		put(map_of(bench->objects[2], "policy"), &key, &one);
		kern_row(bench->kern, 1, 256 + i, BH_DENY, &web, 1);
	}
	bench->peers = peers;
}

static void event_ignore(const struct bh_event *event, void *data)
{
	(void)event;
	(void)data;
}

static int sample_ignore(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

static void rings_open(struct bench *bench)
{
	struct err err = { 0 };

	if (ring_open(bench->kern->maps, event_ignore, NULL, &bench->ring, &err) < 0)
		give_up(err.msg);
	bench->rings = ring_buffer__new(map_of(bench->objects[1], "events"), sample_ignore, NULL, NULL);
	if (!bench->rings ||
	    ring_buffer__add(bench->rings, map_of(bench->objects[2], "events"), sample_ignore, NULL) < 0)
		give_up("reading the baselines' events");
}

static void bench_open(struct bench *bench, const char *folder)
{
	const char *why;
	__u32 src, slot = 0;

	bench->kern = kern_open(&why);
	if (!bench->kern) {
		printf("packet_bench: skipped: %s\n", why);
		exit(0);
	}
	bench->kern->config.flow_quota = UINT32_MAX; /* tables are emptied behind its back */
	kern_configure(bench->kern);
	kern_pod_add(bench->kern, "a", 5, BH_EP_ROUTED, &bench->pod);
	kern_pod_subjects(bench->kern, &bench->pod, 1, 1);
	contenders_open(bench, folder);
	memcpy(&src, bench->pod.v4.b + 12, 4);
	put(map_of(bench->objects[2], "endpoints"), &src, &slot);
	rings_open(bench);
}

/* One figure for every round: [measure][contender], and the empty program's own. */
struct samples {
	double net[MEASURES][CONTENDERS][ROUNDS_MAX];
	double empty[MEASURES][ROUNDS_MAX];
};

/* The empty program before and after, in each round, in the same form. */
static void round_run(struct bench *bench, enum measure what, unsigned int round, struct samples *s)
{
	enum contender order[CONTENDERS] = { BULKHEAD, LRU, LPM };
	double empty;

	for (int i = CONTENDERS - 1; i > 0; i--) {
		int k = (int)(random() % (i + 1));
		enum contender swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	empty = measure(bench, what, bench->empty);
	for (int i = 0; i < CONTENDERS; i++) {
		enum contender c = order[i];

		s->net[what][c][round] = measure(bench, what, bench->prog[c]) - empty;
		table_clear(bench->flows[c]);
	}
	s->empty[what][round] = empty;
}

static void print_row(const struct samples *s, enum measure what, enum contender c, unsigned int rounds)
{
	double ratio[ROUNDS_MAX];
	struct spread ns = spread_of(s->net[what][c], rounds), times;

	printf("  %-12s %-13s %7.1f  [%6.1f %6.1f]", measure_names[what], contender_names[c], ns.median,
	       ns.q1, ns.q3);
	if (c != BULKHEAD) {
		for (unsigned int i = 0; i < rounds; i++)
			ratio[i] = s->net[what][BULKHEAD][i] / s->net[what][c][i];
		times = spread_of(ratio, rounds);
		printf("   bulkhead is %.2f of it [%.2f %.2f]", times.median, times.q1, times.q3);
	}
	putchar('\n');
}

static void print_table(const struct samples *s, unsigned int peers, unsigned int rounds)
{
	printf("%u peer%s, %u rounds: ns a packet over an empty program, median [quartiles]\n", peers,
	       peers == 1 ? "" : "s", rounds);
	for (int what = 0; what < MEASURES; what++) {
		struct spread empty = spread_of(s->empty[what], rounds);
		double noise = (empty.q3 - empty.q1) / (empty.median > 0 ? empty.median : 1);

		for (int c = 0; c < CONTENDERS; c++)
			print_row(s, what, c, rounds);
		if (noise > 0.03)
			printf("  (not to be judged: the empty program itself, %.1f ns, spreads by %.0f%%)\n",
			       empty.median, 100 * noise);
	}
}

int main(int argc, char **argv)
{
	static const unsigned int peers[] = { 1, 10000 };
	unsigned int rounds = argc > 2 ? (unsigned int)atoi(argv[2]) : 11;
	static struct samples samples;
	struct bench bench = { 0 };

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: packet_bench OBJECTS [ROUNDS, at most %d]\n", ROUNDS_MAX);
		return 2;
	}
	kern_one_cpu();
	bench_open(&bench, argv[1]);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		peers_fill(&bench, peers[i]);
		for (unsigned int round = 0; round < rounds; round++) {
			for (int what = 0; what < MEASURES; what++)
				round_run(&bench, what, round, &samples);
		}
		print_table(&samples, peers[i], rounds);
	}
	return 0;
}
