// SPDX-License-Identifier: Apache-2.0
/*
 * What Services cost: bringing many of them into the kernel, one slice's change, and a
 * new connection through one beside a new connection to one of the pods behind them, in
 * the same rounds and under the same policy, with few Services and with many (G18).
 * With many, once to the same few as before, which shows what their number costs, and
 * once to any of them, which shows what it costs to dial thousands. Medians and
 * quartiles; nothing fails by time.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/spread.h"
#include "dataplane/pins.h"
#include "lib/kern.h"
#include "service/services.h"

#define BACKENDS 100
#define FEW	 10
#define MANY	 10000
#define PODS	 100000
#define CLASSES	 100 /* pods share so many peer classes */
#define ROUNDS	 11
#define TUPLES	 2000

struct cluster {
	size_t n;
	struct service *services;
	struct endpoint_slice *slices;
	struct service_port port;
	struct slice_port slice_port;
};

static struct kern *kern;
static struct kern_pod pod;
static uint16_t next_port = 1024;

static void give_up(const char *why)
{
	fprintf(stderr, "service_bench: %s\n", why);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct bh_addr addr_number(uint32_t base, uint32_t i)
{
	uint32_t addr = htonl(base + i);

	return addr_from_v4(&addr);
}

/* Each backs several Services, where there are many. */
static struct bh_addr pod_addr(size_t i)
{
	return addr_number(0x0b000000u, (uint32_t)(i % PODS));
}

static struct bh_addr front_addr(size_t i)
{
	return addr_number(0x0a600000u, (uint32_t)i + 1);
}

static char *name_of(const char *what, size_t i)
{
	char *name;

	if (asprintf(&name, "%s-%zu", what, i) < 0)
		give_up("out of memory");
	return name;
}

static void cluster_make(struct cluster *cluster, size_t n)
{
	*cluster = (struct cluster){ n,
				     calloc(n, sizeof(struct service)),
				     calloc(n, sizeof(struct endpoint_slice)),
				     { "web", IPPROTO_TCP, 80, 8080, NULL },
				     { "web", IPPROTO_TCP, 8080 } };
	if (!cluster->services || !cluster->slices)
		give_up("out of memory");
	for (size_t i = 0; i < n; i++) {
		struct service *service = &cluster->services[i];
		struct endpoint_slice *slice = &cluster->slices[i];

		service->namespace = slice->namespace = "shop";
		service->name = slice->service = name_of("service", i);
		slice->name = service->name;
		service->addrs = malloc(sizeof(*service->addrs));
		slice->endpoints = calloc(BACKENDS, sizeof(*slice->endpoints));
		if (!service->addrs || !slice->endpoints)
			give_up("out of memory");
		service->addrs[0] = front_addr(i);
		service->n_addrs = service->n_ports = slice->n_ports = 1;
		service->ports = &cluster->port;
		slice->ports = &cluster->slice_port;
		slice->n_endpoints = BACKENDS;
		for (size_t k = 0; k < BACKENDS; k++)
			slice->endpoints[k] =
				(struct slice_endpoint){ pod_addr(i * BACKENDS + k), "", true, true, false };
	}
}

static bool is_local(const struct bh_addr *addr, void *data)
{
	(void)addr, (void)data;
	return false;
}

/* Writes made. */
static size_t bring(struct services *services)
{
	const struct service_view view = { .node = "", .is_local = is_local };
	size_t writes = 0;
	int more = 1;

	while (more >= 0) {
		struct service_plan plan = { 0 };
		struct err err = { 0 };

		more = more ? services_plan(services, &view, &plan) : services_tidy(services, &plan) - 1;
		if (maps_services_apply(kern->maps, plan.v, plan.n, &err) < 0)
			give_up(err.msg);
		writes += plan.n;
		service_plan_done(&plan);
	}
	return writes;
}

static void tell(struct services *services, enum change_kind kind, const void *old, const void *now)
{
	const struct change change = { kind, old, now, 0 };

	if (services_change(services, &change) < 0)
		give_up("out of memory");
}

static double map_mib(const char *name)
{
	struct err err = { 0 };
	int fd = pin_open_map(KERN_ROOT, name, &err);
	char path[64], line[128];
	long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "memlock: %lld", &bytes);
	if (file)
		fclose(file);
	close(fd);
	return (double)bytes / (1 << 20);
}

static long resident_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmRSS: %ld kB", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* --- packets */

/* The client is isolated, and each pod's class has a row of its own. */
static void policy_make(void)
{
	static const struct bh_port web = { 8080, 8080, IPPROTO_TCP, BH_ALLOW, 0 };

	for (uint32_t i = 0; i < PODS; i++) {
		struct bh_addr addr = pod_addr(i);

		kern_peer(kern, &addr, 1 + i % CLASSES);
	}
	for (uint32_t i = 0; i < CLASSES; i++)
		kern_row(kern, 1, 1 + i, BH_DENY, &web, 1);
	kern_pod_subjects(kern, &pod, 1, 0);
}

