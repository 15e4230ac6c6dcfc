// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"
#include "policy/selector.h"

void selector_done(struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		struct requirement *requirement = &selector->v[i];

		for (size_t j = 0; j < requirement->n_values; j++)
			free(requirement->values[j]);
		free(requirement->values);
		free(requirement->key);
	}
	free(selector->v);
	*selector = (struct selector){ 0 };
}

static bool values_contain(const struct requirement *requirement, const char *value)
{
	for (size_t i = 0; i < requirement->n_values; i++) {
		if (strcmp(requirement->values[i], value) == 0)
			return true;
	}
	return false;
}

bool requirement_holds(const struct requirement *requirement, const struct labels *labels)
{
	const char *value = labels_get(labels, requirement->key);

	switch (requirement->op) {
	case SELECTOR_IN:
		return value && values_contain(requirement, value);
	case SELECTOR_NOT_IN:
		return !value || !values_contain(requirement, value);
	case SELECTOR_EXISTS:
		return value;
	case SELECTOR_NOT_EXISTS:
		return !value;
	}
	return false;
}

const struct requirement *selector_unmet(const struct selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		if (!requirement_holds(&selector->v[i], labels))
			return &selector->v[i];
	}
	return NULL;
}

bool selector_matches(const struct selector *selector, const struct labels *labels)
{
	return selector->has && !selector->invalid && !selector_unmet(selector, labels);
}

bool peer_matches_nothing(const struct peer *peer)
{
	bool selects = peer->pods.has || peer->namespaces.has;

	return peer->invalid || peer->pods.invalid || peer->namespaces.invalid || selects == peer->has_block;
}
