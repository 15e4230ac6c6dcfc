// SPDX-License-Identifier: Apache-2.0
#include "agent/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The world's arrays are the bags'. A new kind of object is one line here. */
static void world_follow(struct store *store, enum change_kind kind)
{
	struct world *world = &store->world;
	void **v = store->bags[kind].v;
	size_t n = store->bags[kind].n;

	switch (kind) {
	case CHANGE_POD:
		world->pods = (struct pod **)v, world->n_pods = n;
		break;
	case CHANGE_NAMESPACE:
		world->namespaces = (struct namespace **)v, world->n_namespaces = n;
		break;
	case CHANGE_NETPOL:
		world->netpols = (struct netpol **)v, world->n_netpols = n;
		break;
	case CHANGE_SERVICE:
		world->services = (struct service **)v, world->n_services = n;
		break;
	case CHANGE_SLICE:
		world->slices = (struct endpoint_slice **)v, world->n_slices = n;
		break;
	case CHANGE_NODE:
		world->nodes = (struct node **)v, world->n_nodes = n;
		break;
	case CHANGE_KINDS:
		break;
	}
}

int store_put(struct store *store, const struct change *change)
{
	if (!change->old && !change->now)
		return 0;
	if (!bag_reserve(&store->bags[change->kind]))
		return -ENOMEM;
	bag_swap(&store->bags[change->kind], change->old, change->now);
	world_follow(store, change->kind);
	if (store->tell)
		store->tell(change, store->data);
	return 0;
}

int store_put_pod(struct store *store, const struct pod *old, const struct pod *now, int64_t heard_us)
{
	return old == now ? 0 : store_put(store, &(struct change){ CHANGE_POD, old, now, heard_us });
}

void store_init(struct store *store, void (*tell)(const struct change *change, void *data), void *data)
{
	*store = (struct store){ .tell = tell, .data = data };
}

static bool store_is_empty(const struct store *store)
{
	size_t n = 0;

	for (int kind = 0; kind < CHANGE_KINDS; kind++)
		n += store->bags[kind].n;
	return n == 0;
}

/* All but what is remembered from one world to the next. */
static void store_clear(struct store *store)
{
	struct posture_config posture = store->world.posture;

	if (store->tell && !store_is_empty(store))
		store->tell(NULL, store->data);
	store_pods_done(store);
	for (int kind = 0; kind < CHANGE_KINDS; kind++)
		bag_done(&store->bags[kind]);
	store->world = (struct world){ .posture = posture };
	store->attachments_serial = 0;
	store->endpoints_serial++;
	store->policies_due = true;
}

void store_done(struct store *store)
{
	store_clear(store);
	keeper_done(&store->kept);
}

/* --- policies */

/* Policies that the source has no longer but that still count are in the world too. */
static int kept_put(struct store *store, bool in)
{
	for (size_t i = 0; i < store->kept.n; i++) {
		struct netpol *netpol = store->kept.v[i].missing ? store->kept.v[i].netpol : NULL;
		struct change change = { CHANGE_NETPOL, in ? NULL : netpol, in ? netpol : NULL, 0 };

		if (netpol && bag_has(&store->bags[CHANGE_NETPOL], netpol) != in &&
		    store_put(store, &change) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* They are out while the keeper looks: it frees what counts no longer. */
static int policies_keep(struct store *store, const struct attachments *attachments, struct err *err)
{
	int r = kept_put(store, false);

	if (r == 0)
		r = keeper_update(&store->kept, &store->world, attachments, err);
	if (r == 0)
		r = kept_put(store, true);
	if (r == 0)
		store->policies_due = false;
	return r;
}

/* --- reading */

/* Only policies of namespaces that have pods here are remembered. */
static bool concerns_kept(const struct store *store, const struct change *change)
{
	const void *body = change->now ? change->now : change->old;

	if (change->kind == CHANGE_NETPOL)
		return store_has_endpoints(store, ((const struct netpol *)body)->namespace);
	return change->kind == CHANGE_NAMESPACE &&
	       store_has_endpoints(store, ((const struct namespace *)body)->name);
}

static int change_take(struct store *store, const struct source *source, const struct change *change)
{
	if (change->kind == CHANGE_POD)
		return store_pod_changed(store, source, change);
	if (concerns_kept(store, change))
		store->policies_due = true;
	return store_put(store, change);
}

struct reading {
	struct store *store;
	const struct source *source;
	int r;
};

static void whole_take(const struct change *change, void *data)
{
	struct reading *reading = data;

	if (reading->r == 0)
		reading->r = change_take(reading->store, reading->source, change);
}

static int whole_read(struct store *store, const struct source *source, const struct attachments *attachments)
{
	struct reading reading = { store, source, 0 };

	store_clear(store);
	if (store_endpoints_index(store, attachments) < 0)
		return -ENOMEM;
	source->whole(source->data, whole_take, &reading);
	return reading.r;
}

static int changes_read(struct store *store, const struct source *source)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < source->n; i++)
		r = change_take(store, source, &source->changes[i]);
	return r;
}

int store_read(struct store *store, const struct source *source, const struct attachments *attachments,
	       struct err *err)
{
	int r = 0;

	/* Endpoints that went must not be met among those of before. */
	if (store->attachments_serial != attachments->serial)
		r = store_endpoints_index(store, attachments);
	if (r == 0)
		r = store->is_lost ? whole_read(store, source, attachments) : changes_read(store, source);
	if (r == 0 && store->attachments_serial != attachments->serial)
		r = store_attachments_changed(store, source, attachments);
	if (r == 0 && store->policies_due)
		r = policies_keep(store, attachments, err);
	store->is_lost = r < 0;
	return r < 0 ? err_set(err, ENOMEM, "joining objects and attachments: out of memory") : 0;
}
