// SPDX-License-Identifier: Apache-2.0
#include "policy/matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Every part of a key carries its length, so that no two questions share one. */
static void key_add_bytes(struct text *key, const void *bytes, size_t len)
{
	uint32_t n = (uint32_t)len;

	text_add(key, (const char *)&n, sizeof(n));
	text_add(key, bytes, len);
}

static void key_add_byte(struct text *key, uint8_t byte)
{
	text_add(key, (const char *)&byte, 1);
}

static int string_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Values in order and once each: "In (a, b)" and "In (b, a, b)" are one question. */
static void key_add_values(struct text *key, const struct requirement *requirement)
{
	size_t n = requirement->n_values;
	char **sorted = calloc(n ? n : 1, sizeof(*sorted));

	if (!sorted) {
		key->failed = true;
		return;
	}
	if (n)
		memcpy(sorted, requirement->values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), string_compare);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
			key_add_bytes(key, sorted[i], strlen(sorted[i]));
	}
	free(sorted);
}

static int text_compare(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->data, y->data, n);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Requirements in order and once each. */
static void key_add_selector(struct text *key, const struct selector *selector)
{
	struct text *parts = calloc(selector->n ? selector->n : 1, sizeof(*parts));

	key_add_byte(key, selector->has);
	if (!parts) {
		key->failed = true;
		return;
	}
	for (size_t i = 0; i < selector->n; i++) {
		key_add_bytes(&parts[i], selector->v[i].key, strlen(selector->v[i].key));
		key_add_byte(&parts[i], (uint8_t)selector->v[i].op);
		key_add_values(&parts[i], &selector->v[i]);
		key->failed = key->failed || parts[i].failed;
	}
	if (!key->failed)
		qsort(parts, selector->n, sizeof(*parts), text_compare);
	for (size_t i = 0; i < selector->n && !key->failed; i++) {
		if (i == 0 || text_compare(&parts[i], &parts[i - 1]) != 0)
			key_add_bytes(key, parts[i].data, parts[i].len);
	}
	for (size_t i = 0; i < selector->n; i++)
		text_done(&parts[i]);
	free(parts);
}