/* Nanoseconds of one new connection, to one of the first `services` or of the pods
 * behind them. */
static double opened(bool through, size_t services)
{
	double sum = 0;
	int action;

	for (unsigned int i = 0; i < TUPLES; i++) {
		size_t k = (size_t)random() % services;
		struct bh_addr dst =
			through ? front_addr(k) : pod_addr(k * BACKENDS + (size_t)random() % BACKENDS);
		struct frame f;

		if (++next_port < 1024)
			next_port = 1024;
		kern_frame_from(&f, &pod, &pod.v4, &dst);
		frame_tcp(&f, next_port, through ? 80 : 8080, FRAME_SYN);
		frame_end(&f);
		sum += kern_time(kern, kern->from_pod, pod.ifindex, pod.ifindex, &f, 1, &action);
		if (action == KERN_DROP)
			give_up("a packet was dropped");
	}
	return sum / TUPLES;
}

static void connections_show(size_t dialled, size_t services)
{
	double direct[ROUNDS], through[ROUNDS], ratio[ROUNDS];
	struct spread d, t, r;

	for (int i = 0; i < ROUNDS; i++) {
		bool first = random() % 2;

		if (first)
			through[i] = opened(true, dialled);
		direct[i] = opened(false, dialled);
		if (!first)
			through[i] = opened(true, dialled);
		ratio[i] = through[i] / direct[i];
		kern_flows_forget(kern);
	}
	d = spread_of(direct, ROUNDS);
	t = spread_of(through, ROUNDS);
	r = spread_of(ratio, ROUNDS);
	printf("  new connection, %5zu Services, any of %5zu: direct %.0f [%.0f %.0f] ns, through one %.0f "
	       "[%.0f %.0f] ns, ratio %.2f [%.2f %.2f]\n",
	       services, dialled, d.median, d.q1, d.q3, t.median, t.q1, t.q3, r.median, r.q1, r.q3);
}

/* --- */

static void change_show(struct services *services, struct cluster *cluster)
{
	double took[101];
	size_t writes = 0;
	struct spread s;

	for (size_t i = 0; i < 101; i++) {
		struct endpoint_slice *slice = &cluster->slices[(size_t)random() % cluster->n];
		const struct service_view view = { .node = "", .is_local = is_local };
		struct service_plan plan = { 0 };
		double start = now_ms();

		slice->endpoints[0].ready = !slice->endpoints[0].ready;
		tell(services, CHANGE_SLICE, slice, slice);
		if (services_plan(services, &view, &plan) != 0 ||
		    maps_services_apply(kern->maps, plan.v, plan.n, NULL) < 0)
			give_up("a change");
		took[i] = (now_ms() - start) * 1e3;
		writes = plan.n;
		service_plan_done(&plan);
	}
	s = spread_of(took, 101);
	printf("  one endpoint's readiness: %.0f us [%.0f %.0f], %zu writes\n", s.median, s.q1, s.q3, writes);
}

int main(void)
{
	struct services *services = services_new();
	struct cluster few, many;
	const char *why;
	double start;
	size_t writes;
	long before;

	kern = kern_open(&why);
	if (!kern) {
		printf("service_bench: skipped: %s\n", why);
		return 0;
	}
	kern->config.flow_quota = UINT32_MAX; /* the table is emptied behind its back */
	kern_configure(kern);
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &pod);
	printf("Services, %d backends each, on %ld CPUs\n", BACKENDS, sysconf(_SC_NPROCESSORS_ONLN));
	policy_make();
	cluster_make(&few, FEW);
	for (size_t i = 0; i < few.n; i++) {
		tell(services, CHANGE_SERVICE, NULL, &few.services[i]);
		tell(services, CHANGE_SLICE, NULL, &few.slices[i]);
	}
	bring(services);
	connections_show(FEW, FEW);
	cluster_make(&many, MANY);
	before = resident_kib();
	start = now_ms();
	services_free(services);
	services = services_new();
	for (size_t i = 0; i < many.n; i++) {
		tell(services, CHANGE_SERVICE, NULL, &many.services[i]);
		tell(services, CHANGE_SLICE, NULL, &many.slices[i]);
	}
	writes = bring(services);
	printf("  %d Services brought in: %zu writes in %.0f ms; %.1f MiB in the kernel (%.1f backends, %.1f "
	       "fronts), "
	       "%.1f MiB here\n",
	       MANY, writes, now_ms() - start, map_mib(BH_MAP_BACKENDS) + map_mib(BH_MAP_SERVICES),
	       map_mib(BH_MAP_BACKENDS), map_mib(BH_MAP_SERVICES), (double)(resident_kib() - before) / 1024);
	change_show(services, &many);
	connections_show(FEW, MANY);
	connections_show(MANY, MANY);
	services_free(services);
	kern_close(kern);
	return 0;
}
