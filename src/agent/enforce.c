// SPDX-License-Identifier: Apache-2.0
#include "agent/enforce.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/stamp.h"
#include "base/cleanup.h"

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
	return r;
}

int enforce_init(struct enforce *enforce, struct maps *maps, struct err *err)
{
	*enforce = (struct enforce){ .maps = maps };
	return adopt(enforce, err);
}

static void plan_reset(struct enforce *enforce)
{
	plan_done(&enforce->plan);
	enforce->plan = (struct plan){ 0 };
	enforce->done = 0;
	enforce->tidying = false;
}

void enforce_done(struct enforce *enforce)
{
	plan_reset(enforce);
	enforce->tables = tables_free(enforce->tables);
}

/* Applies the writes before `until`. A failure leaves the kernel somewhere
 * within the plan, which is safe for packets but unknown to the tables. */
static int apply(struct enforce *enforce, size_t until, struct err *err)
{
	int r = maps_apply(enforce->maps, enforce->plan.v + enforce->done, until - enforce->done, err);

	if (r < 0) {
		enforce->adopted = false;
		plan_reset(enforce);
		return err_wrap(err, r, "applying the plan");
	}
	enforce->done = until;
	return 0;
}

int enforce_tidy(struct enforce *enforce, struct err *err)
{
	int r;

	if (!enforce->tidying)
		return 0;
	r = apply(enforce, enforce->plan.n, err);
	if (r < 0)
		return r;
	tables_commit(enforce->tables);
	plan_reset(enforce);
	return 0;
}

/* The number of writes up to and with the last endpoint row. Rows before it may
 * rely on a fence among them; without any endpoint row the plan has no commit
 * and is applied whole. */
static size_t plan_commit(const struct plan *plan, uint32_t *revision)
{
	size_t commit = 0;

	for (size_t i = 0; i < plan->n; i++) {
		if (plan->v[i].kind != BH_WRITE_ENDPOINT)
			continue;
		commit = i + 1;
		if (plan->v[i].endpoint.revision > *revision)
			*revision = plan->v[i].endpoint.revision;
	}
	return commit ? commit : plan->n;
}

static struct endpoint *endpoints_of(const struct attachments *attachments)
{
	struct endpoint *endpoints = calloc(attachments->n + 1, sizeof(*endpoints));

	for (size_t i = 0; endpoints && i < attachments->n; i++)
		endpoints[i] = attachments->v[i]->endpoint;
	return endpoints;
}

static int set_locals(struct enforce *enforce, const struct attachments *attachments, struct err *err)
{
	for (size_t i = 0; i < attachments->n; i++) {
		struct attachment *attachment = attachments->v[i];
		const struct endpoint *endpoint = &attachment->endpoint;

		for (size_t j = 0; j < endpoint->n_addrs && !attachment->local; j++) {
			int r = maps_local_set(enforce->maps, &endpoint->addrs[j], endpoint->slot, err);

			if (r < 0)
				return err_wrap(err, r, "pod %s/%s", endpoint->namespace, endpoint->pod);
		}
		attachment->local = true;
	}
	return 0;
}

static int compile(struct enforce *enforce, const struct world *world, const struct attachments *attachments,
		   struct err *err)
{
	auto_free struct endpoint *endpoints = endpoints_of(attachments);
	int r;

	if (!endpoints)
		return err_set(err, ENOMEM, "endpoints: out of memory");
	r = tables_update(enforce->tables, world, endpoints, attachments->n, &enforce->plan, err);
	return r < 0 ? err_wrap(err, r, "compiling") : r;
}

int enforce_run(struct enforce *enforce, const struct world *world, const struct attachments *attachments,
		struct err *err)
{
	int64_t start = stamp_now_us();
	size_t commit;
	int r;

	r = enforce_tidy(enforce, err);
	if (r == 0 && !enforce->adopted)
		r = adopt(enforce, err);
	/* Before the rows: an endpoint must not open while the programs would
	 * still send its neighbours' packets through the stack. */
	if (r == 0)
		r = set_locals(enforce, attachments, err);
	if (r == 0)
		r = compile(enforce, world, attachments, err);
	if (r != 0) {
		plan_reset(enforce);
		enforce->synced = enforce->synced || r == 1;
		return r;
	}
	commit = plan_commit(&enforce->plan, &enforce->revision);
	r = apply(enforce, commit, err);
	if (r < 0)
		return r;
	enforce->tidying = true;
	enforce->synced = true;
	enforce->updates++;
	enforce->last_us = stamp_now_us() - start;
	return 0;
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
