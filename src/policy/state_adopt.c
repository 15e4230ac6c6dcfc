// SPDX-License-Identifier: Apache-2.0
/* What an earlier process left in the kernel: classes that answer nothing known,
 * rows of subjects that are all to retire. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/state.h"

struct adoption {
	struct state *state;
	const struct bh_snapshot *snapshot;
	struct addrset *addrs;
	struct port_lists *lists;
	struct class **by_id; /* sorted */
	size_t n;
};

static int number_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Every class that any row names, once. */
static int classes_adopt(struct adoption *a)
{
	const struct bh_snapshot *snapshot = a->snapshot;
	struct state *state = a->state;
	size_t n = 0, most = (size_t)snapshot->n_peers + snapshot->n_prefixes + snapshot->n_verdicts;
	uint32_t *ids = calloc(most + 1, sizeof(*ids));

	a->by_id = calloc(most + 1, sizeof(struct class *));
	state->classes = calloc(most + 1, sizeof(struct class *));
	state->cap_classes = most + 1;
	if (!ids || !a->by_id || !state->classes) {
		free(ids);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < snapshot->n_peers; i++)
		ids[n++] = snapshot->peers[i].class;
	for (uint32_t i = 0; i < snapshot->n_prefixes; i++)
		ids[n++] = snapshot->prefixes[i].class;
	for (uint32_t i = 0; i < snapshot->n_verdicts; i++)
		ids[n++] = snapshot->verdicts[i].key.peer;
	if (n)
		qsort(ids, n, sizeof(*ids), number_compare);
	for (size_t i = 0; i < n; i++) {
		struct class *class;

		if (ids[i] == BH_PEER_ANY || (i && ids[i] == ids[i - 1]))
			continue;
		class = class_new(ids[i]);
		if (!class) {
			free(ids);
			return -ENOMEM;
		}
		a->by_id[a->n++] = class;
		state_add_class(state, class);
	}
	state->last_class = n && ids[n - 1] > state->last_class ? ids[n - 1] : state->last_class;
	free(ids);
	return 0;
}

