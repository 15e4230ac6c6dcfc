// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/model.h"

void labels_done(struct labels *labels)
{
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

int labels_set(struct labels *labels, const char *key, const char *value)
{
	size_t at = labels_lower_bound(labels, key);
	auto_free char *value_copy = strdup(value);
	auto_free char *key_copy = NULL;
	struct label *grown;

	if (!value_copy)
		return -ENOMEM;
	if (labels_has_at(labels, at, key)) {
		free(labels->v[at].value);
		labels->v[at].value = TAKE(value_copy);
		return 0;
	}
	key_copy = strdup(key);
	grown = realloc(labels->v, (labels->n + 1) * sizeof(*grown));
	if (grown)
		labels->v = grown;
	if (!grown || !key_copy)
		return -ENOMEM;
	memmove(&grown[at + 1], &grown[at], (labels->n - at) * sizeof(*grown));
	grown[at] = (struct label){ .key = TAKE(key_copy), .value = TAKE(value_copy) };
	labels->n++;
	return 0;
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
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].key, b->v[i].key) != 0 || strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return true;
}
