// SPDX-License-Identifier: Apache-2.0
#include "policy/addrset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "policy/profile.h"

/* --- where they lie */

static struct address *address_at(const struct addrset *set, uint32_t number)
{
	return &set->blocks[number / ADDRSET_BLOCK][number % ADDRSET_BLOCK];
}

static void address_free(struct addrset *set, uint32_t number)
{
	struct address *address = address_at(set, number);

	while (address->hold.next) {
		struct hold *hold = address->hold.next;

		address->hold.next = hold->next;
		free(hold);
	}
	address->hold.n = set->unused;
	set->unused = number + 1;
}

static int block_add(struct addrset *set)
{
	struct address *block;

	if (!array_reserve(&set->blocks, &set->cap_blocks, set->n_blocks, sizeof(*set->blocks)))
		return -ENOMEM;
	block = calloc(ADDRSET_BLOCK, sizeof(*block));
	if (!block)
		return -ENOMEM;
	set->blocks[set->n_blocks++] = block;
	for (size_t i = ADDRSET_BLOCK * set->n_blocks; i-- > ADDRSET_BLOCK * (set->n_blocks - 1);)
		address_free(set, (uint32_t)i);
	return 0;
}

static int address_new(struct addrset *set, const struct bh_addr *addr, uint32_t *ret)
{
	struct address *address;

	if (!set->unused && block_add(set) < 0)
		return -ENOMEM;
	*ret = set->unused - 1;
	address = address_at(set, *ret);
	set->unused = address->hold.n;
	*address = (struct address){ .addr = *addr, .hold.is_first = true };
	return 0;
}

void addrset_done(struct addrset *set)
{
	for (size_t i = 0; i < set->n_chunks; i++) {
		for (uint32_t k = 0; k < set->chunks[i].n; k++)
			address_free(set, set->chunks[i].v[k]);
		free(set->chunks[i].v);
	}
	for (size_t i = 0; i < set->n_blocks; i++)
		free(set->blocks[i]);
	free(set->blocks);
	free(set->chunks);
	*set = (struct addrset){ 0 };
}

/* --- the order */

