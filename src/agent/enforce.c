// SPDX-License-Identifier: Apache-2.0
#include "agent/enforce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/stamp.h"
#include "base/cleanup.h"
#include "dataplane/fence.h"

/* Rows erased between two looks at what is more urgent. */
#define SWEEP_MOST 500
/* Room that a large plan leaves is given back. */
#define PLAN_KEPT 4096

static int adopt(struct enforce *enforce, struct err *err)
{
	struct bh_snapshot snapshot = { 0 };
	int r = maps_snapshot(enforce->maps, &snapshot, err);

	if (r < 0)
		return err_wrap(err, r, "reading the kernel's tables");
	tables_free(enforce->tables);
	enforce->tables = tables_new();
	r = enforce->tables ? tables_adopt(enforce->tables, &snapshot, err)
			    : err_set(err, ENOMEM, "tables: out of memory");
	for (uint32_t i = 0; i < BH_ENDPOINTS_MAX && r == 0; i++)
		if (snapshot.endpoints[i].ifindex && snapshot.endpoints[i].revision > enforce->revision)
			enforce->revision = snapshot.endpoints[i].revision;
	maps_snapshot_done(&snapshot);
	enforce->adopted = r == 0;
	enforce->is_told = false;
	enforce->fence = 0; /* one that is out ends nothing of these */
	return r;
}

static void fence_run(void *data)
{
	struct enforce *enforce = data;

	enforce->fence_result = fence();
}

int enforce_init(struct enforce *enforce, struct maps *maps, struct err *err)
{
	int r;

	*enforce = (struct enforce){ .maps = maps, .fencer = WORKER_NONE };
	r = worker_start(&enforce->fencer, "fences", fence_run, enforce, err);
	return r < 0 ? r : adopt(enforce, err);
}

void enforce_done(struct enforce *enforce)
{
	worker_stop(&enforce->fencer);
	plan_done(&enforce->plan);
	enforce->tables = tables_free(enforce->tables);
}

/* A failure leaves the kernel somewhere within the plan, which is safe for packets but
 * unknown to the tables. */
static int apply(struct enforce *enforce, struct err *err)
{
	int r = maps_apply(enforce->maps, enforce->plan.v, enforce->plan.n, err);

	enforce->plan.n = 0;
	if (enforce->plan.cap > PLAN_KEPT)
		plan_done(&enforce->plan);
	if (r < 0) {
		enforce->adopted = false;
		return err_wrap(err, r, "applying the plan");
	}
	return 0;
}

/* --- telling the tables */

static void tables_tell(struct tables *tables, const struct change *change)
{
	switch (change->kind) {
	case CHANGE_POD:
		return tables_pod(tables, change->old, change->now);
	case CHANGE_NAMESPACE:
		return tables_namespace(tables, change->old, change->now);
	case CHANGE_NETPOL:
		return tables_netpol(tables, change->old, change->now);
	default:
		break; /* no verdict reads it */
	}
}

void enforce_tell(const struct change *change, void *data)
{
	struct enforce *enforce = data;

	if (!change) {
		enforce->adopted = enforce->is_told = false;
		return;
	}
	if (!enforce->heard_us[change->kind])
		enforce->heard_us[change->kind] = change->heard_us;
	if (enforce->is_told)
		tables_tell(enforce->tables, change);
}

static void world_tell(struct enforce *enforce, const struct world *world)
{
	struct tables *tables = enforce->tables;

	tables_posture(tables, &world->posture);
	for (size_t i = 0; i < world->n_namespaces; i++)
		tables_namespace(tables, NULL, world->namespaces[i]);
	for (size_t i = 0; i < world->n_pods; i++)
		tables_pod(tables, NULL, world->pods[i]);
	for (size_t i = 0; i < world->n_netpols; i++)
		tables_netpol(tables, NULL, world->netpols[i]);
	memset(enforce->told, 0, sizeof(enforce->told));
	enforce->endpoints_serial = UINT64_MAX;
	enforce->is_told = true;
}

static int endpoint_tell(struct enforce *enforce, const struct endpoint *endpoint, const struct pod *pod,
			 struct err *err)
{
	struct told *told = endpoint->slot < BH_ENDPOINTS_MAX ? &enforce->told[endpoint->slot] : NULL;

	if (told && told->ifindex == endpoint->ifindex && told->pod == pod) {
		told->serial = enforce->round;
		return 0;
	}
	if (told)
		*told = (struct told){ enforce->round, endpoint->ifindex, pod };
	return tables_endpoint(enforce->tables, endpoint, pod, err);
}

/* Before the rows: an endpoint must not open while the programs would still send its
 * neighbours' packets through the stack. */
static int local_set(struct enforce *enforce, struct attachment *attachment, struct err *err)
{
	const struct endpoint *endpoint = &attachment->endpoint;

	for (size_t i = 0; i < endpoint->n_addrs && !attachment->local; i++) {
		int r = maps_local_set(enforce->maps, &endpoint->addrs[i], endpoint->slot, err);

		if (r < 0)
			return err_wrap(err, r, "pod %s/%s", endpoint->namespace, endpoint->pod);
	}
	attachment->local = true;
	return 0;
}

