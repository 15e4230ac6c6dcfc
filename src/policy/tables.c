// SPDX-License-Identifier: Apache-2.0
#include "policy/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/planner.h"

struct tables {
	struct pool matchers;
	struct pool subjects;
	struct port_lists lists;
	struct state installed;
	struct state next; /* of the plan that is out */
	bool pending;
	uint64_t update; /* number of the last one */
	uint32_t last_class;
	uint32_t revision;
};

void plan_done(struct plan *plan)
{
	free(plan->v);
	*plan = (struct plan){ 0 };
}

struct tables *tables_new(void)
{
	struct tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		return NULL;
	pool_init(&tables->matchers, sizeof(struct matcher), NULL);
	pool_init(&tables->subjects, sizeof(struct subject), subject_entry_done);
	port_lists_init(&tables->lists);
	if (state_init(&tables->installed) == 0)
		return tables;
	return tables_free(tables);
}

struct tables *tables_free(struct tables *tables)
{
	if (!tables)
		return NULL;
	state_done(&tables->installed);
	state_done(&tables->next);
	pool_done(&tables->matchers);
	pool_done(&tables->subjects);
	port_lists_done(&tables->lists);
	free(tables);
	return NULL;
}

static void list_keep(const struct row *row)
{
	/* lists are const to everyone but their owner */
	if (row->list)
		((struct port_list *)row->list)->entry.keep = true;
}

static void lists_sweep(struct tables *tables)
{
	const struct state *state = &tables->installed;

	for (size_t i = 0; i < state->n_classes; i++) {
		for (size_t k = 0; k < state->classes[i].n_rows; k++)
			list_keep(&state->classes[i].rows[k].row);
	}
	port_lists_sweep(&tables->lists);
}

static struct matcher *matcher_find(const struct tables *tables, uint32_t id)
{
	size_t low = 0, high = tables->matchers.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tables->matchers.v[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tables->matchers.n ? (struct matcher *)tables->matchers.v[low] : NULL;
}

/* What installed subjects do not use is forgotten; its numbers never return. */
static void pools_sweep(struct tables *tables)
{
	for (size_t i = 0; i < tables->subjects.n; i++) {
		struct subject *subject = (struct subject *)tables->subjects.v[i];

		subject->entry.keep = subject->installed;
		for (size_t u = 0; subject->installed && u < subject->n_uses; u++)
			matcher_find(tables, subject->uses[u].matcher)->entry.keep = true;
	}
	pool_sweep(&tables->subjects);
	pool_sweep(&tables->matchers);
	lists_sweep(tables);
}

void tables_abort(struct tables *tables)
{
	state_done(&tables->next);
	tables->pending = false;
	pools_sweep(tables);
}

static void lists_mark_written(struct tables *tables)
{
	for (size_t i = 0; i < tables->lists.pool.n; i++)
		((struct port_list *)tables->lists.pool.v[i])->written = true;
}

void tables_commit(struct tables *tables)
{
	if (!tables->pending)
		return;
	state_done(&tables->installed);
	tables->installed = tables->next;
	tables->next = (struct state){ 0 };
	tables->pending = false;
	for (size_t i = 0; i < tables->subjects.n; i++) {
		struct subject *subject = (struct subject *)tables->subjects.v[i];

		subject->installed = subject->wanted == tables->update;
	}
	port_lists_unreserve(&tables->lists);
	lists_mark_written(tables);
	pools_sweep(tables);
}

/* Numbers that the kernel may know are never given again. */
static void numbers_adopt(struct tables *tables, const struct bh_snapshot *snapshot)
{
	uint32_t *subject = &tables->subjects.last_id, *class = &tables->last_class;

	for (uint32_t i = 0; i < snapshot->n_peers; i++)
		*class = snapshot->peers[i].class > *class ? snapshot->peers[i].class : *class;
	for (uint32_t i = 0; i < snapshot->n_prefixes; i++)
		*class = snapshot->prefixes[i].class > *class ? snapshot->prefixes[i].class : *class;
	for (uint32_t i = 0; i < snapshot->n_verdicts; i++) {
		const struct bh_verdict_key *key = &snapshot->verdicts[i].key;

		*class = key->peer > *class ? key->peer : *class;
		*subject = key->subject > *subject ? key->subject : *subject;
	}
	for (uint32_t i = 0; i < BH_ENDPOINTS_MAX; i++) {
		const struct bh_endpoint *row = &snapshot->endpoints[i];

		*subject = row->egress > *subject ? row->egress : *subject;
		*subject = row->ingress > *subject ? row->ingress : *subject;
		tables->revision = row->revision > tables->revision ? row->revision : tables->revision;
	}
}

/* Forgets what this process believed and believes the kernel. */
static void tables_forget(struct tables *tables)
{
	state_done(&tables->installed);
	state_done(&tables->next);
	tables->pending = false;
	for (size_t i = 0; i < tables->subjects.n; i++)
		((struct subject *)tables->subjects.v[i])->installed = false;
	pools_sweep(tables);
	port_lists_unreserve(&tables->lists);
}

int tables_adopt(struct tables *tables, const struct bh_snapshot *snapshot, struct err *err)
{
	tables_forget(tables);
	numbers_adopt(tables, snapshot);
	if (state_init(&tables->installed) < 0 ||
	    state_adopt(&tables->installed, snapshot, &tables->lists) < 0)
		return err_set(err, ENOMEM, "adopting the kernel's tables");
	return 0;
}

static int transition_make(struct tables *tables, const struct compile_pools *pools,
			   struct compiled *compiled, struct plan *plan, struct err *err)
{
	struct transition transition;
	int r = transition_init(&transition, pools, &tables->installed, compiled, &tables->last_class, err);

