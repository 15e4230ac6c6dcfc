// SPDX-License-Identifier: Apache-2.0
#include "policy/subject.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rulewords.h"

/* Which kinds of peers of a rule a signature satisfies. A named egress port never
 * matches an ipBlock (R14), so the two are kept apart. */
enum met { MET_SELECTOR = 1 << 0, MET_BLOCK = 1 << 1 };

static void subject_done(struct pool_entry *entry)
{
	struct subject *subject = (struct subject *)entry;

	free(subject->rules);
	free(subject->uses);
	free(subject->matchers);
}

void subjects_init(struct subjects *subjects, struct matchers *matchers, struct port_lists *lists)
{
	*subjects = (struct subjects){ .matchers = matchers, .lists = lists };
	pool_init(&subjects->pool, sizeof(struct subject), subject_done);
}

void subjects_done(struct subjects *subjects)
{
	pool_done(&subjects->pool);
}

static void subject_free(struct subjects *subjects, struct subject *subject)
{
	for (size_t i = 0; i < subject->n_matchers; i++) {
		subject->matchers[i]->n_namers--;
		matcher_touch(subjects->matchers, subject->matchers[i]);
	}
	port_list_drop(subjects->lists, subject->any.list);
	pool_remove(&subjects->pool, &subject->entry);
}

void subject_settle(struct subjects *subjects, struct subject *subject)
{
	if (subject && !subject->wanted && !subject->held)
		subject_free(subjects, subject);
}

int subject_want(struct subjects *subjects, struct subject *subject)
{
	for (size_t i = 0; !subject->wanted && i < subject->n_matchers; i++) {
		if (matcher_add_asker(subjects->matchers, subject->matchers[i], subject) == 0)
			continue;
		while (i--)
			matcher_remove_asker(subjects->matchers, subject->matchers[i], subject);
		return -ENOMEM;
	}
	subject->wanted++;
	return 0;
}

void subject_unwant(struct subjects *subjects, struct subject *subject)
{
	if (!subject)
		return;
	subject->wanted--;
	for (size_t i = 0; !subject->wanted && i < subject->n_matchers; i++)
		matcher_remove_asker(subjects->matchers, subject->matchers[i], subject);
	subject_settle(subjects, subject);
}

static int use_compare(const void *a, const void *b)
{
	const struct subject_use *x = a, *y = b;

	if (x->matcher != y->matcher)
		return x->matcher < y->matcher ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

static int subject_name_matchers(struct subject *subject, const struct matchers *matchers)
{
	subject->matchers = calloc(subject->n_uses + 1, sizeof(struct matcher *));
	if (!subject->matchers)
		return -ENOMEM;
	for (size_t i = 0; i < subject->n_uses; i++) {
		if (i && subject->uses[i].matcher == subject->uses[i - 1].matcher)
			continue;
		subject->matchers[subject->n_matchers++] = matchers->by_id[subject->uses[i].matcher];
	}
	for (size_t i = 0; i < subject->n_matchers; i++)
		subject->matchers[i]->n_namers++;
	return 0;
}

/* Reads the key back into rules and uses. */
static int subject_index(struct subject *subject, const struct matchers *matchers)
{
	const uint32_t *words = subject->entry.key;
	size_t n_words = subject->entry.len / sizeof(*words), n_rules = 0, at;

	for (at = RULES_START; at < n_words; at += rule_words(words + at))
		n_rules++;
	subject->otherwise = (enum bh_action)words[0];
	subject->rules = calloc(n_rules ? n_rules : 1, sizeof(*subject->rules));
	subject->uses = calloc(n_words, sizeof(*subject->uses));
	if (!subject->rules || !subject->uses)
		return -ENOMEM;
	for (at = RULES_START; at < n_words; at += rule_words(words + at)) {
		struct subject_rule *rule = &subject->rules[subject->n_rules];
		const uint32_t *word = words + at + RULE_BODY;

		rule->anyone = words[at + RULE_FLAGS] & RULE_ANYONE;
		rule->all_ports = words[at + RULE_FLAGS] & RULE_ALL_PORTS;
		for (int list = 0; list < RULE_LISTS; list++) {
			static const enum matcher_kind kinds[] = { MATCHER_PODS, MATCHER_BLOCK,
								   MATCHER_NAMED };

			for (uint32_t i = 0; i < words[at + RULE_COUNT + list]; i++)
				subject->uses[subject->n_uses++] =
					(struct subject_use){ *word++, (uint32_t)subject->n_rules,
							      kinds[list] };
		}
		rule->ranges = word;
		rule->n_ranges = words[at + RULE_RANGES];
		subject->n_rules++;
	}
	qsort(subject->uses, subject->n_uses, sizeof(*subject->uses), use_compare);
	return subject_name_matchers(subject, matchers);
}

/* A new subject: what its matchers and its list count is taken here. */
static int subject_make(const struct subject_source *source, struct subject *subject, struct err *err)
{
	struct subjects *subjects = source->subjects;
	int r = subject_index(subject, subjects->matchers) < 0
			? err_set(err, ENOMEM, "subject")
			: subject_row(subject, NULL, subjects->lists, &subject->any, err);

	if (r == 0)
		port_list_use(subject->any.list);
	else
		subject->any.list = NULL;
	return r;
}

int subject_get(const struct subject_source *source, const struct isolation *isolation, const struct pod *pod,
		enum bh_direction direction, struct subject **ret_subject, struct err *err)
{
	auto_text struct text key = { 0 };
	struct subject *subject;
	bool is_new;
	int r;

	r = rulewords_build(source, isolation, pod, direction, &key);
	if (r < 0)
		return err_set(err, -r, "compiling the policies of pod %s/%s", pod->namespace, pod->name);
	subject = (struct subject *)pool_get(&source->subjects->pool, key.data, key.len, &is_new);
	if (!subject)
		return err_set(err, ENOMEM, "subject of pod %s/%s", pod->namespace, pod->name);
	if (is_new) {
		r = subject_make(source, subject, err);
		if (r < 0) {
			subject_free(source->subjects, subject);
			return err_wrap(err, r, "pod %s/%s", pod->namespace, pod->name);
		}
	}
	*ret_subject = subject;
	return 0;
}

/* First use of a matcher, or n_uses. */
static size_t use_find(const struct subject *subject, uint32_t matcher)
{
	size_t low = 0, high = subject->n_uses;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (subject->uses[middle].matcher < matcher)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void rule_open(const struct subject_rule *rule, struct ranges *ranges, bool *all)
{
	if (rule->all_ports)
		*all = true;
	for (uint32_t i = 0; i < rule->n_ranges && !*all; i++) {
		const uint32_t *word = rule->ranges + (size_t)i * RANGE_WORDS;

		ranges_add(ranges, (uint8_t)word[0], RANGE_FIRST(word[1]), RANGE_LAST(word[1]));
	}
}

/* Marks the rules whose peers the signature satisfies and opens their ports. */
static void peers_meet(struct subject *subject, const answer_t *signature, size_t n, struct ranges *ranges,
		       bool *all)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t matcher = ANSWER_MATCHER(signature[i]);

		for (size_t u = use_find(subject, matcher);
		     u < subject->n_uses && subject->uses[u].matcher == matcher; u++) {
			struct subject_rule *rule = &subject->rules[subject->uses[u].rule];

			if (subject->uses[u].kind == MATCHER_NAMED)
				continue;
			if (!rule->met)
				rule_open(rule, ranges, all);
			rule->met |= subject->uses[u].kind == MATCHER_PODS ? MET_SELECTOR : MET_BLOCK;
		}
	}
}

