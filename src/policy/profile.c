// SPDX-License-Identifier: Apache-2.0
#include "policy/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/selector.h"
#include "policy/shared.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

/* What pods of a profile have in common is shared, and equal by pointer. */
struct profile_key {
	const char *namespace;
	struct label *labels;
	struct named_port *ports;
};

static const struct profile_key *profile_shared(const struct profile *profile)
{
	return profile->entry.key;
}

static struct profile_key key_of(const struct pod *pod)
{
	return (struct profile_key){ pod->namespace, pod->labels.n ? pod->labels.v : NULL,
				     pod->n_ports ? pod->ports : NULL };
}

static struct labels profile_labels(const struct profile *profile)
{
	return (struct labels){ profile_shared(profile)->labels, profile->n_labels, true };
}

static void profile_hold_shared(struct profile *profile, const struct pod *pod)
{
	const struct profile_key *shared = profile_shared(profile);

	profile->n_labels = pod->labels.n;
	profile->n_ports = pod->n_ports;
	shared_hold(shared->namespace);
	shared_hold(shared->labels);
	shared_hold(shared->ports);
}

static void profile_drop_shared(struct profile *profile)
{
	const struct profile_key *shared = profile_shared(profile);
	struct labels labels = profile_labels(profile);

	shared_drop(shared->namespace);
	labels_done(&labels);
	shared_ports_drop(shared->ports, profile->n_ports);
}

static void scope_done(struct pool_entry *entry)
{
	struct scope *scope = (struct scope *)entry;

	free(scope->netpols);
	free(scope->matchers);
	free(scope->labels);
}

void profiles_init(struct profiles *profiles, struct matchers *matchers, struct signatures *signatures,
		   struct addrset *addrs)
{
	*profiles = (struct profiles){ .matchers = matchers, .signatures = signatures, .addrs = addrs };
	pool_init(&profiles->scopes, sizeof(struct scope), scope_done);
	pool_init(&profiles->labels, sizeof(struct label_scopes), NULL);
	pool_init(&profiles->profiles, sizeof(struct profile), NULL);
}

void profiles_done(struct profiles *profiles)
{
	for (size_t i = 0; i < profiles->profiles.n; i++) {
		struct profile *profile = (struct profile *)profiles->profiles.v[i];

		profile_drop_shared(profile);
		signature_drop(profiles->signatures, profile->answers);
	}
	pool_done(&profiles->profiles);
	pool_done(&profiles->scopes);
	pool_done(&profiles->labels);
	free(profiles->everywhere);
}

/* --- scopes */

struct scope *scope_find(const struct profiles *profiles, const char *name)
{
	return (struct scope *)pool_find(&profiles->scopes, name, strlen(name) + 1);
}

struct scope *scope_get(struct profiles *profiles, const char *name)
{
	return (struct scope *)pool_get(&profiles->scopes, name, strlen(name) + 1, NULL);
}

void scope_settle(struct profiles *profiles, struct scope *scope)
{
	if (scope && !scope->object && !scope->n_netpols && !scope->profiles && !scope->n_matchers &&
	    !scope->n_locals)
		pool_remove(&profiles->scopes, &scope->entry);
}

/* --- scopes by their labels */

/* Null: nobody has it. 0 or -ENOMEM. */
static int label_find(struct profiles *profiles, const char *key, const char *value, bool make,
		      struct label_scopes **ret)
{
	auto_text struct text text = { 0 };

	text_add(&text, key, strlen(key) + 1);
	text_add(&text, value, strlen(value) + 1);
	if (text.failed)
		return -ENOMEM;
	*ret = (struct label_scopes *)(make ? pool_get(&profiles->labels, text.data, text.len, NULL)
					    : pool_find(&profiles->labels, text.data, text.len));
	return make && !*ret ? -ENOMEM : 0;
}

static void scope_unindex(struct profiles *profiles, struct scope *scope)
{
	for (size_t i = 0; i < scope->n_labels; i++) {
		struct scope_label *label = &scope->labels[i];

		if (label->prev)
			label->prev->next = label->next;
		else
			label->of->first = label->next;
		if (label->next)
			label->next->prev = label->prev;
		if (!label->of->first)
			pool_remove(&profiles->labels, &label->of->entry);
	}
	free(scope->labels);
	scope->labels = NULL;
	scope->n_labels = 0;
}

