// SPDX-License-Identifier: Apache-2.0
#include "policy/regions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

/* A block begins or ends (by an except) at a region. */
struct bound {
	uint32_t region;
	uint32_t matcher;
	bool ends;
};

struct bounds {
	struct bound *v;
	size_t n;
	size_t cap;
};

static const struct bh_prefix_key v4_root = { .len = 96, .addr = { .b = { [10] = 0xff, [11] = 0xff } } };

struct bh_prefix_key prefix_key(const struct prefix *prefix)
{
	return (struct bh_prefix_key){ .len = prefix->len, .addr = prefix->addr };
}

void regions_done(struct regions *regions, struct signatures *signatures)
{
	for (size_t i = 0; i < regions->n; i++)
		signature_drop(signatures, regions->v[i].signature);
	free(regions->v);
	*regions = (struct regions){ 0 };
}

int regions_add(struct regions *regions, const struct bh_prefix_key *key)
{
	if (!array_reserve(&regions->v, &regions->cap, regions->n, sizeof(*regions->v)))
		return -ENOMEM;
	regions->v[regions->n++] = (struct region){ .key = *key };
	return 0;
}

static bool key_holds(const struct bh_prefix_key *key, const struct bh_addr *addr)
{
	unsigned int whole = key->len / 8, bits = key->len % 8;

	if (memcmp(key->addr.b, addr->b, whole) != 0)
		return false;
	return bits == 0 || ((key->addr.b[whole] ^ addr->b[whole]) & (0xff00u >> bits) & 0xff) == 0;
}

