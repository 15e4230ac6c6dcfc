// SPDX-License-Identifier: Apache-2.0
#include "policy/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/subject.h"

/* --- classes */

struct class *class_new(uint32_t id)
{
	struct class *class = calloc(1, sizeof(*class));

	if (class)
		class->id = id;
	return class;
}

void class_free(struct class *class, struct signatures *signatures, struct port_lists *lists)
{
	if (!class)
		return;
	for (size_t i = 0; i < class->n_rows; i++)
		port_list_drop(lists, class->rows[i].row.list);
	signature_drop(signatures, class->signature);
	free(class->rows);
	free(class);
}

bool class_reserve(struct class *class, size_t more)
{
	size_t cap = class->n_rows + more;
	struct class_row *grown;

	if (cap <= class->cap_rows)
		return true;
	cap = cap < 2 * class->cap_rows ? 2 * class->cap_rows : cap;
	grown = reallocarray(class->rows, cap, sizeof(*grown));
	if (!grown)
		return false;
	class->rows = grown;
	class->cap_rows = cap;
	return true;
}

void class_row_add(struct class *class, uint32_t subject, const struct row *row)
{
	size_t at = class->n_rows++;

	/* Numbers grow, so the place is at the end or near it. */
	for (; at > 0 && class->rows[at - 1].subject > subject; at--)
		class->rows[at] = class->rows[at - 1];
	class->rows[at] = (struct class_row){ subject, *row };
	port_list_use(row->list);
}

void class_row_remove(struct class *class, size_t at, struct port_lists *lists)
{
	port_list_drop(lists, class->rows[at].row.list);
	class->n_rows--;
	memmove(&class->rows[at], &class->rows[at + 1], (class->n_rows - at) * sizeof(*class->rows));
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

void state_add_class(struct state *state, struct class *class)
{
	class->at = state->n_classes;
	state->classes[state->n_classes++] = class;
}

void state_abandon_class(struct state *state, struct class *class, struct signatures *signatures)
{
	state->classes[class->at] = state->classes[--state->n_classes];
	state->classes[class->at]->at = class->at;
	if (class->signature && class->signature->class == class)
		class->signature->class = NULL;
	signature_drop(signatures, class->signature);
	class->signature = NULL;
	class->left_at = state->fence;
	class->next = NULL;
	*state->abandoned_end = class;
	state->abandoned_end = &class->next;
}

/* --- subjects */

void state_retire(struct state *state, uint32_t number)
{
	state->retired[state->n_retired++] = (struct retired){ number, state->fence };
}

static size_t live_place(const struct state *state, uint32_t number)
{
	size_t low = 0, high = state->n_live;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->live[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct subject *state_live(const struct state *state, uint32_t number)
{
	size_t at = live_place(state, number);

	return at < state->n_live && state->live[at]->number == number ? state->live[at] : NULL;
}

void state_unlive(struct state *state, struct subject *subject)
{
	size_t at = live_place(state, subject->number);

	if (!subject->live)
		return;
	subject->live = false;
	state->n_live--;
	memmove(&state->live[at], &state->live[at + 1], (state->n_live - at) * sizeof(*state->live));
}

/* --- the whole */

int state_init(struct state *state, struct signatures *signatures)
{
	*state = (struct state){ .fence = 1 };
	state->abandoned_end = &state->abandoned;
	state->endpoints = calloc(BH_ENDPOINTS_MAX, sizeof(*state->endpoints));
	if (!state->endpoints || regions_close(&state->regions, &state->any, signatures->empty) < 0)
		return -ENOMEM;
	state->any.signature = signature_use(signatures->empty);
	signatures->empty->class = &state->any;
	state->regions.v[REGION_REST].signature = signature_use(signatures->empty);
	return 0;
}

void state_done(struct state *state, struct signatures *signatures, struct port_lists *lists)
{
	for (size_t i = 0; i < state->any.n_rows; i++)
		port_list_drop(lists, state->any.rows[i].row.list);
	free(state->any.rows);
	signature_drop(signatures, state->any.signature);
	for (size_t i = 0; i < state->n_classes; i++)
		class_free(state->classes[i], signatures, lists);
	while (state->abandoned) {
		struct class *class = state->abandoned;

		state->abandoned = class->next;
		class_free(class, signatures, lists);
	}
	for (size_t i = 0; state->endpoints && i < BH_ENDPOINTS_MAX; i++)
		free(state->endpoints[i].who);
	regions_done(&state->regions, signatures);
	free(state->classes);
	free(state->endpoints);
	free(state->settling);
	free(state->retired);
	free(state->live);
	*state = (struct state){ 0 };
}

const struct class *state_class_of(const struct state *state, const struct addrset *addrs,
				   const struct bh_addr *addr)
{
	const struct address *address = addrset_find(addrs, addr);

	return address && address->row ? address->row
				       : state->regions.v[regions_find(&state->regions, addr)].class;
}

struct row state_row(const struct state *state, uint32_t subject, const struct class *class)
{
	const struct row *row = class_row_find(class, subject);

	if (!row)
		row = class_row_find(&state->any, subject);
	return row ? *row : (struct row){ .rest = BH_DENY };
}