/* Its name is left out: nearly every scope would have an entry of its own for it. */
static int scope_index(struct profiles *profiles, struct scope *scope)
{
	const struct labels *labels = &scope->object->labels;

	scope->labels = calloc(labels->n, sizeof(*scope->labels));
	if (labels->n && !scope->labels)
		return -ENOMEM;
	for (size_t i = 0; i < labels->n; i++) {
		struct scope_label *label = &scope->labels[scope->n_labels];

		if (strcmp(labels->v[i].key, NAME_LABEL) == 0)
			continue;
		if (label_find(profiles, labels->v[i].key, labels->v[i].value, true, &label->of) < 0)
			return -ENOMEM;
		label->scope = scope;
		label->next = label->of->first;
		if (label->next)
			label->next->prev = label;
		label->of->first = label;
		scope->n_labels++;
	}
	return 0;
}

/* R9: a namespace without an object has only its name as a label. */
static struct labels scope_labels(const struct scope *scope, struct label *by_name)
{
	static char key[] = NAME_LABEL;

	*by_name = (struct label){ .key = key, .value = (char *)(uintptr_t)scope_name(scope) };
	return scope->object ? scope->object->labels : (struct labels){ .v = by_name, .n = 1 };
}

/* --- answers */

/* R14: the first container port of that name and protocol. */
static bool named_port_answer(const struct matcher *matcher, const struct profile *profile, answer_t *ret)
{
	for (size_t i = 0; i < profile->n_ports; i++) {
		const struct named_port *port = &profile_shared(profile)->ports[i];

		if (port->proto == matcher->proto && strcmp(port->name, matcher->port_name) == 0) {
			*ret = ANSWER(matcher->id, port->proto, port->number);
			return true;
		}
	}
	return false;
}

static bool matcher_asks_pods_of(const struct matcher *matcher, const struct scope *scope)
{
	struct label by_name;
	const struct labels labels = scope_labels(scope, &by_name);

	if (matcher->kind == MATCHER_NAMED)
		return true;
	return matcher->namespace ? strcmp(matcher->namespace, scope_name(scope)) == 0
				  : selector_matches(&matcher->peer.namespaces, &labels);
}

/* Of a matcher that asks the pods of this profile's scope. */
static bool profile_answer(const struct profile *profile, const struct matcher *matcher, answer_t *ret)
{
	const struct labels labels = profile_labels(profile);

	if (matcher->kind == MATCHER_NAMED)
		return named_port_answer(matcher, profile, ret);
	*ret = ANSWER(matcher->id, 0, 0);
	return !matcher->peer.pods.has || selector_matches(&matcher->peer.pods, &labels);
}

static void profile_change(struct profiles *profiles, struct profile *profile, struct signature *answers)
{
	if (answers != profile->answers)
		for (struct hold *hold = profile->holds; hold; hold = hold->profile_next)
			address_dirty(profiles->addrs, hold_address(hold));
	signature_drop(profiles->signatures, profile->answers);
	profile->answers = answers;
}

/* Asks every active matcher. */
static int profile_ask(struct profiles *profiles, struct profile *profile)
{
	const struct scope *scope = profile->scope;
	answer_t *answers = calloc(scope->n_matchers + profiles->n_everywhere + 1, sizeof(*answers));
	struct signature *signature;
	size_t n = 0;

	if (!answers)
		return -ENOMEM;
	for (size_t i = 0; i < scope->n_matchers; i++)
		n += profile_answer(profile, scope->matchers[i], &answers[n]);
	for (size_t i = 0; i < profiles->n_everywhere; i++)
		n += matcher_asks_pods_of(profiles->everywhere[i], scope) &&
		     profile_answer(profile, profiles->everywhere[i], &answers[n]);
	if (n)
		qsort(answers, n, sizeof(*answers), answer_compare);
	signature = signature_get(profiles->signatures, answers, n);
	free(answers);
	if (!signature)
		return -ENOMEM;
	profile_change(profiles, profile, signature);
	return 0;
}

int scope_relabel(struct profiles *profiles, struct scope *scope)
{
	scope_unindex(profiles, scope);
	if (scope->object && scope_index(profiles, scope) < 0)
		return -ENOMEM;
	for (struct profile *profile = scope->profiles; profile; profile = profile->next)
		if (profile_ask(profiles, profile) < 0)
			return -ENOMEM;
	return 0;
}

/* --- profiles */

