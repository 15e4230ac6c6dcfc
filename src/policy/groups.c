// SPDX-License-Identifier: Apache-2.0
#include "policy/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAST_EMPTY   0
#define PAST_UNKNOWN UINT32_MAX

struct class *class_scratch(const struct transition *t, struct class *class)
{
	if (class->plan != t->plan) {
		class->plan = t->plan;
		class->leaving = 0;
		class->past = PAST_UNKNOWN;
		class->n_adds = 0;
		class->taken = NULL;
	}
	return class;
}

/* --- pasts */

/* Fields one by one into zeroed memory: the bytes are compared, padding too. */
static size_t past_copy(const struct transition *t, const struct class *class, struct class_row *out)
{
	size_t n = 0;

	for (size_t i = 0; i < class->n_rows; i++) {
		if (!number_retires(t, class->rows[i].subject))
			continue;
		out[n].subject = class->rows[i].subject;
		out[n].row.list = class->rows[i].row.list;
		out[n].row.rest = class->rows[i].row.rest;
		n++;
	}
	return n;
}

/* BH_PEER_ANY has the empty past, as a class without rows of its own has: its rows are
 * what all others fall back to. */
static int past_of(struct transition *t, struct class *class, uint32_t *ret)
{
	const struct pool_entry *entry = NULL;
	struct class_row *rows;

	*ret = PAST_EMPTY;
	if (class == &t->state->any || !t->n_retiring)
		return 0;
	if (class_scratch(t, class)->past == PAST_UNKNOWN) {
		rows = calloc(class->n_rows + 1, sizeof(*rows));
		if (rows)
			entry = pool_get(&t->pasts, rows, past_copy(t, class, rows) * sizeof(*rows), NULL);
		free(rows);
		if (!entry)
			return -ENOMEM;
		class->past = entry->id - 1;
	}
	*ret = class->past;
	return 0;
}

static const struct class_row *group_past(const struct transition *t, const struct group *group,
					  size_t *ret_n)
{
	const struct pool_entry *entry = t->pasts.v[group->past];

	*ret_n = entry->len / sizeof(struct class_row);
	return entry->key;
}

/* --- groups */

static int group_get(struct transition *t, uint32_t past, struct signature *signature, uint32_t *ret_group)
{
	struct {
		uint64_t past;
		const struct signature *signature;
	} key = { past, signature };
	const struct pool_entry *entry;
	bool is_new = false;

	entry = array_reserve(&t->groups, &t->cap_groups, t->n_groups, sizeof(*t->groups))
			? pool_get(&t->group_keys, &key, sizeof(key), &is_new)
			: NULL;
	if (is_new)
		t->groups[t->n_groups++] = (struct group){ .past = past, .signature = signature };
	else
		signature_drop(&t->compile->signatures, signature);
	if (!entry)
		return -ENOMEM;
	*ret_group = entry->id - 1;
	return 0;
}

int group_of(struct transition *t, struct class *from, struct signature *signature, uint32_t *ret_group)
{
	uint32_t past;

	if (past_of(t, from, &past) < 0) {
		signature_drop(&t->compile->signatures, signature);
		return -ENOMEM;
	}
	return group_get(t, past, signature, ret_group);
}

int groups_init(struct transition *t)
{
	uint32_t any;

	if (!pool_get(&t->pasts, NULL, 0, NULL) ||
	    group_get(t, PAST_EMPTY, signature_use(t->compile->signatures.empty), &any) < 0)
		return -ENOMEM;
	t->groups[GROUP_ANY].class = &t->state->any;
	class_scratch(t, &t->state->any);
	return 0;
}

/* --- flows */

static int flow_count(struct transition *t, struct class *from, uint32_t group)
{
	struct {
		const struct class *from;
		uint64_t group;
	} key = { from, group };
	struct flow *flow = (struct flow *)pool_get(&t->flows, &key, sizeof(key), NULL);

	if (!flow)
		return -ENOMEM;
	flow->from = from;
	flow->group = group;
	flow->n++;
	return 0;
}

/* By class; for each class the group first that most of it goes to. */
static int flow_compare(const void *a, const void *b)
{
	const struct flow *x = *(const struct flow *const *)a, *y = *(const struct flow *const *)b;

	if (x->from->id != y->from->id)
		return x->from->id < y->from->id ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->group > y->group) - (x->group < y->group);
}

