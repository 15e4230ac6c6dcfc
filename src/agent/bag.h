/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers in an array without order, each found in one step: what is replaced or
 * removed a thousand times a second among a hundred thousand. */
#ifndef AGENT_BAG_H
#define AGENT_BAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bag {
	void **v;
	size_t n, cap;
	uint32_t *slots; /* index in v, plus one; 0: free */
	size_t n_slots;	 /* a power of two, more than cap; or 0 */
};

void bag_done(struct bag *bag); /* the pointers stay whose they are */
bool bag_has(const struct bag *bag, const void *item);
/* Room for one more, so that bag_swap() cannot fail. False: out of memory. */
bool bag_reserve(struct bag *bag);
/* Takes one out and puts another in; either may be null. */
void bag_swap(struct bag *bag, const void *old, const void *now);

#endif