static void profile_free(struct profiles *profiles, struct profile *profile)
{
	struct scope *scope = profile->scope;

	if (profile->prev)
		profile->prev->next = profile->next;
	else if (scope)
		scope->profiles = profile->next;
	if (profile->next)
		profile->next->prev = profile->prev;
	profile_drop_shared(profile);
	signature_drop(profiles->signatures, profile->answers);
	pool_remove(&profiles->profiles, &profile->entry);
	scope_settle(profiles, scope);
}

void profile_settle(struct profiles *profiles, struct profile *profile)
{
	if (profile && !profile->holds)
		profile_free(profiles, profile);
}

static int profile_make(struct profiles *profiles, struct profile *profile, const struct pod *pod)
{
	struct scope *scope = scope_get(profiles, pod->namespace);

	if (!scope)
		return -ENOMEM;
	profile->scope = scope;
	profile->next = scope->profiles;
	if (scope->profiles)
		scope->profiles->prev = profile;
	scope->profiles = profile;
	return profile_ask(profiles, profile);
}

static struct profile *profile_get(struct profiles *profiles, const struct pod *pod)
{
	struct profile_key key = key_of(pod);
	struct profile *profile;
	bool is_new;

	profile = (struct profile *)pool_get(&profiles->profiles, &key, sizeof(key), &is_new);
	if (!profile || !is_new)
		return profile;
	profile_hold_shared(profile, pod);
	if (profile_make(profiles, profile, pod) == 0)
		return profile;
	profile_free(profiles, profile);
	return NULL;
}

struct profile *profile_of(struct profiles *profiles, const struct pod *pod)
{
	struct profile *profile;
	struct pod *compact;

	if (pod->compact)
		return profile_get(profiles, pod);
	compact = pod_compact(pod);
	profile = compact ? profile_get(profiles, compact) : NULL;
	pod_free(compact);
	return profile;
}

/* --- matchers that come and go */

struct answer_change {
	struct profile *profile;
	answer_t answer;
	bool is_gone;
};

struct answer_changes {
	struct answer_change *v;
	size_t n, cap;
};

static int scope_tell(struct scope *scope, const struct matcher *matcher, struct answer_changes *changes)
{
	if (!scope->profiles || !matcher_asks_pods_of(matcher, scope))
		return 0;
	for (struct profile *profile = scope->profiles; profile; profile = profile->next) {
		struct answer_change change = { .profile = profile, .is_gone = !matcher->active };

		if (!profile_answer(profile, matcher, &change.answer))
			continue;
		if (!array_reserve(&changes->v, &changes->cap, changes->n, sizeof(*changes->v)))
			return -ENOMEM;
		changes->v[changes->n++] = change;
	}
	return 0;
}

static bool value_is_first(const struct requirement *requirement, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(requirement->values[i], requirement->values[at]) == 0)
			return false;
	return true;
}

/* A requirement that only scopes of the index meet, or null. */
static const struct requirement *requirement_of_index(const struct matcher *matcher)
{
	const struct selector *selector = &matcher->peer.namespaces;

	for (size_t i = 0; matcher->kind == MATCHER_PODS && i < selector->n; i++)
		if (selector->v[i].op == SELECTOR_IN && strcmp(selector->v[i].key, NAME_LABEL) != 0)
			return &selector->v[i];
	return NULL;
}

