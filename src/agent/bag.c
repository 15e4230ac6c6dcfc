// SPDX-License-Identifier: Apache-2.0
#include "agent/bag.h"

#include <assert.h>
#include <stdlib.h>

#define BAG_FIRST 64

void bag_done(struct bag *bag)
{
	free(bag->v);
	free(bag->slots);
	*bag = (struct bag){ 0 };
}

/* Addresses differ in the middle bits most. */
static size_t hash(const struct bag *bag, const void *item)
{
	return ((uint64_t)(uintptr_t)item * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (bag->n_slots - 1);
}

/* Where the item's index stands, or the free slot where it belongs. */
static size_t slot_of(const struct bag *bag, const void *item)
{
	size_t slot = hash(bag, item);

	while (bag->slots[slot] && bag->v[bag->slots[slot] - 1] != item)
		slot = (slot + 1) & (bag->n_slots - 1);
	return slot;
}

bool bag_has(const struct bag *bag, const void *item)
{
	return bag->n && bag->slots[slot_of(bag, item)];
}

/* Four fifths of the slots may be full: there is one for each pod of the cluster. */
bool bag_reserve(struct bag *bag)
{
	size_t n_slots = bag->n_slots ? 2 * bag->n_slots : BAG_FIRST, cap = n_slots / 5 * 4;
	uint32_t *slots;
	void **v;

	if (bag->n < bag->cap)
		return true;
	v = reallocarray(bag->v, cap, sizeof(*v));
	if (!v)
		return false;
	bag->v = v;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return false;
	free(bag->slots);
	bag->slots = slots;
	bag->cap = cap;
	bag->n_slots = n_slots;
	for (size_t i = 0; i < bag->n; i++)
		bag->slots[slot_of(bag, v[i])] = (uint32_t)i + 1;
	return true;
}

/* Those behind it that only stand there because it was in their way move up. */
static void slot_clear(struct bag *bag, size_t hole)
{
	size_t mask = bag->n_slots - 1;

	bag->slots[hole] = 0;
	for (size_t at = (hole + 1) & mask; bag->slots[at]; at = (at + 1) & mask) {
		size_t home = hash(bag, bag->v[bag->slots[at] - 1]);

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		bag->slots[hole] = bag->slots[at];
		bag->slots[at] = 0;
		hole = at;
	}
}

static void take_out(struct bag *bag, const void *item)
{
	size_t slot = slot_of(bag, item), at = bag->slots[slot] - 1;
	void *last = bag->v[bag->n - 1];

	assert(bag->slots[slot]);
	slot_clear(bag, slot);
	if (last != item) {
		bag->slots[slot_of(bag, last)] = (uint32_t)at + 1;
		bag->v[at] = last;
	}
	bag->n--;
}

void bag_swap(struct bag *bag, const void *old, const void *now)
{
	if (old)
		take_out(bag, old);
	if (!now)
		return;
	assert(bag->n < bag->cap);
	bag->v[bag->n] = (void *)(uintptr_t)now;
	bag->slots[slot_of(bag, now)] = (uint32_t)bag->n + 1;
	bag->n++;
}
