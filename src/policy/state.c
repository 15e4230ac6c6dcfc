// SPDX-License-Identifier: Apache-2.0
#include "policy/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void class_done(struct class *class)
{
	free(class->signature);
	free(class->rows);
}

void state_done(struct state *state)
{
	for (size_t i = 0; i < state->n_classes; i++)
		class_done(&state->classes[i]);
	for (size_t i = 0; i < state->n_endpoints; i++)
		free(state->endpoints[i].who);
	free(state->classes);
	free(state->peers);
	free(state->endpoints);
	regions_done(&state->regions);
	*state = (struct state){ 0 };
}

static int class_add(struct state *state, uint32_t id)
{
	if (!array_reserve(&state->classes, &state->cap_classes, state->n_classes, sizeof(*state->classes)))
		return -ENOMEM;
	state->classes[state->n_classes++] = (struct class){ .id = id };
	return 0;
}

int state_init(struct state *state)
{
	*state = (struct state){ 0 };
	if (class_add(state, BH_PEER_ANY) < 0 || regions_close(&state->regions) < 0) {
		state_done(state);
		return -ENOMEM;
	}
	return 0;
}

const struct class *state_class(const struct state *state, uint32_t id)
{
	size_t low = 0, high = state->n_classes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->classes[middle].id == id)
			return &state->classes[middle];
		if (state->classes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct peer_class *state_peer(const struct state *state, const struct bh_addr *addr)
{
	return state->n_peers
		       ? bsearch(addr, state->peers, state->n_peers, sizeof(*state->peers), addr_compare)
		       : NULL;
}

const struct endpoint_state *state_endpoint(const struct state *state, uint32_t slot)
{
	size_t low = 0, high = state->n_endpoints;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->endpoints[middle].slot == slot)
			return &state->endpoints[middle];
		if (state->endpoints[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint32_t state_class_of(const struct state *state, const struct bh_addr *addr)
{
	const struct peer_class *peer = state_peer(state, addr);

	return peer ? peer->class : state->regions.v[regions_find(&state->regions, addr)].class;
}

const struct row *class_row_find(const struct class *class, uint32_t subject)
{
	size_t low = 0, high = class ? class->n_rows : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (class->rows[middle].subject == subject)
			return &class->rows[middle].row;
		if (class->rows[middle].subject < subject)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct row state_row(const struct state *state, uint32_t subject, uint32_t class)
{
	const struct row *row = class_row_find(state_class(state, class), subject);

	if (!row)
		row = class_row_find(&state->classes[0], subject);
	return row ? *row : (struct row){ .rest = BH_DENY };
}

int class_row_add(struct class *class, uint32_t subject, const struct row *row)
{
	if (!array_reserve(&class->rows, &class->cap_rows, class->n_rows, sizeof(*class->rows)))
		return -ENOMEM;
	class->rows[class->n_rows++] = (struct class_row){ subject, *row };
	return 0;
}

static int class_row_order(const void *a, const void *b)
{
	const struct class_row *x = a, *y = b;

	return (x->subject > y->subject) - (x->subject < y->subject);
}

void class_rows_sort(struct class *class)
{
	if (class->n_rows)
		qsort(class->rows, class->n_rows, sizeof(*class->rows), class_row_order);
}

size_t state_n_verdicts(const struct state *state)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n_classes; i++)
		n += state->classes[i].n_rows;
	return n;
}

static int peer_order(const void *a, const void *b)
{
	return addr_compare(&((const struct peer_class *)a)->addr, &((const struct peer_class *)b)->addr);
}

static int peers_adopt(struct state *state, const struct bh_snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->n_peers; i++) {
		if (!array_reserve(&state->peers, &state->cap_peers, state->n_peers, sizeof(*state->peers)))
			return -ENOMEM;
		state->peers[state->n_peers++] =
			(struct peer_class){ snapshot->peers[i].addr, snapshot->peers[i].class };
	}
	if (state->n_peers)
		qsort(state->peers, state->n_peers, sizeof(*state->peers), peer_order);
	return 0;
}

static int prefixes_adopt(struct state *state, const struct bh_snapshot *snapshot)
{
	struct regions *regions = &state->regions;

	regions_done(regions);
	for (uint32_t i = 0; i < snapshot->n_prefixes; i++) {
		if (snapshot->prefixes[i].prefix.len > 128)
			continue;
		if (regions_add(regions, &snapshot->prefixes[i].prefix) < 0)
			return -ENOMEM;
		regions->v[regions->n - 1].class = snapshot->prefixes[i].class;
		regions->v[regions->n - 1].has_row = true;
	}
	return regions_close(regions);
}

static int verdict_order(const void *a, const void *b)
{
	const struct bh_verdict_row *x = a, *y = b;

	if (x->key.peer != y->key.peer)
		return x->key.peer < y->key.peer ? -1 : 1;
	return (x->key.subject > y->key.subject) - (x->key.subject < y->key.subject);
}

/* A row that points outside bh_ports denies, here as in the kernel. */
static int verdict_adopt(struct state *state, const struct bh_verdict_row *from, const struct bh_port *ports,
			 struct port_lists *lists)
{
	struct row row = { .rest = (enum bh_action)from->verdict.rest };
	struct class *class = &state->classes[state->n_classes - 1];

	if (class->id != from->key.peer) {
		if (class_add(state, from->key.peer) < 0)
			return -ENOMEM;
		class = &state->classes[state->n_classes - 1];
	}
	if (from->verdict.first >= BH_PORTS_MAX || from->verdict.count > BH_PORTS_MAX - from->verdict.first)
		row.rest = BH_DENY;
	else if (from->verdict.count &&
		 port_lists_adopt(lists, ports, from->verdict.first, from->verdict.count, &row.list) < 0)
		return -ENOMEM;
	return class_row_add(class, from->key.subject, &row);
}

static int verdicts_adopt(struct state *state, const struct bh_snapshot *snapshot, struct port_lists *lists)
{
	size_t bytes = snapshot->n_verdicts * sizeof(*snapshot->verdicts);
	struct bh_verdict_row *sorted = malloc(bytes ? bytes : 1);
	int r = sorted ? 0 : -ENOMEM;

	if (r == 0 && bytes) {
		memcpy(sorted, snapshot->verdicts, bytes);
		qsort(sorted, snapshot->n_verdicts, sizeof(*sorted), verdict_order);
	}
	for (uint32_t i = 0; r == 0 && i < snapshot->n_verdicts; i++)
		r = verdict_adopt(state, &sorted[i], snapshot->ports, lists);
	free(sorted);
	return r;
}

static int endpoints_adopt(struct state *state, const struct bh_snapshot *snapshot)
{
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		const struct bh_endpoint *row = &snapshot->endpoints[slot];

		if (row->ifindex == 0)
			continue;
		if (!array_reserve(&state->endpoints, &state->cap_endpoints, state->n_endpoints,
				   sizeof(*state->endpoints)))
			return -ENOMEM;
		state->endpoints[state->n_endpoints++] = (struct endpoint_state){
			.slot = slot,
			.ifindex = row->ifindex,
			.flags = row->flags & BH_EP_POLICY_FLAGS,
			.subject = { [BH_EGRESS] = row->egress, [BH_INGRESS] = row->ingress },
			.revision = row->revision,
		};
	}
	return 0;
}

int state_adopt(struct state *state, const struct bh_snapshot *snapshot, struct port_lists *lists)
{
	if (peers_adopt(state, snapshot) < 0 || prefixes_adopt(state, snapshot) < 0 ||
	    verdicts_adopt(state, snapshot, lists) < 0 || endpoints_adopt(state, snapshot) < 0)
		return -ENOMEM;
	return 0;
}
