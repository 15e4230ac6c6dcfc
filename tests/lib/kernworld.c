// SPDX-License-Identifier: Apache-2.0
#include "lib/kernworld.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/fence.h"
#include "lib/cases.h"

#define SERVICE_TRIES 16 /* a backend of two that differs is missed once in 32768 times */

static void on_event(const struct bh_event *event, void *data)
{
	struct kernworld *kw = data;

	kw->audits += event->action == BH_AUDIT;
	if (event->action == BH_DENY)
		kw->reason = event->reason;
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
	*pod = (struct kern_pod){ .mac = { 2, 0xb, 0, 0, 2, (uint8_t)n },
				  .host_mac = { 2, 0xb, 0, 0, 3, (uint8_t)n } };
	snprintf(pod->name, sizeof(pod->name), "c%zu", n);
	kern_run("ip link add name %s type veth peer name p-%s && ip link set dev %s up", pod->name,
		 pod->name, pod->name);
	pod->ifindex = if_nametoindex(pod->name);
}

/* One pod of the world becomes an endpoint: a veth, a claimed row, its addresses. */
static void endpoint_add(struct kernworld *kw, const struct pod *pod, struct kern_pod *ret)
{
	struct endpoint *endpoint = &kw->endpoints[kw->n_endpoints++];
	struct bh_endpoint row = { .flags = BH_EP_ROUTED };
	struct err err = { 0 };

	link_add(ret, kw->n_endpoints);
	row.ifindex = ret->ifindex;
	memcpy(row.mac, ret->mac, 6);
	memcpy(row.host_mac, ret->host_mac, 6);
	for (size_t i = 0; i < pod->n_addrs && i < BH_ENDPOINT_ADDRS; i++)
		row.addr[i] = pod->addrs[i];
	must(maps_endpoint_claim(kw->kern->maps, &row, &ret->slot, &err), &err, "claim");
	*endpoint = (struct endpoint){ .slot = ret->slot,
				       .ifindex = ret->ifindex,
				       .namespace = pod->namespace,
				       .pod = pod->name,
				       .uid = pod->uid,
				       .n_addrs = pod->n_addrs };
	for (size_t i = 0; i < pod->n_addrs && i < BH_ENDPOINT_ADDRS; i++) {
		endpoint->addrs[i] = pod->addrs[i];
		must(maps_local_set(kw->kern->maps, &pod->addrs[i], ret->slot, &err), &err, "local");
	}
}

/* As the daemon does it, but at once. */
static void leftovers_erase(struct kernworld *kw)
{
	struct err err = { 0 };

	while (tables_need_fence(kw->tables)) {
		struct plan plan = { 0 };
		uint64_t number = tables_fence(kw->tables);

		must(fence(), &err, "fence");
		tables_fenced(kw->tables, number);
		must(tables_sweep(kw->tables, SIZE_MAX / 2, &plan), &err, "sweep");
		must(tables_update(kw->tables, &plan, &err), &err, "settle");
		must(maps_apply(kw->kern->maps, plan.v, plan.n, &err), &err, "apply");
		plan_done(&plan);
	}
}

static bool addr_is_here(const struct bh_addr *addr, void *data)
{
	const struct kernworld *kw = data;

	for (size_t i = 0; i < kw->n_endpoints; i++) {
		for (size_t j = 0; j < kw->endpoints[i].n_addrs; j++) {
			if (addr_equal(&kw->endpoints[i].addrs[j], addr))
				return true;
		}
	}
	return false;
}

/* As the daemon does it for a folder of manifests. Returns the number of writes. */
static size_t services_update(struct kernworld *kw, const struct world *world)
{
	const struct service_view view = { (const struct pod *const *)world->pods, world->n_pods, CASE_NODE,
					   addr_is_here, kw };
	struct err err = { .msg = "out of memory" };
	size_t n = 0;
	int more = 1;

	must(services_reset(kw->services, world), &err, "Services");
	while (more > 0) {
		struct service_plan plan = { 0 };

		more = services_plan(kw->services, &view, &plan);
		if (more == 0)
			must(services_tidy(kw->services, &plan), &err, "sets");
		must(more, &err, "plan of the Services");
		must(maps_services_apply(kw->kern->maps, plan.v, plan.n, &err), &err, "Services");
		n += plan.n;
		service_plan_done(&plan);
	}
	return n;
}

static void services_start(struct kernworld *kw)
{
	struct bh_service_snapshot snapshot = { 0 };
	struct err err = { 0 };

	kw->services = services_new();
	if (!kw->services)
		abort();
	must(maps_services_snapshot(kw->kern->maps, &snapshot, &err), &err, "snapshot of the Services");
	must(services_adopt(kw->services, &snapshot), &err, "adopt Services");
	maps_services_snapshot_done(&snapshot);
}

size_t kernworld_update(struct kernworld *kw, const struct world *world)
{
	struct plan plan = { 0 };
	struct err err = { 0 };
	size_t n;

	feeder_tell(&kw->feeder, kw->tables, world, kw->endpoints, kw->n_endpoints);
	must(tables_update(kw->tables, &plan, &err), &err, "compile");
	must(maps_apply(kw->kern->maps, plan.v, plan.n, &err), &err, "apply");
	n = plan.n;
	plan_done(&plan);
	leftovers_erase(kw);
	return n + services_update(kw, world);
}

