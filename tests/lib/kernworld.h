/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world in the kernel: every pod of it with an address, and on no other node than
 * CASE_NODE, becomes a veth with an endpoint row, its policies are compiled and written,
 * its Services too, and connections are asked about by sending their first packet through
 * the programs.
 */
#ifndef LIB_KERNWORLD_H
#define LIB_KERNWORLD_H

#include "lib/feeder.h"
#include "lib/kern.h"
#include "policy/explain.h"
#include "policy/tables.h"
#include "service/services.h"

#define KERNWORLD_PODS_MAX 64

struct kernworld {
	struct kern *kern;
	struct ring *ring;
	struct tables *tables;
	struct services *services;
	struct feeder feeder;
	struct kern_pod pods[KERNWORLD_PODS_MAX]; /* as world.pods; ifindex 0: not an endpoint */
	struct endpoint endpoints[KERNWORLD_PODS_MAX];
	size_t n_endpoints;
	unsigned int audits; /* events of the last question */
	unsigned int reason; /* of its drop: enum bh_reason */
	uint16_t next_port;
};

/* Null: no kernel here, and `why` says it. The node has node_v4 and node_v6. */
struct kernworld *kernworld_open(const char *node_v4, const char *node_v6, const char **why);
void kernworld_close(struct kernworld *kw);

/* Wires the world's pods and puts its policies and Services into the kernel, adopting what the
 * world before left in the tables, as a restarted daemon would. */
void kernworld_start(struct kernworld *kw, const struct world *world);
/* Compiles again; returns the number of writes that were needed. */
size_t kernworld_update(struct kernworld *kw, const struct world *world);
void kernworld_stop(struct kernworld *kw, const struct world *world);

/* Is this pod an endpoint here? */
bool kernworld_has(const struct kernworld *kw, const struct world *world, const struct pod *pod);
/* By the first packet of a connection nobody has seen before. One end is an
 * endpoint at least. */
enum explain_verdict kernworld_verdict(struct kernworld *kw, const struct world *world,
				       const struct explain_query *query);
/* A pod dials a Service: by several such packets, as each draws a backend.
 * CASE_NO_BACKEND: refused for that; EXPLAIN_UNKNOWN: they fared differently, or were dropped
 * for another reason than policy. */
enum explain_verdict kernworld_service_verdict(struct kernworld *kw, const struct world *world,
					       const struct explain_query *query);

#endif