static int flows_collect(struct transition *t)
{
	for (size_t i = 0; t->region_moves && i < t->united.n; i++)
		if (flow_count(t, t->region_moves[i].from, t->region_moves[i].group) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < t->n_addrs; i++)
		if (flow_count(t, moving_from(t, &t->addrs[i]), t->addrs[i].group) < 0)
			return -ENOMEM;
	if (t->flows.n)
		qsort(t->flows.v, t->flows.n, sizeof(struct pool_entry *), flow_compare);
	return 0;
}

/* --- which class each group gets */

static bool answer_is_asked(const struct transition *t, answer_t answer)
{
	const struct matcher *matcher = t->compile->matchers.by_id[ANSWER_MATCHER(answer)];

	for (uint32_t i = 0; matcher && i < matcher->n_askers; i++)
		if (matcher->askers[i]->live)
			return true;
	return false;
}

/* Are two signatures the same to the live subjects? */
static bool signatures_agree(const struct transition *t, const struct signature *a, const struct signature *b)
{
	size_t i = 0, k = 0, n_a = a ? signature_n(a) : 0, n_b = signature_n(b);

	for (; a != b;) {
		while (i < n_a && !answer_is_asked(t, signature_answers(a)[i]))
			i++;
		while (k < n_b && !answer_is_asked(t, signature_answers(b)[k]))
			k++;
		if (i == n_a || k == n_b)
			return i == n_a && k == n_b;
		if (signature_answers(a)[i++] != signature_answers(b)[k++])
			return false;
	}
	return true;
}

static bool class_stays(const struct transition *t, struct class *class)
{
	return class == &t->state->any || class->members > class_scratch(t, class)->leaving;
}

/* The class that has a signature already is its group's, if nobody retiring minds. */
static int groups_take_own(struct transition *t)
{
	for (size_t i = 1; i < t->n_groups; i++) {
		struct class *class = t->groups[i].signature->class;
		uint32_t past;

		if (!class)
			continue;
		if (past_of(t, class, &past) < 0)
			return -ENOMEM;
		if (past != t->groups[i].past)
			continue;
		t->groups[i].class = class;
		class_scratch(t, class)->taken = &t->groups[i];
	}
	return 0;
}

/* A class that nobody rests in may go on as the group that most of it goes to: its rows
 * for retiring numbers are the group's, and those for live ones must be. */
static void classes_keep(struct transition *t)
{
	for (size_t i = 0; i < t->flows.n; i++) {
		const struct flow *flow = (const struct flow *)t->flows.v[i];
		struct group *group = &t->groups[flow->group];
		struct class *from = flow->from;

		if (group->class || class_stays(t, from) || from->taken || !from->members ||
		    !signatures_agree(t, from->signature, group->signature))
			continue;
		group->class = from;
		from->taken = group;
	}
}

int groups_number(struct transition *t)
{
	int r = groups_take_own(t);

	if (r == 0)
		r = flows_collect(t);
	if (r == 0)
		classes_keep(t);
	for (size_t i = 1; r == 0 && i < t->n_groups; i++) {
		struct group *group = &t->groups[i];

		if (group->class)
			continue;
		group->class = class_new(++t->state->last_class);
		if (!group->class)
			return -ENOMEM;
		group->is_new = true;
		class_scratch(t, group->class)->taken = group;
	}
	return r;
}

/* --- rows */

static int row_make(struct transition *t, struct subject *subject, const struct signature *signature,
		    struct row *ret, struct err *err)
{
	return subject_row(subject, signature, &t->compile->lists, ret, err);
}

static int no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "verdict rows");
}

/* A new class has rows for all who ask something that it answers; the others have
 * their row for BH_PEER_ANY there. And it has its past. */
static int class_fill(struct transition *t, const struct group *group, struct err *err)
{
	const struct signature *signature = group->signature;
	struct class *class = group->class;
	size_t n_past;
	const struct class_row *past = group_past(t, group, &n_past);
	uint64_t stamp = ++t->compile->subjects.stamp;

	for (size_t i = 0; i < signature_n(signature); i++) {
		const struct matcher *matcher =
			t->compile->matchers.by_id[ANSWER_MATCHER(signature_answers(signature)[i])];

		for (uint32_t a = 0; a < matcher->n_askers; a++) {
			struct subject *subject = matcher->askers[a];
			struct row row;
			int r;

			if (subject->stamp == stamp)
				continue;
			subject->stamp = stamp;
			r = row_make(t, subject, signature, &row, err);
			if (r < 0)
				return r;
			if (row_equal(&row, &subject->any))
				continue;
			if (!class_reserve(class, 1))
				return no_memory(err);
			class_row_add(class, subject->number, &row);
		}
	}
	if (!class_reserve(class, n_past))
		return no_memory(err);
	for (size_t i = 0; i < n_past; i++)
		class_row_add(class, past[i].subject, &past[i].row);
	return 0;
}