/* The last chunk whose first is not above the address, or 0. */
static size_t chunk_of(const struct addrset *set, const struct bh_addr *addr)
{
	size_t low = 0, high = set->n_chunks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_compare(&set->chunks[middle].first, addr) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

/* Where the address is in the chunk or belongs. */
static uint32_t place_in(const struct addrset *set, const struct addrset_chunk *chunk,
			 const struct bh_addr *addr)
{
	uint32_t low = 0, high = chunk->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (addr_compare(&address_at(set, chunk->v[middle])->addr, addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct address *addrset_find(const struct addrset *set, const struct bh_addr *addr)
{
	const struct addrset_chunk *chunk;
	struct address *address;
	uint32_t at;

	if (!set->n_chunks)
		return NULL;
	chunk = &set->chunks[chunk_of(set, addr)];
	at = place_in(set, chunk, addr);
	address = at < chunk->n ? address_at(set, chunk->v[at]) : NULL;
	return address && addr_equal(&address->addr, addr) ? address : NULL;
}

/* A new chunk at `at` that begins with an address. */
static int chunk_insert(struct addrset *set, size_t at, const struct bh_addr *first)
{
	uint32_t *v = calloc(ADDRSET_CHUNK, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (!array_reserve(&set->chunks, &set->cap_chunks, set->n_chunks, sizeof(*set->chunks))) {
		free(v);
		return -ENOMEM;
	}
	memmove(&set->chunks[at + 1], &set->chunks[at], (set->n_chunks - at) * sizeof(*set->chunks));
	set->chunks[at] = (struct addrset_chunk){ .first = *first, .v = v };
	set->n_chunks++;
	return 0;
}

static int chunk_split(struct addrset *set, size_t at)
{
	uint32_t half = set->chunks[at].n / 2;
	struct addrset_chunk *low, *high;

	if (chunk_insert(set, at + 1, &address_at(set, set->chunks[at].v[half])->addr) < 0)
		return -ENOMEM;
	low = &set->chunks[at];
	high = &set->chunks[at + 1];
	high->n = low->n - half;
	memcpy(high->v, low->v + half, high->n * sizeof(*high->v));
	low->n = half;
	return 0;
}

/* A place for one more. Behind the end of a full chunk a new one begins, so that what
 * comes in order fills them. */
static int room_make(struct addrset *set, const struct bh_addr *addr)
{
	size_t in = chunk_of(set, addr);

	if (!set->n_chunks)
		return chunk_insert(set, 0, addr);
	if (set->chunks[in].n < ADDRSET_CHUNK)
		return 0;
	return place_in(set, &set->chunks[in], addr) == ADDRSET_CHUNK ? chunk_insert(set, in + 1, addr)
								      : chunk_split(set, in);
}

struct address *addrset_get(struct addrset *set, const struct bh_addr *addr)
{
	struct address *address = addrset_find(set, addr);
	struct addrset_chunk *chunk;
	uint32_t at, number;

	if (address)
		return address;
	if (room_make(set, addr) < 0 || address_new(set, addr, &number) < 0)
		return NULL;
	chunk = &set->chunks[chunk_of(set, addr)];
	at = place_in(set, chunk, addr);
	memmove(&chunk->v[at + 1], &chunk->v[at], (chunk->n - at) * sizeof(*chunk->v));
	chunk->v[at] = number;
	chunk->n++;
	if (addr_compare(addr, &chunk->first) < 0)
		chunk->first = *addr;
	set->n++;
	return address_at(set, number);
}

static void addrset_remove(struct addrset *set, struct address *address)
{
	size_t in = chunk_of(set, &address->addr);
	struct addrset_chunk *chunk = &set->chunks[in];
	uint32_t at = place_in(set, chunk, &address->addr), number = chunk->v[at];

	chunk->n--;
	memmove(&chunk->v[at], &chunk->v[at + 1], (chunk->n - at) * sizeof(*chunk->v));
	address_free(set, number);
	set->n--;
	if (chunk->n)
		return;
	free(chunk->v);
	set->n_chunks--;
	memmove(chunk, chunk + 1, (set->n_chunks - in) * sizeof(*chunk));
}

void addrset_each(const struct addrset *set, const struct bh_addr *first, const struct bh_addr *last,
		  void (*each)(struct address *address, void *data), void *data)
{
	size_t in = chunk_of(set, first);
	uint32_t at = set->n_chunks ? place_in(set, &set->chunks[in], first) : 0;

	for (; in < set->n_chunks; in++, at = 0) {
		for (; at < set->chunks[in].n; at++) {
			struct address *address = address_at(set, set->chunks[in].v[at]);

			if (addr_compare(&address->addr, last) > 0)
				return;
			each(address, data);
		}
	}
}

/* --- what is to be looked at */

void address_dirty(struct addrset *set, struct address *address)
{
	if (address->hold.dirty)
		return;
	address->hold.dirty = true;
	address->next_dirty = set->dirty;
	set->dirty = address;
	set->n_dirty++;
}

void address_settle(struct addrset *set, struct address *address)
{
	if (!address->hold.profile && !address->hold.next && !address->row && !address->hold.dirty &&
	    !address->hold.settling)
		addrset_remove(set, address);
}

void addrset_clean(struct addrset *set)
{
	struct address *next = set->dirty;

	set->dirty = NULL;
	set->n_dirty = 0;
	while (next) {
		struct address *address = next;

		next = address->next_dirty;
		address->hold.dirty = false;
		if (address->hold.unfit)
			address_dirty(set, address);
		else
			address_settle(set, address);
	}
}

/* --- who holds it */

static struct hold *hold_find(struct address *address, const struct profile *profile)
{
	struct hold *hold = &address->hold;

	while (hold && hold->profile != profile)
		hold = hold->next;
	return hold;
}

static void hold_link(struct hold *hold, struct profile *profile)
{
	hold->profile = profile;
	hold->profile_prev = NULL;
	hold->profile_next = profile->holds;
	if (profile->holds)
		profile->holds->profile_prev = hold;
	profile->holds = hold;
}

static void hold_unlink(struct hold *hold)
{
	if (hold->profile_prev)
		hold->profile_prev->profile_next = hold->profile_next;
	else
		hold->profile->holds = hold->profile_next;
	if (hold->profile_next)
		hold->profile_next->profile_prev = hold->profile_prev;
	hold->profile = NULL;
}

struct address *hold_address(struct hold *hold)
{
	if (!hold->is_first)
		return ((struct further_hold *)hold)->address;
	return (struct address *)((char *)hold - offsetof(struct address, hold));
}

static struct hold *hold_new(struct address *address)
{
	struct further_hold *further;

	if (!address->hold.profile)
		return &address->hold;
	further = calloc(1, sizeof(*further));
	if (!further)
		return NULL;
	further->address = address;
	further->hold.next = address->hold.next;
	address->hold.next = &further->hold;
	return &further->hold;
}

int address_hold(struct addrset *set, const struct bh_addr *addr, struct profile *profile)
{
	struct address *address = addrset_get(set, addr);
	struct hold *hold;

	if (!address)
		return -ENOMEM;
	hold = hold_find(address, profile);
	if (!hold) {
		hold = hold_new(address);
		if (!hold) {
			address_settle(set, address);
			return -ENOMEM;
		}
		hold_link(hold, profile);
		address_dirty(set, address);
	}
	hold->n++;
	return 0;
}

void address_release(struct addrset *set, const struct bh_addr *addr, struct profile *profile)
{
	struct address *address = addrset_find(set, addr);
	struct hold *hold = address ? hold_find(address, profile) : NULL, **at;

	if (!hold || --hold->n > 0)
		return;
	hold_unlink(hold);
	for (at = &address->hold.next; *at && *at != hold;)
		at = &(*at)->next;
	if (*at) {
		*at = hold->next;
		free(hold);
	}
	address_dirty(set, address);
}

struct signature *address_answers(const struct address *address, struct signatures *signatures)
{
	struct signature *answers = NULL;

	for (const struct hold *hold = &address->hold; hold; hold = hold->next) {
		struct signature *both;

		if (!hold->profile)
			continue;
		both = answers ? signature_meet(signatures, answers, hold->profile->answers)
			       : signature_use(hold->profile->answers);
		signature_drop(signatures, answers);
		if (!both)
			return NULL;
		answers = both;
	}
	return answers ? answers : signature_use(signatures->empty);
}
