// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/model.h"
#include "policy/shared.h"

static void set_drop(struct label *v, uint32_t n)
{
	for (uint32_t i = 0; shared_is_last(v) && i < n; i++) {
		shared_drop(v[i].key);
		shared_drop(v[i].value);
	}
	shared_drop(v);
}

static void labels_drop_shared(struct labels *labels)
{
	if (labels->v)
		set_drop(labels->v, labels->n);
	*labels = (struct labels){ 0 };
}

void labels_done(struct labels *labels)
{
	if (labels->shared)
		return labels_drop_shared(labels);
	for (size_t i = 0; i < labels->n; i++) {
		free(labels->v[i].key);
		free(labels->v[i].value);
	}
	free(labels->v);
	*labels = (struct labels){ 0 };
}

/* Index of the first label whose key is not below `key`. */
static size_t labels_lower_bound(const struct labels *labels, const char *key)
{
	size_t low = 0, high = labels->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(labels->v[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool labels_has_at(const struct labels *labels, size_t at, const char *key)
{
	return at < labels->n && strcmp(labels->v[at].key, key) == 0;
}

static int label_share(const struct label *label, struct label *ret)
{
	ret->key = (char *)(uintptr_t)shared_text(label->key);
	ret->value = (char *)(uintptr_t)shared_text(label->value);
	return ret->key && ret->value ? 0 : -ENOMEM;
}

int labels_share(const struct labels *from, struct labels *ret)
{
	auto_free struct label *set = NULL;
	const void *shared = NULL;
	uint32_t n = 0;
	int r = 0;

	*ret = (struct labels){ .shared = true };
	if (from->shared) {
		*ret = *from;
		shared_hold(from->v);
	}
	if (from->shared || !from->n)
		return 0;
	set = calloc(from->n, sizeof(*set));
	if (!set)
		return -ENOMEM;
	while (r == 0 && n < from->n) {
		r = label_share(&from->v[n], &set[n]);
		n++;
	}
	if (r == 0)
		shared = shared_get(set, n * sizeof(*set));
	/* One that was there before holds its strings itself. */
	for (uint32_t i = 0; i < n && (!shared || !shared_is_last(shared)); i++) {
		shared_drop(set[i].key);
		shared_drop(set[i].value);
	}
	if (!shared)
		return -ENOMEM;
	ret->v = (struct label *)(uintptr_t)shared;
	ret->n = n;
	return 0;
}

static int labels_own(struct labels *labels)
{
	struct labels own = { 0 };

	for (uint32_t i = 0; i < labels->n; i++)
		if (labels_set(&own, labels->v[i].key, labels->v[i].value) < 0) {
			labels_done(&own);
			return -ENOMEM;
		}
	labels_done(labels);
	*labels = own;
	return 0;
}

static int label_insert(struct labels *labels, size_t at, const char *key, char *value)
{
	struct label *grown = reallocarray(labels->v, labels->n + 1, sizeof(*grown));
	char *key_copy;

	if (!grown)
		return -ENOMEM;
	labels->v = grown;
	key_copy = strdup(key);
	if (!key_copy)
		return -ENOMEM;
	memmove(&grown[at + 1], &grown[at], (labels->n - at) * sizeof(*grown));
	grown[at] = (struct label){ .key = key_copy, .value = value };
	labels->n++;
	return 0;
}

int labels_set(struct labels *labels, const char *key, const char *value)
{
	size_t at = labels_lower_bound(labels, key);
	auto_free char *copy = strdup(value);
	int r;

	if (!copy || (labels->shared && labels_own(labels) < 0))
		return -ENOMEM;
	if (labels_has_at(labels, at, key)) {
		free(labels->v[at].value);
		labels->v[at].value = TAKE(copy);
		return 0;
	}
	r = label_insert(labels, at, key, copy);
	if (r == 0)
		TAKE(copy);
	return r;
}

const char *labels_get(const struct labels *labels, const char *key)
{
	size_t at = labels_lower_bound(labels, key);

	return labels_has_at(labels, at, key) ? labels->v[at].value : NULL;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->n != b->n)
		return false;
	if (a->shared && b->shared)
		return a->v == b->v;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].key, b->v[i].key) != 0 || strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return true;
}