static int row_add(struct transition *t, struct class *class, const struct subject *subject,
		   const struct row *row, struct err *err)
{
	if (!array_reserve(&t->adds, &t->cap_adds, t->n_adds, sizeof(*t->adds)) ||
	    !class_reserve(class, ++class_scratch(t, class)->n_adds))
		return no_memory(err);
	t->adds[t->n_adds++] = (struct row_add){ class, subject->number, *row };
	return 0;
}

/* Rows of fresh subjects in a class that is there. `asked` says which matchers any of
 * them names. */
static int class_extend(struct transition *t, struct class *class, const struct signature *signature,
			const bool *asked, struct err *err)
{
	uint64_t stamp = ++t->compile->subjects.stamp;

	for (size_t i = 0; i < signature_n(signature); i++) {
		uint32_t id = ANSWER_MATCHER(signature_answers(signature)[i]);
		const struct matcher *matcher = t->compile->matchers.by_id[id];

		for (uint32_t a = 0; asked[id] && a < matcher->n_askers; a++) {
			struct subject *subject = matcher->askers[a];
			struct row row;
			int r;

			if (subject->live || subject->stamp == stamp)
				continue;
			subject->stamp = stamp;
			r = row_make(t, subject, signature, &row, err);
			if (r == 0 && !row_equal(&row, &subject->any))
				r = row_add(t, class, subject, &row, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Every class that goes on, whoever goes there. */
static int fresh_fill(struct transition *t, struct err *err)
{
	bool *asked = calloc(t->compile->matchers.n_ids + 1, sizeof(*asked));
	int r = asked ? 0 : no_memory(err);

	for (size_t i = 0; r == 0 && i < t->n_fresh; i++) {
		for (size_t m = 0; m < t->fresh[i]->n_matchers; m++)
			asked[t->fresh[i]->matchers[m]->id] = true;
		r = row_add(t, &t->state->any, t->fresh[i], &t->fresh[i]->any, err);
	}
	for (size_t i = 0; r == 0 && i < t->state->n_classes; i++) {
		struct class *class = class_scratch(t, t->state->classes[i]);
		const struct signature *signature = class->taken ? class->taken->signature : class->signature;

		if (signature && (class->taken || class_stays(t, class)))
			r = class_extend(t, class, signature, asked, err);
	}
	free(asked);
	return r;
}

/* --- who sees a change */

static void live_compare(struct transition *t, uint32_t number, const struct row *before,
			 const struct row *after)
{
	struct subject *subject = state_live(t->state, number);

	if (subject && !row_equal(before ? before : &subject->any, after ? after : &subject->any))
		subject->changed = true;
}

/* R19: an address that goes from one class to another may concern live flows of every
 * live subject to which the two are not the same. */
static void flow_judge(struct transition *t, const struct flow *flow)
{
	const struct class *any = &t->state->any, *to = t->groups[flow->group].class;
	const struct class *before = flow->from == any ? NULL : flow->from, *after = to == any ? NULL : to;

	if (flow->from == to)
		return;
	for (size_t i = 0; before && i < before->n_rows; i++)
		live_compare(t, before->rows[i].subject, &before->rows[i].row,
			     class_row_find(after, before->rows[i].subject));
	for (size_t i = 0; after && i < after->n_rows; i++)
		live_compare(t, after->rows[i].subject, class_row_find(before, after->rows[i].subject),
			     &after->rows[i].row);
}

int groups_fill(struct transition *t, struct err *err)
{
	int r = 0;

	for (size_t i = 1; r == 0 && i < t->n_groups; i++)
		if (t->groups[i].is_new)
			r = class_fill(t, &t->groups[i], err);
	if (r == 0 && t->n_fresh)
		r = fresh_fill(t, err);
	for (size_t i = 0; r == 0 && i < t->flows.n; i++)
		flow_judge(t, (const struct flow *)t->flows.v[i]);
	return r;
}
