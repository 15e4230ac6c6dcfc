// SPDX-License-Identifier: Apache-2.0
#include "policy/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAST_EMPTY 0

/* How many addresses and regions go from a class to a group. */
struct flow {
	struct pool_entry entry;
	uint32_t from;
	uint32_t group;
	uint32_t n;
};

/* Which subjects ask a matcher. */
struct asker {
	uint32_t matcher;
	uint32_t subject; /* index in transition.wanted */
};

struct askers {
	struct asker *v;
	size_t n;
};

const struct class_row *group_past(const struct transition *t, const struct group *group, size_t *ret_n)
{
	const struct pool_entry *entry = t->pasts.v[group->past];

	*ret_n = entry->len / sizeof(struct class_row);
	return entry->key;
}

/* Fields one by one into zeroed memory: the bytes are compared, padding too. */
static size_t past_copy(const struct transition *t, const struct class *class, struct class_row *out)
{
	size_t n = 0;

	for (size_t i = 0; i < class->n_rows; i++) {
		if (!transition_retires(t, class->rows[i].subject))
			continue;
		out[n].subject = class->rows[i].subject;
		out[n].row.list = class->rows[i].row.list;
		out[n].row.rest = class->rows[i].row.rest;
		n++;
	}
	return n;
}

/* A class without rows of its own has the empty past, and so has BH_PEER_ANY,
 * whose rows are what all others fall back to. */
static int pasts_collect(struct transition *t)
{
	const struct state *old = t->old;

	t->class_past = calloc(old->n_classes, sizeof(*t->class_past));
	if (!t->class_past || !pool_get(&t->pasts, NULL, 0, NULL))
		return -ENOMEM;
	for (size_t i = 1; i < old->n_classes; i++) {
		struct class_row *rows = calloc(old->classes[i].n_rows + 1, sizeof(*rows));
		const struct pool_entry *entry = NULL;

		if (rows)
			entry = pool_get(&t->pasts, rows,
					 past_copy(t, &old->classes[i], rows) * sizeof(*rows), NULL);
		free(rows);
		if (!entry)
			return -ENOMEM;
		t->class_past[i] = entry->id - 1;
	}
	return 0;
}

static uint32_t past_of(const struct transition *t, uint32_t class)
{
	const struct class *found = state_class(t->old, class);

	return found ? t->class_past[found - t->old->classes] : PAST_EMPTY;
}

static int group_get(struct transition *t, uint32_t past, uint32_t signature, uint32_t *ret_group)
{
	const uint32_t key[] = { past, signature };
	bool is_new;
	const struct pool_entry *entry = pool_get(&t->group_keys, key, sizeof(key), &is_new);

	if (!entry)
		return -ENOMEM;
	if (is_new) {
		if (!array_reserve(&t->groups, &t->cap_groups, t->n_groups, sizeof(*t->groups)))
			return -ENOMEM;
		t->groups[t->n_groups++] = (struct group){ .past = past, .signature = signature };
	}
	*ret_group = entry->id - 1;
	return 0;
}

int group_of(struct transition *t, uint32_t class, uint32_t signature, uint32_t *ret_group)
{
	return group_get(t, past_of(t, class), signature, ret_group);
}

int groups_init(struct transition *t)
{
	uint32_t any;

	return pasts_collect(t) < 0 ? -ENOMEM : group_get(t, PAST_EMPTY, SIGNATURE_EMPTY, &any);
}

static int flow_count(struct pool *flows, const struct move *move)
{
	const uint32_t key[] = { move->from, move->group };
	struct flow *flow = (struct flow *)pool_get(flows, key, sizeof(key), NULL);

	if (!flow)
		return -ENOMEM;
	flow->from = move->from;
	flow->group = move->group;
	flow->n++;
	return 0;
}

