// SPDX-License-Identifier: Apache-2.0
#include "policy/tables.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/planner.h"
#include "policy/sweep.h"

struct tables {
	struct compile compile; /* what is wanted */
	struct state state;	/* what is installed */
};

static int tables_init(struct tables *tables)
{
	int r = compile_init(&tables->compile);

	if (r == 0)
		r = state_init(&tables->state, &tables->compile.signatures);
	tables->compile.lists.now = tables->state.fence;
	return r;
}

static void tables_done(struct tables *tables)
{
	if (tables->compile.signatures.empty)
		state_done(&tables->state, &tables->compile.signatures, &tables->compile.lists);
	compile_done(&tables->compile);
}

struct tables *tables_new(void)
{
	struct tables *tables = calloc(1, sizeof(*tables));

	if (!tables || tables_init(tables) < 0)
		return tables_free(tables);
	tables->state.peers_max = BH_PEERS_MAX;
	return tables;
}

void tables_limit_peers(struct tables *tables, size_t max)
{
	tables->state.peers_max = max;
}

struct tables *tables_free(struct tables *tables)
{
	if (!tables)
		return NULL;
	tables_done(tables);
	free(tables);
	return NULL;
}

/* Numbers that the kernel may know are never given again. */
int tables_adopt(struct tables *tables, const struct bh_snapshot *snapshot, struct err *err)
{
	uint32_t last_class = tables->state.last_class, revision = tables->state.revision;
	size_t peers_max = tables->state.peers_max;
	struct compile *c = &tables->compile;
	uint32_t last_number = c->subjects.last_number;

	tables_done(tables);
	if (tables_init(tables) < 0)
		return err_set(err, ENOMEM, "adopting the kernel's tables");
	tables->state.last_class = last_class;
	tables->state.revision = revision;
	tables->state.peers_max = peers_max;
	c->subjects.last_number = last_number;
	if (state_adopt(&tables->state, snapshot, &c->addrs, &c->signatures, &c->lists,
			&c->subjects.last_number) < 0)
		return err_set(err, ENOMEM, "adopting the kernel's tables");
	c->blocks_changed = c->locals_changed = true;
	return 0;
}

void tables_posture(struct tables *tables, const struct posture_config *posture)
{
	compile_posture(&tables->compile, posture);
}

void tables_pod(struct tables *tables, const struct pod *old, const struct pod *now)
{
	compile_pod(&tables->compile, old, now);
}

void tables_namespace(struct tables *tables, const struct namespace *old, const struct namespace *now)
{
	compile_namespace(&tables->compile, old, now);
}

void tables_netpol(struct tables *tables, const struct netpol *old, const struct netpol *now)
{
	compile_netpol(&tables->compile, old, now);
}

int tables_endpoint(struct tables *tables, const struct endpoint *endpoint, const struct pod *pod,
		    struct err *err)
{
	if (endpoint->slot >= BH_ENDPOINTS_MAX)
		return err_set(err, EINVAL, "endpoint slot %u of interface %u: out of range", endpoint->slot,
			       endpoint->ifindex);
	compile_endpoint(&tables->compile, endpoint, pod);
	return 0;
}

void tables_endpoint_gone(struct tables *tables, uint32_t slot)
{
	if (slot < BH_ENDPOINTS_MAX)
		compile_endpoint_gone(&tables->compile, slot);
}

/* --- updates */

static bool nothing_to_do(const struct compile *c)
{
	return !c->blocks_changed && !c->locals_changed && !c->addrs.dirty;
}

static int plan_once(struct tables *tables, struct plan *plan, struct err *err)
{
	struct transition transition;
	struct planner planner;
	int r;

	if (nothing_to_do(&tables->compile))
		return 0;
	r = transition_init(&transition, &tables->state, &tables->compile, err);
	while (r == 0 && subjects_renumber(&transition)) {
		transition_done(&transition);
		r = transition_init(&transition, &tables->state, &tables->compile, err);
	}
	if (r == 0) {
		r = planner_init(&planner, &transition, plan, err);
		if (r == 0)
			planner_commit(&planner);
		planner_done(&planner);
	}
	transition_done(&transition);
	if (r < 0)
		port_lists_drop_fresh(&tables->compile.lists);
	return r;
}

static int settle_and_plan(struct tables *tables, struct plan *plan, struct err *err)
{
	int r = compile_settle(&tables->compile, err);

	return r < 0 ? r : plan_once(tables, plan, err);
}

int tables_update(struct tables *tables, struct plan *ret_plan, struct err *err)
{
	struct compile *c = &tables->compile;
	size_t n_before = ret_plan->n;
	struct err why = { 0 };
	int r;

	if (c->stale)
		return err_set(err, ESTALE, "out of memory while a change was taken in");
	r = settle_and_plan(tables, ret_plan, &why);
	if (r == -ENOSPC && sweep_waits(&tables->state, c))
		return err_set(err, EAGAIN, "%s", why.msg);
	if (r == -ENOSPC && compile_refuse(c, &why))
		r = settle_and_plan(tables, ret_plan, &why);
	if (r < 0)
		return err_set(err, -r, "%s", why.msg);
	return ret_plan->n == n_before;
}

size_t tables_refused(const struct tables *tables, struct err *ret_why)
{
	if (ret_why)
		*ret_why = tables->compile.refusal;
	return tables->compile.n_refused;
}

bool tables_need_fence(const struct tables *tables)
{
	return tables->state.peers_freed || sweep_waits(&tables->state, &tables->compile);
}

uint64_t tables_fence(struct tables *tables)
{
	uint64_t fence = tables->state.fence++;

	tables->compile.lists.now = tables->state.fence;
	return fence;
}

void tables_fenced(struct tables *tables, uint64_t fence)
{
	sweep_fenced(&tables->state, &tables->compile, fence);
}

int tables_sweep(struct tables *tables, size_t most, struct plan *ret_plan)
{
	size_t n_before = ret_plan->n;
	int r = sweep_erase(&tables->state, &tables->compile, most, ret_plan);

	if (ret_plan->n > n_before)
		compile_retry(&tables->compile);
	return r;
}

void tables_usage_get(const struct tables *tables, struct tables_usage *ret_usage)
{
	const struct state *state = &tables->state;

	*ret_usage = (struct tables_usage){
		.subjects = state->n_live,
		.classes = state->n_classes + 1,
		.peers = state->n_peers,
		.unfit = state->n_unfit,
		.prefixes = state->n_prefixes,
		.verdicts = state->n_verdicts,
		.ports = tables->compile.lists.n_used,
	};
}

int tables_verdict(const struct tables *tables, uint32_t slot, enum bh_direction direction,
		   const struct bh_addr *peer, uint8_t proto, uint16_t port)
{
	const struct endpoint_state *endpoint =
		slot < BH_ENDPOINTS_MAX ? &tables->state.endpoints[slot] : NULL;
	struct row row;

	if (!endpoint || !endpoint->ifindex || !(endpoint->flags & BH_EP_OPEN))
		return -ENOENT;
	if (endpoint->number[direction] == 0)
		return BH_ALLOW;
	row = state_row(&tables->state, endpoint->number[direction],
			state_class_of(&tables->state, &tables->compile.addrs, peer));
	return row_action(&row, proto, port);
}