	if (r == 0 && subjects_renumber(&transition, &tables->subjects)) {
		transition_done(&transition);
		r = transition_init(&transition, pools, &tables->installed, compiled, &tables->last_class,
				    err);
	}
	if (r == 0)
		r = transition_plan(&transition, &tables->lists, &tables->revision, plan, &tables->next, err);
	transition_done(&transition);
	return r;
}

int tables_update(struct tables *tables, const struct world *world, const struct endpoint *endpoints,
		  size_t n_endpoints, struct plan *ret_plan, struct err *err)
{
	const struct compile_pools pools = { &tables->subjects, &tables->matchers, &tables->lists,
					     tables->update + 1 };
	struct compiled compiled;
	size_t n_before = ret_plan->n;
	int r;

	if (tables->pending)
		tables_abort(tables);
	tables->update++;
	r = compile(&pools, world, endpoints, n_endpoints, &compiled, err);
	if (r == 0)
		r = transition_make(tables, &pools, &compiled, ret_plan, err);
	compiled_done(&compiled);
	if (r < 0) {
		tables_abort(tables);
		return r;
	}
	tables->pending = true;
	if (ret_plan->n > n_before)
		return 0;
	tables_commit(tables);
	return 1;
}

void tables_usage_get(const struct tables *tables, struct tables_usage *ret_usage)
{
	const struct state *state = &tables->installed;

	*ret_usage = (struct tables_usage){
		.subjects = tables->subjects.n,
		.classes = state->n_classes,
		.peers = state->n_peers,
		.verdicts = state_n_verdicts(state),
		.ports = tables->lists.n_used,
	};
	for (size_t i = 1; i < state->regions.n; i++)
		ret_usage->prefixes += state->regions.v[i].has_row;
}

int tables_verdict(const struct tables *tables, uint32_t slot, enum bh_direction direction,
		   const struct bh_addr *peer, uint8_t proto, uint16_t port)
{
	const struct endpoint_state *endpoint = state_endpoint(&tables->installed, slot);
	struct row row;

	if (!endpoint || !(endpoint->flags & BH_EP_OPEN))
		return -ENOENT;
	if (endpoint->subject[direction] == 0)
		return BH_ALLOW;
	row = state_row(&tables->installed, endpoint->subject[direction],
			state_class_of(&tables->installed, peer));
	return row_action(&row, proto, port);
}