/* Every endpoint is told before anything can fail. */
static int endpoints_tell(struct enforce *enforce, const struct store *store,
			  const struct attachments *attachments, struct err *err)
{
	int r = 0;

	if (enforce->endpoints_serial == store->endpoints_serial)
		return 0;
	enforce->round++;
	for (size_t i = 0; i < attachments->n; i++) {
		const struct endpoint *endpoint = &attachments->v[i]->endpoint;
		int told = endpoint_tell(enforce, endpoint, store_pod(store, endpoint), err);

		r = r < 0 ? r : told;
	}
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		if (!enforce->told[slot].ifindex || enforce->told[slot].serial == enforce->round)
			continue;
		tables_endpoint_gone(enforce->tables, slot);
		enforce->told[slot] = (struct told){ 0 };
	}
	for (size_t i = 0; r == 0 && i < attachments->n; i++)
		r = local_set(enforce, attachments->v[i], err);
	if (r == 0)
		enforce->endpoints_serial = store->endpoints_serial;
	return r;
}

/* --- runs */

static void fence_begin(struct enforce *enforce)
{
	if (enforce->is_fencing || !tables_need_fence(enforce->tables))
		return;
	enforce->fence = tables_fence(enforce->tables);
	enforce->is_fencing = true;
	worker_ask(&enforce->fencer);
}

bool enforce_is_tidy(const struct enforce *enforce)
{
	return !enforce->is_fencing && !tables_need_fence(enforce->tables);
}

/* What waits for a fence takes the room that an update needs: wait for it here. */
static int room_make(struct enforce *enforce, struct err *err)
{
	uint64_t number = tables_fence(enforce->tables);
	int r = fence();

	if (r < 0)
		return err_set(err, -r, "fence: %s", strerror(-r));
	/* One that is out began earlier, and ends what this one has ended already. */
	tables_fenced(enforce->tables, number);
	do {
		int applied;

		r = tables_sweep(enforce->tables, SWEEP_MOST, &enforce->plan);
		applied = apply(enforce, err);
		if (r < 0 || applied < 0)
			return applied < 0 ? applied : err_set(err, ENOMEM, "erasing rows");
	} while (r == 0);
	return 0;
}

static int update(struct enforce *enforce, struct err *err)
{
	int r = tables_update(enforce->tables, &enforce->plan, err);

	for (int tries = 0; r == -EAGAIN && tries < 4; tries++) {
		r = room_make(enforce, err);
		if (r == 0)
			r = tables_update(enforce->tables, &enforce->plan, err);
	}
	if (r == -ESTALE)
		enforce->adopted = false;
	return r < 0 ? err_wrap(err, r, "compiling") : r;
}

static void revision_take(struct enforce *enforce)
{
	const struct plan *plan = &enforce->plan;

	for (size_t i = plan->n; i-- > 0 && plan->v[i].kind == BH_WRITE_ENDPOINT;)
		if (plan->v[i].endpoint.revision > enforce->revision)
			enforce->revision = plan->v[i].endpoint.revision;
}

int enforce_run(struct enforce *enforce, const struct store *store, const struct attachments *attachments,
		struct err *err)
{
	int64_t start = stamp_now_us();
	int r = enforce->adopted ? 0 : adopt(enforce, err);

	if (r < 0)
		return r;
	if (!enforce->is_told)
		world_tell(enforce, &store->world);
	r = endpoints_tell(enforce, store, attachments, err);
	if (r == 0)
		r = update(enforce, err);
	if (r < 0) {
		enforce->plan.n = 0;
		return r;
	}
	if (r == 0) {
		revision_take(enforce);
		r = apply(enforce, err);
		if (r < 0)
			return r;
		enforce->updates++;
		enforce->last_us = stamp_now_us() - start;
	}
	enforce->synced = true;
	fence_begin(enforce);
	return r;
}

int enforce_fenced(struct enforce *enforce, struct err *err)
{
	int r = worker_is_over(&enforce->fencer) ? enforce->fence_result : -EAGAIN, more;

	if (r < 0 && r != -EAGAIN) {
		enforce->is_fencing = false;
		return err_set(err, -r, "fence: %s", strerror(-r));
	}
	if (!enforce->adopted)
		return 1; /* nothing of that is known any more */
	if (r == 0 && enforce->is_fencing)
		tables_fenced(enforce->tables, enforce->fence);
	if (r == 0)
		enforce->is_fencing = false;
	more = tables_sweep(enforce->tables, SWEEP_MOST, &enforce->plan);
	r = apply(enforce, err);
	if (r < 0 || more < 0)
		return r < 0 ? r : err_set(err, ENOMEM, "erasing rows");
	r = update(enforce, err);
	if (r == 0) {
		revision_take(enforce);
		r = apply(enforce, err);
	}
	if (r < 0)
		return r;
	fence_begin(enforce);
	return more;
}

int enforce_close(struct enforce *enforce, uint32_t slot, const struct bh_endpoint *row, struct err *err)
{
	struct bh_write write = { .kind = BH_WRITE_ENDPOINT };

	write.endpoint.slot = slot;
	write.endpoint.ifindex = row->ifindex;
	write.endpoint.flags = row->flags & BH_EP_POLICY_FLAGS & ~(uint32_t)BH_EP_OPEN;
	write.endpoint.egress = row->egress;
	write.endpoint.ingress = row->ingress;
	write.endpoint.revision = row->revision;
	return maps_apply(enforce->maps, &write, 1, err);
}