static int key_compare(const struct bh_prefix_key *a, const struct bh_prefix_key *b)
{
	int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int region_compare(const void *a, const void *b)
{
	return key_compare(&((const struct region *)a)->key, &((const struct region *)b)->key);
}

static int v4_root_add(struct regions *regions)
{
	for (size_t i = 0; i < regions->n; i++) {
		if (regions->v[i].key.len < v4_root.len && key_holds(&regions->v[i].key, &v4_root.addr))
			return regions_add(regions, &v4_root);
	}
	return 0;
}

/* A region without a row has the class of the one around it. */
static void regions_link(struct regions *regions)
{
	for (uint32_t i = 1; i < regions->n; i++) {
		uint32_t parent = i - 1;

		while (parent != REGION_REST && !key_holds(&regions->v[parent].key, &regions->v[i].key.addr))
			parent = regions->v[parent].parent;
		regions->v[i].parent = parent;
		if (regions->v[i].has_row)
			continue;
		regions->v[i].class = regions->v[parent].class;
		regions->v[i].before = regions->v[parent].before;
	}
}

int regions_close(struct regions *regions, struct class *rest, struct signature *empty)
{
	size_t n = 1;

	if (v4_root_add(regions) < 0 ||
	    !array_reserve(&regions->v, &regions->cap, regions->n, sizeof(*regions->v)))
		return -ENOMEM;
	memmove(&regions->v[1], &regions->v[0], regions->n * sizeof(*regions->v));
	regions->v[REGION_REST] = (struct region){ .class = rest, .before = empty };
	qsort(&regions->v[1], regions->n, sizeof(*regions->v), region_compare);
	regions->n++;
	for (size_t i = 1; i < regions->n; i++) {
		if (n == 1 || key_compare(&regions->v[i].key, &regions->v[n - 1].key) != 0)
			regions->v[n++] = regions->v[i];
		else if (regions->v[i].has_row)
			regions->v[n - 1] = regions->v[i];
	}
	regions->n = n;
	regions_link(regions);
	return 0;
}

/* Index of the first region whose key is above (addr, len). */
static size_t regions_upper_bound(const struct regions *regions, const struct bh_prefix_key *key)
{
	size_t low = 1, high = regions->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (key_compare(&regions->v[middle].key, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t regions_find(const struct regions *regions, const struct bh_addr *addr)
{
	const struct bh_prefix_key key = { .len = 128, .addr = *addr };
	uint32_t at;

	if (regions->n == 0)
		return REGION_REST;
	at = (uint32_t)regions_upper_bound(regions, &key) - 1;
	while (at != REGION_REST && !key_holds(&regions->v[at].key, addr))
		at = regions->v[at].parent;
	return at;
}

uint32_t regions_find_exact(const struct regions *regions, const struct bh_prefix_key *key)
{
	size_t at;

	if (regions->n == 0)
		return REGION_REST;
	at = regions_upper_bound(regions, key) - 1;
	return at != REGION_REST && key_compare(&regions->v[at].key, key) == 0 ? (uint32_t)at : REGION_REST;
}

static const struct matcher *block_at(const struct matchers *matchers, size_t id)
{
	const struct matcher *matcher = matchers->by_id[id];

	return matcher && matcher->kind == MATCHER_BLOCK && matcher->active ? matcher : NULL;
}

/* Excepts outside their block cut out nothing. */
static bool except_counts(const struct peer *peer, size_t i)
{
	return prefix_covers(&peer->block, &peer->excepts[i]);
}

int regions_add_blocks(struct regions *regions, const struct matchers *matchers)
{
	for (size_t i = 0; i < matchers->n_ids; i++) {
		const struct matcher *matcher = block_at(matchers, i);
		struct bh_prefix_key key;

		if (!matcher)
			continue;
		key = prefix_key(&matcher->peer.block);
		if (regions_add(regions, &key) < 0)
			return -ENOMEM;
		for (size_t k = 0; k < matcher->peer.n_excepts; k++) {
			key = prefix_key(&matcher->peer.excepts[k]);
			if (except_counts(&matcher->peer, k) && regions_add(regions, &key) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int bound_add(struct bounds *bounds, const struct regions *regions, const struct prefix *prefix,
		     uint32_t matcher, bool ends)
{
	const struct bh_prefix_key key = prefix_key(prefix);

	if (!array_reserve(&bounds->v, &bounds->cap, bounds->n, sizeof(*bounds->v)))
		return -ENOMEM;
	bounds->v[bounds->n++] = (struct bound){ regions_find_exact(regions, &key), matcher, ends };
	return 0;
}

static int bounds_collect(struct bounds *bounds, const struct regions *regions,
			  const struct matchers *matchers)
{
	for (size_t i = 0; i < matchers->n_ids; i++) {
		const struct matcher *matcher = block_at(matchers, i);

		if (!matcher)
			continue;
		if (bound_add(bounds, regions, &matcher->peer.block, matcher->id, false) < 0)
			return -ENOMEM;
		for (size_t k = 0; k < matcher->peer.n_excepts; k++) {
			if (except_counts(&matcher->peer, k) &&
			    bound_add(bounds, regions, &matcher->peer.excepts[k], matcher->id, true) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int bound_compare(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;

	if (x->region != y->region)
		return x->region < y->region ? -1 : 1;
	return x->matcher < y->matcher ? -1 : x->matcher > y->matcher;
}

/* What the region inherits, with the blocks that begin here and without those
 * that an except ends here; all three sorted by matcher. */
static size_t region_merge(const answer_t *from, size_t n_from, const struct bound *bound, size_t n_bounds,
			   answer_t *to)
{
	size_t n = 0, b = 0;

	for (size_t i = 0; i < n_from; i++) {
		while (b < n_bounds && bound[b].matcher < ANSWER_MATCHER(from[i])) {
			if (!bound[b].ends)
				to[n++] = ANSWER(bound[b].matcher, 0, 0);
			b++;
		}
		if (b < n_bounds && bound[b].matcher == ANSWER_MATCHER(from[i])) {
			/* the same matcher may have several equal excepts */
			while (b < n_bounds && bound[b].matcher == ANSWER_MATCHER(from[i]))
				b++;
			continue;
		}
		to[n++] = from[i];
	}
	for (; b < n_bounds; b++) {
		if (!bound[b].ends)
			to[n++] = ANSWER(bound[b].matcher, 0, 0);
	}
	return n;
}

/* The number of answers, or negative. */
static int64_t region_sign(struct regions *regions, uint32_t index, const struct bound *bound,
			   size_t n_bounds, struct signatures *signatures)
{
	struct region *region = &regions->v[index];
	/* The IPv4 root inherits nothing from the IPv6 prefixes around it (R11). */
	bool inherits = index != REGION_REST && key_compare(&region->key, &v4_root) != 0;
	const struct signature *from = inherits ? regions->v[region->parent].signature : signatures->empty;
	size_t n_from = signature_n(from), n;
	answer_t *to = calloc(n_from + n_bounds + 1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	n = region_merge(signature_answers(from), n_from, bound, n_bounds, to);
	region->signature = signature_get(signatures, to, n);
	free(to);
	return region->signature ? (int64_t)n : -ENOMEM;
}

int regions_sign(struct regions *regions, const struct matchers *matchers, struct signatures *signatures)
{
	struct bounds bounds = { 0 };
	size_t at = 0, n_answers = 0;
	int r = bounds_collect(&bounds, regions, matchers);

	if (r == 0 && bounds.n)
		qsort(bounds.v, bounds.n, sizeof(*bounds.v), bound_compare);
	for (uint32_t i = 0; r == 0 && i < regions->n; i++) {
		size_t first = at;
		int64_t n;

		while (at < bounds.n && bounds.v[at].region == i)
			at++;
		n = region_sign(regions, i, bounds.v ? bounds.v + first : NULL, at - first, signatures);
		n_answers += n > 0 ? (size_t)n : 0;
		r = n < 0 ? (int)n : n_answers > REGION_ANSWERS_MAX ? -ENOSPC : 0;
	}
	free(bounds.v);
	return r;
}

/* --- what a region owns */

static struct bh_addr last_of(const struct bh_prefix_key *key)
{
	struct bh_addr last = key->addr;

	for (uint32_t bit = key->len; bit < 128; bit++)
		last.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return last;
}

/* Adds or takes one, with carry. Do not ask for what is beyond either end. */
static struct bh_addr neighbour(struct bh_addr addr, int step)
{
	for (int i = 15; i >= 0; i--) {
		uint8_t wraps_at = step > 0 ? 0xff : 0;
		bool wraps = addr.b[i] == wraps_at;

		addr.b[i] = (uint8_t)(addr.b[i] + step);
		if (!wraps)
			break;
	}
	return addr;
}

void regions_each_own(const struct regions *regions, uint32_t region,
		      void (*each)(const struct bh_addr *first, const struct bh_addr *last, void *data),
		      void *data)
{
	const struct bh_prefix_key *key = &regions->v[region].key;
	struct bh_addr from = key->addr, end = last_of(key);

	for (uint32_t i = region + 1; i < regions->n && key_holds(key, &regions->v[i].key.addr); i++) {
		const struct bh_prefix_key *inner = &regions->v[i].key;
		struct bh_addr last = last_of(inner);

		if (regions->v[i].parent != region)
			continue;
		if (addr_compare(&from, &inner->addr) < 0) {
			struct bh_addr before = neighbour(inner->addr, -1);

			each(&from, &before, data);
		}
		if (addr_equal(&last, &end))
			return;
		from = neighbour(last, 1);
	}
	each(&from, &end, data);
}
