/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every connection of a random world's small universe, and whether all who know what
 * policies mean say the same of it: the oracle, the evaluator, the tables, the kernel.
 */
#ifndef LIB_UNIVERSE_H
#define LIB_UNIVERSE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/feeder.h"
#include "lib/randworld.h"
#include "lib/simkernel.h"

#define ADDRS_MAX 16
#define PORTS_MAX 16
#define SLOTS	  8

extern uint64_t seed;
extern struct bh_addr addrs[ADDRS_MAX];

/* Also chooses the seed. */
void universe_init(void);
/* BULKHEAD_ROUNDS, or as many as usual. */
unsigned int rounds(unsigned int standard);

#define EACH_CONNECTION(slot, d, a, q)                                                                       \
	for (uint32_t slot = 0; slot < SLOTS; slot++)                                                        \
		for (int d = 0; d < 2; d++)                                                                  \
			for (size_t a = 0; a < rand_n_addrs; a++)                                            \
				for (size_t q = 0; q < rand_n_ports; q++)

/* Verdicts of every connection in the universe, as one bit each of enum bh_action
 * or CLOSED: sets of verdicts are masks. */
struct matrix {
	uint8_t v[SLOTS][2][ADDRS_MAX][PORTS_MAX];
};

uint8_t bit_of(int verdict);
void kernel_matrix(const struct simkernel *kernel, struct matrix *ret);
/* The two matrices may differ only where the first allows it as a set. */
bool matrix_within(const char *what, const struct matrix *allowed, const struct matrix *got);
void matrix_unite(struct matrix *into, const struct matrix *other);
void say_where(const char *what, uint32_t slot, int d, size_t a, size_t q);

/* ADD and DEL, as the plugin does them before the daemon hears of it. */
void endpoints_attach(const struct randworld *rw, struct simkernel *kernel);
void plan_make(struct tables *tables, struct feeder *feeder, const struct randworld *rw, struct plan *plan);
/* All writes of the plan, which is empty then. */
void plan_write(struct plan *plan, struct simkernel *kernel);

/* Fails the test at the first connection of which they say different things. Where
 * peers are few, not every address has the row that it needs: the tables may deny more
 * than they should then, and never allow more. */
void world_check(const struct randworld *rw, const struct tables *tables, const struct simkernel *kernel,
		 bool peers_are_few);

#endif
