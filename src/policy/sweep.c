// SPDX-License-Identifier: Apache-2.0
#include "policy/sweep.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/writes.h"

bool sweep_waits(const struct state *state, const struct compile *c)
{
	return state->abandoned || state->n_retired || state->n_settling || state->regions_settling ||
	       c->lists.unused;
}

void sweep_fenced(struct state *state, struct compile *c, uint64_t fence)
{
	if (fence > state->fenced)
		state->fenced = fence;
	port_lists_fenced(&c->lists, fence);
	for (size_t i = 0; i < state->n_settling; i++) {
		state->settling[i]->hold.settling = false;
		address_dirty(&c->addrs, state->settling[i]);
	}
	state->n_settling = 0;
	c->blocks_changed = c->blocks_changed || state->regions_settling;
	/* The rows of a process before are gone, and so is what only they needed. */
	if (!state->n_adopted && !sweep_waits(state, c))
		port_lists_unreserve(&c->lists);
}

/* From the end, so that nothing is moved. */
static int class_erase(struct state *state, struct compile *c, struct class *class, size_t most,
		       struct plan *plan)
{
	while (class->n_rows && plan->n < most) {
		if (!erase_verdict(plan, class->rows[class->n_rows - 1].subject, class->id))
			return -ENOMEM;
		class_row_remove(class, class->n_rows - 1, &c->lists);
		state->n_verdicts--;
	}
	return !class->n_rows;
}

static int abandoned_erase(struct state *state, struct compile *c, size_t most, struct plan *plan)
{
	while (state->abandoned && state->abandoned->left_at <= state->fenced) {
		struct class *class = state->abandoned;
		int r = class_erase(state, c, class, most, plan);

		if (r <= 0)
			return r;
		state->abandoned = class->next;
		if (!state->abandoned)
			state->abandoned_end = &state->abandoned;
		class_free(class, &c->signatures, &c->lists);
	}
	return 1;
}

static int number_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int rows_erase(struct state *state, struct compile *c, struct class *class, const uint32_t *gone,
		      size_t n_gone, size_t most, struct plan *plan)
{
	for (size_t i = class->n_rows; i-- > 0;) {
		if (class->rows[i].subject < gone[0])
			break;
		if (!bsearch(&class->rows[i].subject, gone, n_gone, sizeof(*gone), number_compare))
			continue;
		if (plan->n >= most)
			return 0;
		if (!erase_verdict(plan, class->rows[i].subject, class->id))
			return -ENOMEM;
		class_row_remove(class, i, &c->lists);
		state->n_verdicts--;
	}
	return 1;
}

static int numbers_erase(struct state *state, struct compile *c, const uint32_t *gone, size_t n_gone,
			 size_t most, struct plan *plan)
{
	int r = rows_erase(state, c, &state->any, gone, n_gone, most, plan);

	for (size_t i = 0; r == 1 && i < state->n_classes; i++)
		r = rows_erase(state, c, state->classes[i], gone, n_gone, most, plan);
	return r;
}

static int retired_erase(struct state *state, struct compile *c, size_t most, struct plan *plan)
{
	uint32_t *gone = calloc(state->n_retired + 1, sizeof(*gone));
	size_t n = 0, kept = 0;
	int r = 1;

	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_retired; i++)
		if (state->retired[i].left_at <= state->fenced)
			gone[n++] = state->retired[i].number;
	if (n) {
		qsort(gone, n, sizeof(*gone), number_compare);
		r = numbers_erase(state, c, gone, n, most, plan);
	}
	for (size_t i = 0; r == 1 && i < state->n_retired; i++)
		if (state->retired[i].left_at > state->fenced)
			state->retired[kept++] = state->retired[i];
	if (r == 1)
		state->n_retired = kept;
	free(gone);
	return r;
}

int sweep_erase(struct state *state, struct compile *c, size_t most, struct plan *plan)
{
	int r;

	most += plan->n;
	r = abandoned_erase(state, c, most, plan);
	return r == 1 ? retired_erase(state, c, most, plan) : r;
}