/* Opens what the named ports of met rules mean at this peer (R14). */
static void names_meet(const struct subject *subject, const answer_t *signature, size_t n,
		       struct ranges *ranges)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t matcher = ANSWER_MATCHER(signature[i]);
		uint16_t port = ANSWER_PORT(signature[i]);

		for (size_t u = use_find(subject, matcher);
		     u < subject->n_uses && subject->uses[u].matcher == matcher; u++) {
			const struct subject_rule *rule = &subject->rules[subject->uses[u].rule];

			if (subject->uses[u].kind == MATCHER_NAMED &&
			    (rule->anyone || rule->met & MET_SELECTOR))
				ranges_add(ranges, ANSWER_PROTO(signature[i]), port, port);
		}
	}
}

/* Takes back the marks of peers_meet(), and only those: a subject may have many
 * rules that this signature never touched. */
static void peers_forget(struct subject *subject, const answer_t *signature, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t matcher = ANSWER_MATCHER(signature[i]);

		for (size_t u = use_find(subject, matcher);
		     u < subject->n_uses && subject->uses[u].matcher == matcher; u++)
			subject->rules[subject->uses[u].rule].met = 0;
	}
}

int subject_row(struct subject *subject, const struct signature *of, struct port_lists *lists,
		struct row *ret_row, struct err *err)
{
	const answer_t *signature = of ? signature_answers(of) : NULL;
	size_t n = of ? signature_n(of) : 0;
	struct ranges ranges = { 0 };
	bool all = false;
	int r = 0;

	for (size_t i = 0; i < subject->n_rules; i++) {
		if (subject->rules[i].anyone)
			rule_open(&subject->rules[i], &ranges, &all);
	}
	peers_meet(subject, signature, n, &ranges, &all);
	names_meet(subject, signature, n, &ranges);
	peers_forget(subject, signature, n);
	*ret_row = (struct row){ .rest = all ? BH_ALLOW : subject->otherwise };
	if (ranges.failed)
		r = err_set(err, ENOMEM, "port ranges of a row");
	ranges_canonical(&ranges);
	if (r == 0 && !all)
		r = port_lists_get(lists, ranges.v, ranges.n, &ret_row->list, err);
	ranges_done(&ranges);
	return r;
}
