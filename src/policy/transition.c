// SPDX-License-Identifier: Apache-2.0
#include "policy/transition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/groups.h"

void transition_done(struct transition *t)
{
	for (size_t i = 0; i < t->n_groups; i++)
		free(t->groups[i].rows.rows);
	free(t->groups);
	free(t->region_moves);
	free(t->addrs);
	free(t->retiring);
	free(t->wanted);
	free(t->class_past);
	regions_done(&t->regions);
	pool_done(&t->pasts);
	pool_done(&t->group_keys);
}

char *endpoint_who(const struct endpoint *endpoint)
{
	char *who;
	int n = asprintf(&who, "%s/%s/%s", endpoint->namespace ? endpoint->namespace : "",
			 endpoint->pod ? endpoint->pod : "", endpoint->uid ? endpoint->uid : "");

	return n < 0 ? NULL : who;
}

/* Does *text begin with `part` and then `end`? Goes past them. */
static bool who_part(const char **text, const char *part, char end)
{
	size_t n = part ? strlen(part) : 0;

	if (n && strncmp(*text, part, n) != 0)
		return false;
	*text += n;
	return *(*text)++ == end;
}

/* Compares without allocating, so that it cannot fail. */
static bool who_is(const char *who, const struct endpoint *endpoint)
{
	return !who || (who_part(&who, endpoint->namespace, '/') && who_part(&who, endpoint->pod, '/') &&
			who_part(&who, endpoint->uid, '\0'));
}

const struct endpoint_state *transition_endpoint(const struct state *old,
						 const struct wanted_endpoint *wanted)
{
	const struct endpoint_state *endpoint = state_endpoint(old, wanted->slot);

	if (!endpoint || endpoint->ifindex != wanted->ifindex || !who_is(endpoint->who, wanted->source))
		return NULL;
	return endpoint;
}

static int subject_order(const void *a, const void *b)
{
	uint32_t x = (*(struct subject *const *)a)->entry.id, y = (*(struct subject *const *)b)->entry.id;

	return (x > y) - (x < y);
}

static int wanted_collect(struct transition *t)
{
	const struct compiled *compiled = t->compiled;
	size_t n = 0;

	t->wanted = calloc(2 * compiled->n_endpoints + 1, sizeof(struct subject *));
	if (!t->wanted)
		return -ENOMEM;
	for (size_t i = 0; i < compiled->n_endpoints; i++) {
		for (int direction = 0; direction < 2; direction++) {
			if (compiled->endpoints[i].subject[direction])
				t->wanted[t->n_wanted++] = compiled->endpoints[i].subject[direction];
		}
	}
	if (t->n_wanted == 0)
		return 0;
	qsort(t->wanted, t->n_wanted, sizeof(struct subject *), subject_order);
	for (size_t i = 0; i < t->n_wanted; i++) {
		t->wanted[i]->changed = t->wanted[i]->given_up = false;
		if (i == 0 || t->wanted[i] != t->wanted[n - 1])
			t->wanted[n++] = t->wanted[i];
	}
	t->n_wanted = n;
	return 0;
}