static int index_tell(struct profiles *profiles, const struct matcher *matcher,
		      const struct requirement *requirement, struct answer_changes *changes)
{
	for (size_t i = 0; i < requirement->n_values; i++) {
		struct label_scopes *of = NULL;

		if (value_is_first(requirement, i) &&
		    label_find(profiles, requirement->key, requirement->values[i], false, &of) < 0)
			return -ENOMEM;

		for (const struct scope_label *at = of ? of->first : NULL; at; at = at->next)
			if (scope_tell(at->scope, matcher, changes) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* What a matcher's becoming active or not changes; answers are true to labels, so
 * those who would answer it now are those who did. */
static int matcher_tell(struct profiles *profiles, const struct matcher *matcher,
			struct answer_changes *changes)
{
	const struct requirement *requirement = requirement_of_index(matcher);

	if (matcher->namespace)
		return scope_tell(scope_find(profiles, matcher->namespace), matcher, changes);
	if (requirement)
		return index_tell(profiles, matcher, requirement, changes);
	for (size_t i = 0; i < profiles->scopes.n; i++)
		if (scope_tell((struct scope *)profiles->scopes.v[i], matcher, changes) < 0)
			return -ENOMEM;
	return 0;
}

static int list_add(struct matcher ***list, size_t *n, size_t *cap, struct matcher *matcher)
{
	if (!array_reserve(list, cap, *n, sizeof(**list)))
		return -ENOMEM;
	(*list)[(*n)++] = matcher;
	return 0;
}

static void list_remove(struct matcher **list, size_t *n, const struct matcher *matcher)
{
	size_t i = 0;

	while (list[i] != matcher)
		i++;
	list[i] = list[--*n];
}

static int matcher_register(struct profiles *profiles, struct matcher *matcher)
{
	struct scope *scope;

	if (!matcher->namespace)
		return list_add(&profiles->everywhere, &profiles->n_everywhere, &profiles->cap_everywhere,
				matcher);
	scope = scope_get(profiles, matcher->namespace);
	return scope ? list_add(&scope->matchers, &scope->n_matchers, &scope->cap_matchers, matcher)
		     : -ENOMEM;
}

static void matcher_unregister(struct profiles *profiles, const struct matcher *matcher)
{
	struct scope *scope;

	if (!matcher->namespace)
		return list_remove(profiles->everywhere, &profiles->n_everywhere, matcher);
	scope = scope_find(profiles, matcher->namespace);
	list_remove(scope->matchers, &scope->n_matchers, matcher);
	scope_settle(profiles, scope);
}

static int matcher_turn(struct profiles *profiles, struct matcher *matcher, struct answer_changes *changes)
{
	int r = 0;

	matcher->active = !matcher->active;
	if (matcher->kind == MATCHER_BLOCK)
		return 0;
	if (matcher->active)
		r = matcher_register(profiles, matcher);
	if (r == 0)
		r = matcher_tell(profiles, matcher, changes);
	if (r == 0 && !matcher->active)
		matcher_unregister(profiles, matcher);
	return r;
}

static int change_compare(const void *a, const void *b)
{
	const struct answer_change *x = a, *y = b;

	if (x->profile != y->profile)
		return x->profile < y->profile ? -1 : 1;
	return answer_compare(&x->answer, &y->answer);
}

/* Both sorted; what is gone was there, what is new was not. */
static int changes_merge(struct profiles *profiles, struct profile *profile,
			 const struct answer_change *changes, size_t n_changes)
{
	const answer_t *old = signature_answers(profile->answers);
	size_t n_old = signature_n(profile->answers), i = 0, n = 0;
	answer_t *answers = calloc(n_old + n_changes + 1, sizeof(*answers));
	struct signature *signature;

	if (!answers)
		return -ENOMEM;
	for (size_t k = 0; k < n_changes; k++) {
		while (i < n_old && old[i] < changes[k].answer)
			answers[n++] = old[i++];
		if (changes[k].is_gone)
			i += i < n_old && old[i] == changes[k].answer;
		else
			answers[n++] = changes[k].answer;
	}
	while (i < n_old)
		answers[n++] = old[i++];
	signature = signature_get(profiles->signatures, answers, n);
	free(answers);
	if (!signature)
		return -ENOMEM;
	profile_change(profiles, profile, signature);
	return 0;
}

static int changes_apply(struct profiles *profiles, struct answer_changes *changes)
{
	size_t end;

	if (changes->n)
		qsort(changes->v, changes->n, sizeof(*changes->v), change_compare);
	for (size_t i = 0; i < changes->n; i = end) {
		struct profile *profile = changes->v[i].profile;

		for (end = i; end < changes->n && changes->v[end].profile == profile;)
			end++;
		if (changes_merge(profiles, profile, &changes->v[i], end - i) < 0)
			return -ENOMEM;
	}
	return 0;
}

int profiles_ask_touched(struct profiles *profiles, bool *ret_blocks)
{
	struct answer_changes changes = { 0 };
	int r = 0;

	while (r == 0 && profiles->matchers->touched) {
		struct matcher *matcher = profiles->matchers->touched;

		profiles->matchers->touched = matcher->next_touched;
		matcher->touched = false;
		if (matcher->active != (matcher->n_askers > 0)) {
			*ret_blocks = *ret_blocks || matcher->kind == MATCHER_BLOCK;
			r = matcher_turn(profiles, matcher, &changes);
		}
		if (r == 0 && !matcher->active && !matcher->n_namers)
			matcher_free(profiles->matchers, matcher);
	}
	if (r == 0)
		r = changes_apply(profiles, &changes);
	free(changes.v);
	return r;
}