void kernworld_start(struct kernworld *kw, const struct world *world)
{
	struct bh_snapshot snapshot = { 0 };
	struct err err = { 0 };

	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *pod = world->pods[i];

		if (pod->n_addrs && case_pod_is_here(pod) && i < KERNWORLD_PODS_MAX)
			endpoint_add(kw, pod, &kw->pods[i]);
	}
	kw->tables = tables_new();
	must(maps_snapshot(kw->kern->maps, &snapshot, &err), &err, "snapshot");
	must(tables_adopt(kw->tables, &snapshot, &err), &err, "adopt");
	maps_snapshot_done(&snapshot);
	services_start(kw);
	kernworld_update(kw, world);
}

void kernworld_stop(struct kernworld *kw, const struct world *world)
{
	struct err err = { 0 };

	for (size_t i = 0; i < world->n_pods && i < KERNWORLD_PODS_MAX; i++) {
		if (!kw->pods[i].ifindex)
			continue;
		must(maps_endpoint_release(kw->kern->maps, kw->pods[i].ifindex, &err), &err, "release");
		kern_run("ip link del %s", kw->pods[i].name);
	}
	kw->tables = tables_free(kw->tables);
	kw->services = services_free(kw->services);
	feeder_done(&kw->feeder);
	memset(kw->pods, 0, sizeof(kw->pods));
	kw->n_endpoints = 0;
}

static const struct kern_pod *pod_at(const struct kernworld *kw, const struct world *world,
				     const struct pod *pod)
{
	for (size_t i = 0; pod && i < world->n_pods && i < KERNWORLD_PODS_MAX; i++) {
		if (world->pods[i] == pod && kw->pods[i].ifindex)
			return &kw->pods[i];
	}
	return NULL;
}

/* The first packet of a connection nobody has seen before. */
static void frame_fill_row(struct kernworld *kw, struct frame *f, const struct explain_query *query)
{
	uint16_t port = kw->next_port++;

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

enum explain_verdict kernworld_verdict(struct kernworld *kw, const struct world *world,
				       const struct explain_query *query)
{
	const struct kern_pod *from = pod_at(kw, world, query->from.pod);
	const struct kern_pod *to = pod_at(kw, world, query->to.pod);
	struct frame f = { 0 };
	int action;

	kw->audits = kw->reason = 0;
	if (from) {
		kern_frame_from(&f, from, &query->from.addr, &query->to.addr);
		frame_fill_row(kw, &f, query);
		action = kern_from_pod(kw->kern, from, &f);
	} else {
		kern_frame_to(&f, to, &query->from.addr, &query->to.addr);
		frame_fill_row(kw, &f, query);
		action = kern_to_pod(kw->kern, to, query->from.is_own_node ? 0 : kw->kern->uplink, &f);
	}
	ring_consume(kw->ring);
	if (action == KERN_DROP || kw->reason == BH_NO_BACKEND)
		return EXPLAIN_DENY;
	return kw->audits ? EXPLAIN_AUDIT : EXPLAIN_ALLOW;
}

enum explain_verdict kernworld_service_verdict(struct kernworld *kw, const struct world *world,
					       const struct explain_query *query)
{
	enum explain_verdict verdict = EXPLAIN_UNKNOWN;

	for (int i = 0; i < SERVICE_TRIES; i++) {
		enum explain_verdict now = kernworld_verdict(kw, world, query);

		if (now == EXPLAIN_DENY && kw->reason != BH_POLICY)
			now = kw->reason == BH_NO_BACKEND ? CASE_NO_BACKEND : EXPLAIN_UNKNOWN;
		if (i > 0 && now != verdict)
			return EXPLAIN_UNKNOWN;
		verdict = now;
	}
	return verdict;
}

bool kernworld_has(const struct kernworld *kw, const struct world *world, const struct pod *pod)
{
	return pod_at(kw, world, pod) != NULL;
}

struct kernworld *kernworld_open(const char *node_v4, const char *node_v6, const char **why)
{
	struct bh_addr addrs[2] = { addr_of(node_v4), addr_of(node_v6) };
	struct kernworld *kw = calloc(1, sizeof(*kw));
	struct err err = { 0 };

	if (!kw)
		abort();
	kw->next_port = 20000;
	kw->kern = kern_open(why);
	if (!kw->kern) {
		free(kw);
		return NULL;
	}
	kw->kern->config.event_rate = 1000000;
	must(kern_configure(kw->kern), &err, "configuration");
	must(ring_open(kw->kern->maps, on_event, kw, &kw->ring, &err), &err, "ring");
	must(maps_node_addrs_set(kw->kern->maps, addrs, 2, &err), &err, "node addresses");
	return kw;
}

void kernworld_close(struct kernworld *kw)
{
	ring_free(kw->ring);
	kern_close(kw->kern);
	free(kw);
}