static int flows_collect(const struct transition *t, struct pool *flows)
{
	for (size_t i = 0; i < t->regions.n; i++) {
		if (flow_count(flows, &t->region_moves[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < t->n_addrs; i++) {
		if (flow_count(flows, &t->addrs[i].move) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* By class; for each class the group first that most of it goes to. */
static int flow_order(const void *a, const void *b)
{
	const struct flow *x = *(const struct flow *const *)a, *y = *(const struct flow *const *)b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->group > y->group) - (x->group < y->group);
}

static int askers_collect(const struct transition *t, bool only_staying, struct askers *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_wanted; i++)
		n += t->wanted[i]->n_uses;
	*ret = (struct askers){ .v = calloc(n + 1, sizeof(*ret->v)) };
	if (!ret->v)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_wanted; i++) {
		const struct subject *subject = t->wanted[i];

		for (size_t u = 0; u < subject->n_uses && (subject->installed || !only_staying); u++)
			ret->v[ret->n++] = (struct asker){ subject->uses[u].matcher, i };
	}
	return 0;
}

static int asker_order(const void *a, const void *b)
{
	const struct asker *x = a, *y = b;

	if (x->matcher != y->matcher)
		return x->matcher < y->matcher ? -1 : 1;
	return (x->subject > y->subject) - (x->subject < y->subject);
}

static void askers_sort(struct askers *askers)
{
	if (askers->n)
		qsort(askers->v, askers->n, sizeof(*askers->v), asker_order);
}

/* Index of the first asker of a matcher, if any. */
static size_t askers_find(const struct askers *askers, uint32_t matcher)
{
	size_t low = 0, high = askers->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (askers->v[middle].matcher < matcher)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool answer_is_asked(const struct askers *askers, answer_t answer)
{
	size_t at = askers_find(askers, ANSWER_MATCHER(answer));

	return at < askers->n && askers->v[at].matcher == ANSWER_MATCHER(answer);
}

/* Are two signatures the same to these askers? */
static bool signatures_agree(const struct askers *askers, const answer_t *a, size_t n_a, const answer_t *b,
			     size_t n_b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < n_a && !answer_is_asked(askers, a[i]))
			i++;
		while (k < n_b && !answer_is_asked(askers, b[k]))
			k++;
		if (i == n_a || k == n_b)
			return i == n_a && k == n_b;
		if (a[i++] != b[k++])
			return false;
	}
}

/* May a group keep the number of a class? Its rows for retiring subjects must be
 * the class's, and so must those for staying ones. */
static bool class_serves(const struct transition *t, const struct askers *staying, uint32_t class,
			 const struct group *group)
{
	const struct pool_entry *signature = t->compiled->signatures.v[group->signature - 1];
	const struct class *found = state_class(t->old, class);

	if (past_of(t, class) != group->past)
		return false;
	return signatures_agree(staying, found ? found->signature : NULL, found ? found->n_signature : 0,
				signature->key, signature->len / sizeof(answer_t));
}

static void classes_keep(struct transition *t, struct flow *const *flows, size_t n,
			 const struct askers *staying)
{
	uint32_t kept = BH_PEER_ANY;

	for (size_t i = 0; i < n; i++) {
		struct group *group = &t->groups[flows[i]->group];

		if (flows[i]->from == kept || flows[i]->group == GROUP_ANY || group->class != BH_PEER_ANY ||
		    !class_serves(t, staying, flows[i]->from, group))
			continue;
		group->class = kept = flows[i]->from;
	}
}

/* Of the groups with one signature, the one that stays: an old number before a
 * new one, so that least is written. */
static int groups_finish(struct transition *t)
{
	size_t n = t->compiled->signatures.n;
	uint32_t *best = calloc(n + 1, sizeof(*best));

	if (!best)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_groups; i++) {
		uint32_t *at = &best[t->groups[i].signature];
		const struct group *group = &t->groups[i], *other = *at ? &t->groups[*at - 1] : NULL;

		if (!other || (other->is_new && !group->is_new && *at - 1 != GROUP_ANY))
			*at = i + 1;
	}
	for (size_t i = 0; i < t->n_groups; i++)
		t->groups[i].final = t->groups[best[t->groups[i].signature] - 1].class;
	free(best);
	return 0;
}

int groups_number(struct transition *t, uint32_t *last_class)
{
	struct askers staying = { 0 };
	struct pool flows;
	int r;

	pool_init(&flows, sizeof(struct flow), NULL);
	r = askers_collect(t, true, &staying);
	askers_sort(&staying);
	if (r == 0)
		r = flows_collect(t, &flows);
	if (r == 0) {
		qsort(flows.v, flows.n, sizeof(struct pool_entry *), flow_order);
		classes_keep(t, (struct flow *const *)flows.v, flows.n, &staying);
	}
	for (size_t i = 1; r == 0 && i < t->n_groups; i++) {
		if (t->groups[i].class != BH_PEER_ANY)
			continue;
		t->groups[i].class = ++*last_class;
		t->groups[i].is_new = true;
	}
	free(staying.v);
	pool_done(&flows);
	return r < 0 ? r : groups_finish(t);
}

/* Rows of the subjects that ask something the group answers; all others have
 * their row for BH_PEER_ANY there. */
static int group_fill(struct transition *t, struct group *group, const struct askers *askers,
		      uint32_t *stamps, struct port_lists *lists, struct err *err)
{
	const struct pool_entry *signature = t->compiled->signatures.v[group->signature - 1];
	const answer_t *answers = signature->key;
	size_t n = signature->len / sizeof(*answers);
	uint32_t stamp = (uint32_t)(group - t->groups) + 1;

	for (size_t i = 0; i < n; i++) {
		uint32_t matcher = ANSWER_MATCHER(answers[i]);

		for (size_t a = askers_find(askers, matcher);
		     a < askers->n && askers->v[a].matcher == matcher; a++) {
			struct subject *subject = t->wanted[askers->v[a].subject];
			struct row row;
			int r;

			if (stamps[askers->v[a].subject] == stamp)
				continue;
			stamps[askers->v[a].subject] = stamp;
			r = subject_row(subject, answers, n, lists, &row, err);
			if (r < 0)
				return r;
			if (!row_equal(&row, &subject->any) &&
			    class_row_add(&group->rows, subject->entry.id, &row) < 0)
				return err_set(err, ENOMEM, "verdict rows");
		}
	}
	class_rows_sort(&group->rows);
	return 0;
}

static int group_any_fill(struct transition *t, struct err *err)
{
	for (size_t i = 0; i < t->n_wanted; i++) {
		if (class_row_add(&t->groups[GROUP_ANY].rows, t->wanted[i]->entry.id, &t->wanted[i]->any) < 0)
			return err_set(err, ENOMEM, "verdict rows");
	}
	return 0;
}

static void staying_compare(struct transition *t, uint32_t id, const struct row *before,
			    const struct row *after)
{
	struct subject *subject = transition_wanted(t, id);

	if (!subject || !subject->installed)
		return;
	if (!row_equal(before ? before : &subject->any, after ? after : &subject->any))
		subject->changed = true;
}

/* R19: an address that goes from one class to another may concern live flows of
 * every staying subject to which the two are not the same. */
static void move_compare(struct transition *t, const struct move *move)
{
	const struct class *before = move->from == BH_PEER_ANY ? NULL : state_class(t->old, move->from);
	const struct class *after = move->group == GROUP_ANY ? NULL : &t->groups[move->group].rows;

	if (move->from == t->groups[move->group].class)
		return;
	for (size_t i = 0; before && i < before->n_rows; i++)
		staying_compare(t, before->rows[i].subject, &before->rows[i].row,
				class_row_find(after, before->rows[i].subject));
	for (size_t i = 0; after && i < after->n_rows; i++)
		staying_compare(t, after->rows[i].subject, class_row_find(before, after->rows[i].subject),
				&after->rows[i].row);
}

static int moves_compare(struct transition *t)
{
	struct pool flows;
	int r;

	pool_init(&flows, sizeof(struct flow), NULL);
	r = flows_collect(t, &flows);
	for (size_t i = 0; r == 0 && i < flows.n; i++) {
		const struct flow *flow = (const struct flow *)flows.v[i];

		move_compare(t, &(struct move){ .from = flow->from, .group = flow->group });
	}
	pool_done(&flows);
	return r;
}

int groups_fill(struct transition *t, struct port_lists *lists, struct err *err)
{
	struct askers askers = { 0 };
	uint32_t *stamps = calloc(t->n_wanted + 1, sizeof(*stamps));
	int r = stamps && askers_collect(t, false, &askers) == 0 ? 0 : err_set(err, ENOMEM, "verdict rows");

	askers_sort(&askers);
	if (r == 0)
		r = group_any_fill(t, err);
	for (size_t i = 1; r == 0 && i < t->n_groups; i++)
		r = group_fill(t, &t->groups[i], &askers, stamps, lists, err);
	if (r == 0 && moves_compare(t) < 0)
		r = err_set(err, ENOMEM, "verdict rows");
	free(stamps);
	free(askers.v);
	return r;
}