static struct class *class_at(const struct adoption *a, uint32_t id)
{
	size_t low = 0, high = a->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->by_id[middle]->id == id)
			return a->by_id[middle];
		if (a->by_id[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return &a->state->any;
}

static int peers_adopt(struct adoption *a)
{
	for (uint32_t i = 0; i < a->snapshot->n_peers; i++) {
		const struct bh_peer_row *row = &a->snapshot->peers[i];
		struct address *address = addrset_get(a->addrs, &row->addr);

		if (!address)
			return -ENOMEM;
		address->row = class_at(a, row->class);
		address->row->members++;
		address_dirty(a->addrs, address);
		a->state->n_peers++;
	}
	return 0;
}

static int prefixes_adopt(struct adoption *a, struct signatures *signatures)
{
	struct regions *regions = &a->state->regions;

	regions_done(regions, signatures);
	for (uint32_t i = 0; i < a->snapshot->n_prefixes; i++) {
		const struct bh_prefix_row *row = &a->snapshot->prefixes[i];

		if (row->prefix.len > 128)
			continue;
		if (regions_add(regions, &row->prefix) < 0)
			return -ENOMEM;
		regions->v[regions->n - 1].class = class_at(a, row->class);
		regions->v[regions->n - 1].class->members++;
		regions->v[regions->n - 1].has_row = true;
		a->state->n_prefixes++;
	}
	if (regions_close(regions, &a->state->any, signatures->empty) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < regions->n; i++)
		regions->v[i].signature = signature_use(signatures->empty);
	return 0;
}

/* A row that points outside bh_ports denies, here as in the kernel. */
static int verdict_adopt(struct adoption *a, const struct bh_verdict_row *from)
{
	struct row row = { .rest = (enum bh_action)from->verdict.rest };
	struct class *class = class_at(a, from->key.peer);

	if (from->verdict.first >= BH_PORTS_MAX || from->verdict.count > BH_PORTS_MAX - from->verdict.first)
		row.rest = BH_DENY;
	else if (from->verdict.count && port_lists_adopt(a->lists, a->snapshot->ports, from->verdict.first,
							 from->verdict.count, &row.list) < 0)
		return -ENOMEM;
	if (!class_reserve(class, 1))
		return -ENOMEM;
	class->rows[class->n_rows++] = (struct class_row){ from->key.subject, row };
	port_list_use(row.list);
	a->state->n_verdicts++;
	return 0;
}

static int class_row_compare(const void *a, const void *b)
{
	const struct class_row *x = a, *y = b;

	return (x->subject > y->subject) - (x->subject < y->subject);
}

static void rows_sort(struct class *class)
{
	if (class->n_rows)
		qsort(class->rows, class->n_rows, sizeof(*class->rows), class_row_compare);
}

static int retired_compare(const void *a, const void *b)
{
	return number_compare(&((const struct retired *)a)->number, &((const struct retired *)b)->number);
}

/* All numbers retire with the first plan. */
static void numbers_adopt(struct state *state, const struct bh_snapshot *snapshot)
{
	size_t n = 0;

	for (uint32_t i = 0; i < snapshot->n_verdicts; i++)
		state->retired[i].number = snapshot->verdicts[i].key.subject;
	if (snapshot->n_verdicts)
		qsort(state->retired, snapshot->n_verdicts, sizeof(*state->retired), retired_compare);
	for (uint32_t i = 0; i < snapshot->n_verdicts; i++)
		if (i == 0 || state->retired[i].number != state->retired[n - 1].number)
			state->retired[n++] = state->retired[i];
	state->n_adopted = n;
}

static int verdicts_adopt(struct adoption *a, uint32_t *ret_last_subject)
{
	struct state *state = a->state;

	state->retired = calloc(a->snapshot->n_verdicts + 1, sizeof(*state->retired));
	state->cap_retired = a->snapshot->n_verdicts + 1;
	if (!state->retired)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->snapshot->n_verdicts; i++) {
		if (verdict_adopt(a, &a->snapshot->verdicts[i]) < 0)
			return -ENOMEM;
		if (a->snapshot->verdicts[i].key.subject > *ret_last_subject)
			*ret_last_subject = a->snapshot->verdicts[i].key.subject;
	}
	numbers_adopt(state, a->snapshot);
	rows_sort(&state->any);
	for (size_t i = 0; i < a->n; i++)
		rows_sort(a->by_id[i]);
	return 0;
}

static void endpoints_adopt(struct adoption *a, uint32_t *ret_last_subject)
{
	struct state *state = a->state;

	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		const struct bh_endpoint *row = &a->snapshot->endpoints[slot];
		uint32_t most = row->egress > row->ingress ? row->egress : row->ingress;

		if (most > *ret_last_subject)
			*ret_last_subject = most;
		if (row->revision > state->revision)
			state->revision = row->revision;
		if (row->ifindex == 0)
			continue;
		state->endpoints[slot] = (struct endpoint_state){
			.ifindex = row->ifindex,
			.flags = row->flags & BH_EP_POLICY_FLAGS,
			.number = { [BH_EGRESS] = row->egress, [BH_INGRESS] = row->ingress },
			.revision = row->revision,
		};
	}
}

/* What no row leads to is as good as abandoned. */
static void classes_sift(struct adoption *a, struct signatures *signatures)
{
	for (size_t i = 0; i < a->n; i++)
		if (!a->by_id[i]->members)
			state_abandon_class(a->state, a->by_id[i], signatures);
}

int state_adopt(struct state *state, const struct bh_snapshot *snapshot, struct addrset *addrs,
		struct signatures *signatures, struct port_lists *lists, uint32_t *ret_last_subject)
{
	struct adoption a = { state, snapshot, addrs, lists, NULL, 0 };
	int r = classes_adopt(&a);

	if (r == 0)
		r = peers_adopt(&a);
	if (r == 0)
		r = prefixes_adopt(&a, signatures);
	if (r == 0)
		r = verdicts_adopt(&a, ret_last_subject);
	if (r == 0) {
		endpoints_adopt(&a, ret_last_subject);
		state->last_adopted = *ret_last_subject;
		classes_sift(&a, signatures);
	}
	free(a.by_id);
	return r;
}
