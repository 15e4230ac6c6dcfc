/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random worlds over a universe so small that labels, blocks, ports and addresses
 * collide all the time, and random events that change them. The same seed gives
 * the same story.
 */
#ifndef LIB_RANDWORLD_H
#define LIB_RANDWORLD_H

#include "policy/tables.h"

#define RAND_ENDPOINTS_MAX 5
#define RAND_PODS_MAX	   10
#define RAND_POLICIES_MAX  6

struct rng {
	uint64_t state;
};
/* BULKHEAD_SEED or the time; printed as a TAP comment. */
uint64_t rng_seed(void);
uint32_t rng_below(struct rng *rng, uint32_t n);

struct randworld {
	struct rng rng;
	struct world world;
	struct endpoint endpoints[RAND_ENDPOINTS_MAX]; /* own their names */
	size_t n_endpoints;
	uint32_t n_pods_ever;
	uint32_t n_policies_ever;
	uint32_t last_ifindex;
};

void randworld_init(struct randworld *rw, uint64_t seed);
void randworld_done(struct randworld *rw);

/* One event, or a few at once; returns what it was, for the report. */
const char *randworld_step(struct randworld *rw);
/* Shuffles every array, which must change nothing. */
void randworld_shuffle(struct randworld *rw);

/* The addresses and connections worth asking about. */
extern const char *const rand_addrs[];
extern const size_t rand_n_addrs;
struct rand_port {
	uint8_t proto;
	uint16_t port;
};
extern const struct rand_port rand_ports[];
extern const size_t rand_n_ports;

/* Live pods that hold an address: how many, and one of them. Endpoints' addresses
 * count as their pods'. */
size_t randworld_holders(const struct randworld *rw, const struct bh_addr *addr, const struct pod **ret_pod);
/* The pod of an endpoint if it is live, else null. */
const struct pod *randworld_pod(const struct randworld *rw, const struct endpoint *endpoint);

#endif