static int prefix_compare(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = addr_compare(&x->addr, &y->addr);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void key_add_prefix(struct text *key, const struct prefix *prefix)
{
	text_add(key, (const char *)&prefix->addr, sizeof(prefix->addr));
	key_add_byte(key, prefix->len);
	key_add_byte(key, prefix->is_v4);
}

static void key_add_block(struct text *key, const struct peer *peer)
{
	struct prefix *sorted = calloc(peer->n_excepts ? peer->n_excepts : 1, sizeof(*sorted));

	if (!sorted) {
		key->failed = true;
		return;
	}
	if (peer->n_excepts)
		memcpy(sorted, peer->excepts, peer->n_excepts * sizeof(*sorted));
	qsort(sorted, peer->n_excepts, sizeof(*sorted), prefix_compare);
	key_add_prefix(key, &peer->block);
	for (size_t i = 0; i < peer->n_excepts; i++)
		key_add_prefix(key, &sorted[i]);
	free(sorted);
}

/* The policy's namespace is part of the question only where it decides (R8). */
static void key_add_peer(struct text *key, const char *policy_namespace, const struct peer *peer)
{
	key_add_byte(key, peer->has_block ? MATCHER_BLOCK : MATCHER_PODS);
	if (peer->has_block) {
		key_add_block(key, peer);
		return;
	}
	if (!peer->namespaces.has)
		key_add_bytes(key, policy_namespace, strlen(policy_namespace));
	key_add_selector(key, &peer->namespaces);
	key_add_selector(key, &peer->pods);
}

static void matcher_done(struct pool_entry *entry)
{
	struct matcher *matcher = (struct matcher *)entry;

	peer_done(&matcher->peer);
	free(matcher->namespace);
	free(matcher->port_name);
	free(matcher->askers);
}

void matchers_init(struct matchers *matchers)
{
	*matchers = (struct matchers){ 0 };
	pool_init(&matchers->pool, sizeof(struct matcher), matcher_done);
}

void matchers_done(struct matchers *matchers)
{
	pool_done(&matchers->pool);
	free(matchers->by_id);
	free(matchers->free_ids);
	*matchers = (struct matchers){ 0 };
}

/* Room for one more number, in use or free. */
static bool ids_reserve(struct matchers *matchers)
{
	uint32_t cap = matchers->cap_ids ? 2 * matchers->cap_ids : 64;
	struct matcher **by_id;
	uint32_t *free_ids;

	if (matchers->n_ids < matchers->cap_ids)
		return true;
	by_id = reallocarray(matchers->by_id, cap, sizeof(*by_id));
	if (!by_id)
		return false;
	matchers->by_id = by_id;
	free_ids = reallocarray(matchers->free_ids, cap, sizeof(*free_ids));
	if (!free_ids)
		return false;
	matchers->free_ids = free_ids;
	matchers->cap_ids = cap;
	return true;
}

void matcher_touch(struct matchers *matchers, struct matcher *matcher)
{
	if (matcher->touched)
		return;
	matcher->touched = true;
	matcher->next_touched = matchers->touched;
	matchers->touched = matcher;
}

void matcher_free(struct matchers *matchers, struct matcher *matcher)
{
	matchers->by_id[matcher->id] = NULL;
	matchers->free_ids[matchers->n_free++] = matcher->id;
	pool_remove(&matchers->pool, &matcher->entry);
}

/* Nobody names a new one yet, so it is touched. */
static struct matcher *matcher_get(struct matchers *matchers, const struct text *key, bool *ret_new)
{
	struct matcher *matcher;

	if (key->failed || !ids_reserve(matchers))
		return NULL;
	matcher = (struct matcher *)pool_get(&matchers->pool, key->data, key->len, ret_new);
	if (!matcher || !*ret_new)
		return matcher;
	matcher->id = matchers->n_free ? matchers->free_ids[--matchers->n_free] : matchers->n_ids++;
	matchers->by_id[matcher->id] = matcher;
	matcher_touch(matchers, matcher);
	return matcher;
}

/* Half made, it must not be found: the same question would get it as it is. */
static struct matcher *matcher_give_up(struct matchers *matchers, struct matcher *matcher)
{
	matchers->touched = matcher->next_touched;
	matcher_free(matchers, matcher);
	return NULL;
}

struct matcher *matcher_of_peer(struct matchers *matchers, const char *policy_namespace,
				const struct peer *peer)
{
	auto_text struct text key = { 0 };
	struct matcher *matcher;
	bool is_new;

	key_add_peer(&key, policy_namespace, peer);
	matcher = matcher_get(matchers, &key, &is_new);
	if (!matcher || !is_new)
		return matcher;
	matcher->kind = peer->has_block ? MATCHER_BLOCK : MATCHER_PODS;
	if (!peer->has_block && !peer->namespaces.has && !(matcher->namespace = strdup(policy_namespace)))
		return matcher_give_up(matchers, matcher);
	if (!peer_copy(&matcher->peer, peer))
		return matcher_give_up(matchers, matcher);
	return matcher;
}

struct matcher *matcher_of_port(struct matchers *matchers, uint8_t proto, const char *name)
{
	auto_text struct text key = { 0 };
	struct matcher *matcher;
	bool is_new;

	key_add_byte(&key, MATCHER_NAMED);
	key_add_byte(&key, proto);
	key_add_bytes(&key, name, strlen(name));
	matcher = matcher_get(matchers, &key, &is_new);
	if (!matcher || !is_new)
		return matcher;
	matcher->kind = MATCHER_NAMED;
	matcher->proto = proto;
	matcher->port_name = strdup(name);
	return matcher->port_name ? matcher : matcher_give_up(matchers, matcher);
}

int matcher_add_asker(struct matchers *matchers, struct matcher *matcher, struct subject *subject)
{
	size_t cap = matcher->cap_askers;

	if (!array_reserve(&matcher->askers, &cap, matcher->n_askers, sizeof(struct subject *)))
		return -ENOMEM;
	matcher->cap_askers = (uint32_t)cap;
	matcher->askers[matcher->n_askers++] = subject;
	matcher_touch(matchers, matcher);
	return 0;
}

void matcher_remove_asker(struct matchers *matchers, struct matcher *matcher, struct subject *subject)
{
	uint32_t i = 0;

	while (i < matcher->n_askers && matcher->askers[i] != subject)
		i++;
	if (i == matcher->n_askers)
		return;
	matcher->askers[i] = matcher->askers[--matcher->n_askers];
	matcher_touch(matchers, matcher);
}

bool block_is_empty(const struct peer *peer)
{
	for (size_t i = 0; i < peer->n_excepts; i++) {
		if (prefix_covers(&peer->excepts[i], &peer->block))
			return true;
	}
	return false;
}

bool matcher_selects(const struct matcher *matcher, const char *namespace,
		     const struct labels *namespace_labels, const struct labels *labels)
{
	const struct peer *peer = &matcher->peer;

	if (matcher->namespace && strcmp(matcher->namespace, namespace) != 0)
		return false;
	if (!matcher->namespace && !selector_matches(&peer->namespaces, namespace_labels))
		return false;
	return !peer->pods.has || selector_matches(&peer->pods, labels);
}