struct subject *transition_wanted(const struct transition *t, uint32_t id)
{
	size_t low = 0, high = t->n_wanted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->wanted[middle]->entry.id == id)
			return t->wanted[middle];
		if (t->wanted[middle]->entry.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int number_order(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* An endpoint that is gone from the list holds no subject: its row is cleared, or
 * meets nothing but (subject, ANY), which is never wider than any other row. */
static int retiring_collect(struct transition *t)
{
	const struct compiled *compiled = t->compiled;

	t->retiring = calloc(2 * compiled->n_endpoints + 1, sizeof(*t->retiring));
	if (!t->retiring)
		return -ENOMEM;
	for (size_t i = 0; i < compiled->n_endpoints; i++) {
		const struct endpoint_state *endpoint = transition_endpoint(t->old, &compiled->endpoints[i]);

		if (!endpoint || !(endpoint->flags & BH_EP_OPEN))
			continue;
		for (int direction = 0; direction < 2; direction++) {
			if (endpoint->subject[direction] &&
			    !transition_wanted(t, endpoint->subject[direction]))
				t->retiring[t->n_retiring++] = endpoint->subject[direction];
		}
	}
	if (t->n_retiring)
		qsort(t->retiring, t->n_retiring, sizeof(*t->retiring), number_order);
	return 0;
}

bool transition_retires(const struct transition *t, uint32_t subject)
{
	return t->n_retiring &&
	       bsearch(&subject, t->retiring, t->n_retiring, sizeof(*t->retiring), number_order);
}

/* Marks the subjects that an endpoint gives up. */
static void givers_mark(const struct transition *t)
{
	const struct compiled *compiled = t->compiled;

	for (size_t i = 0; i < compiled->n_endpoints; i++) {
		const struct wanted_endpoint *wanted = &compiled->endpoints[i];
		const struct endpoint_state *endpoint = transition_endpoint(t->old, wanted);

		for (int direction = 0; endpoint && direction < 2; direction++) {
			struct subject *subject = transition_wanted(t, endpoint->subject[direction]);

			if (subject && subject != wanted->subject[direction])
				subject->given_up = true;
		}
	}
}

bool subjects_renumber(const struct transition *t, struct pool *subjects)
{
	bool any = false;

	givers_mark(t);
	for (size_t i = 0; i < t->n_wanted; i++) {
		struct subject *subject = t->wanted[i];

		if (!subject->given_up || !subject->changed)
			continue;
		subject->entry.id = ++subjects->last_id;
		subject->installed = false;
		any = true;
	}
	return any;
}

/* Old and wanted bounds together, so that each region has one class now and one
 * signature afterwards. */
static int regions_unite(struct transition *t, const struct compile_pools *pools)
{
	const struct regions *old = &t->old->regions;

	for (size_t i = 1; i < old->n; i++) {
		if (!old->v[i].has_row)
			continue;
		if (regions_add(&t->regions, &old->v[i].key) < 0)
			return -ENOMEM;
		t->regions.v[t->regions.n - 1].class = old->v[i].class;
		t->regions.v[t->regions.n - 1].has_row = true;
	}
	if (regions_add_blocks(&t->regions, pools->matchers, pools->update) < 0 ||
	    regions_close(&t->regions) < 0)
		return -ENOMEM;
	return regions_sign(&t->regions, pools->matchers, pools->update, &t->compiled->signatures);
}

static int regions_move(struct transition *t)
{
	t->region_moves = calloc(t->regions.n, sizeof(*t->region_moves));
	if (!t->region_moves)
		return -ENOMEM;
	for (size_t i = 0; i < t->regions.n; i++) {
		const struct region *region = &t->regions.v[i];

		t->region_moves[i].from = region->class;
		if (group_of(t, region->class, region->signature, &t->region_moves[i].group) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* One address: `peer` is its row now, `claim` what live pods make of it; either
 * may be null. Without a row it follows its region, and needs one only if its
 * signature is not the region's. */
static int addr_move(struct transition *t, const struct bh_addr *addr, const struct peer_class *peer,
		     const struct claim *claim)
{
	uint32_t region = regions_find(&t->regions, addr);
	struct moving_addr moving = {
		.addr = *addr,
		.region = region,
		.has_row = peer,
		.signature = t->regions.v[region].signature,
		.move.from = peer ? peer->class : t->regions.v[region].class,
	};

	if (claim && claim->signature != SIGNATURE_EMPTY) {
		moving.signature =
			signature_join(&t->compiled->signatures, moving.signature, claim->signature);
		if (!moving.signature)
			return -ENOMEM;
	}
	if (!peer && moving.signature == t->regions.v[region].signature)
		return 0;
	if (group_of(t, moving.move.from, moving.signature, &moving.move.group) < 0)
		return -ENOMEM;
	t->addrs[t->n_addrs++] = moving;
	return 0;
}

static int addrs_move(struct transition *t)
{
	const struct state *old = t->old;
	const struct compiled *compiled = t->compiled;
	size_t p = 0, c = 0;

	t->addrs = calloc(old->n_peers + compiled->n_claims + 1, sizeof(*t->addrs));
	if (!t->addrs)
		return -ENOMEM;
	while (p < old->n_peers || c < compiled->n_claims) {
		const struct peer_class *peer = p < old->n_peers ? &old->peers[p] : NULL;
		const struct claim *claim = c < compiled->n_claims ? &compiled->claims[c] : NULL;
		int order = !peer ? 1 : !claim ? -1 : addr_compare(&peer->addr, &claim->addr);

		if (addr_move(t, order <= 0 ? &peer->addr : &claim->addr, order <= 0 ? peer : NULL,
			      order >= 0 ? claim : NULL) < 0)
			return -ENOMEM;
		p += order <= 0;
		c += order >= 0;
	}
	return 0;
}

int transition_init(struct transition *t, const struct compile_pools *pools, const struct state *old,
		    struct compiled *compiled, uint32_t *last_class, struct err *err)
{
	int r;

	*t = (struct transition){ .old = old, .compiled = compiled };
	pool_init(&t->pasts, sizeof(struct pool_entry), NULL);
	pool_init(&t->group_keys, sizeof(struct pool_entry), NULL);
	r = wanted_collect(t) < 0 || retiring_collect(t) < 0 || groups_init(t) < 0 ? -ENOMEM
										   : regions_unite(t, pools);
	if (r == -ENOSPC)
		return err_set(err, ENOSPC, "%s: ipBlocks overlap too often (over %zu memberships)",
			       BH_MAP_PREFIXES, REGION_ANSWERS_MAX);
	if (r < 0 || regions_move(t) < 0 || addrs_move(t) < 0 || groups_number(t, last_class) < 0)
		return err_set(err, ENOMEM, "comparing the tables' old and new state");
	return groups_fill(t, pools->lists, err);
}
