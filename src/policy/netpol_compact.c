// SPDX-License-Identifier: Apache-2.0
/* Policies for keeping: one allocation each, with the words that many of them use (keys,
 * values, port names, namespaces) shared. */
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"
#include "policy/shared.h"

/* --- every word of a policy, but its name and uid --- */

typedef void (*word_visit)(char **word, void *data);

static void selector_words(const struct selector *selector, word_visit visit, void *data)
{
	for (size_t i = 0; i < selector->n; i++) {
		visit(&selector->v[i].key, data);
		for (size_t k = 0; k < selector->v[i].n_values; k++)
			visit(&selector->v[i].values[k], data);
	}
}

static void rule_words(const struct rule *rule, word_visit visit, void *data)
{
	for (size_t i = 0; i < rule->n_peers; i++) {
		selector_words(&rule->peers[i].pods, visit, data);
		selector_words(&rule->peers[i].namespaces, visit, data);
	}
	for (size_t i = 0; i < rule->n_ports; i++)
		visit(&rule->ports[i].name, data);
}

static void netpol_words(struct netpol *netpol, word_visit visit, void *data)
{
	visit(&netpol->namespace, data);
	selector_words(&netpol->pods, visit, data);
	for (int direction = 0; direction < 2; direction++)
		for (size_t i = 0; i < netpol->n_rules[direction]; i++)
			rule_words(&netpol->rules[direction][i], visit, data);
	for (size_t i = 0; i < netpol->n_problems; i++)
		visit(&netpol->problems[i], data);
}

static void word_share(char **word, void *data)
{
	bool *failed = data, was = *word != NULL;

	*word = was ? (char *)(uintptr_t)shared_text(*word) : NULL;
	*failed |= was && !*word;
}

static void word_drop(char **word, void *data)
{
	(void)data;
	shared_drop(*word);
}

/* --- one block --- */

/* Hands out parts of a block; without one it only counts what it would hand out. */
struct block {
	char *start;
	size_t used;
};

/* A copy of n items, or null. */
static void *block_copy(struct block *block, const void *from, size_t n, size_t size)
{
	void *to = block->start && n ? block->start + block->used : NULL;

	if (to)
		memcpy(to, from, n * size);
	block->used += (n * size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	return to;
}

static struct selector selector_pack(struct block *block, const struct selector *from)
{
	struct selector to = *from;

	to.v = block_copy(block, from->v, from->n, sizeof(*to.v));
	for (size_t i = 0; i < from->n; i++) {
		char **values = block_copy(block, from->v[i].values, from->v[i].n_values, sizeof(char *));

		if (to.v)
			to.v[i].values = values;
	}
	return to;
}

static struct peer peer_pack(struct block *block, const struct peer *from)
{
	struct peer to = *from;

	to.pods = selector_pack(block, &from->pods);
	to.namespaces = selector_pack(block, &from->namespaces);
	to.excepts = block_copy(block, from->excepts, from->n_excepts, sizeof(*to.excepts));
	return to;
}

static struct rule rule_pack(struct block *block, const struct rule *from)
{
	struct rule to = *from;

	to.peers = block_copy(block, from->peers, from->n_peers, sizeof(*to.peers));
	to.ports = block_copy(block, from->ports, from->n_ports, sizeof(*to.ports));
	for (size_t i = 0; i < from->n_peers; i++) {
		struct peer peer = peer_pack(block, &from->peers[i]);

		if (to.peers)
			to.peers[i] = peer;
	}
	return to;
}

static struct rule *rules_pack(struct block *block, const struct netpol *from, int direction)
{
	struct rule *to = block_copy(block, from->rules[direction], from->n_rules[direction], sizeof(*to));

	for (size_t i = 0; i < from->n_rules[direction]; i++) {
		struct rule rule = rule_pack(block, &from->rules[direction][i]);

		if (to)
			to[i] = rule;
	}
	return to;
}

static char *text_pack(struct block *block, const char *text)
{
	return block_copy(block, text ? text : "", text ? strlen(text) + 1 : 1, 1);
}

static struct netpol *netpol_pack(struct block *block, const struct netpol *from)
{
	struct netpol *to = block_copy(block, from, 1, sizeof(*to)), packed = *from;

	packed.name = text_pack(block, from->name);
	packed.uid = text_pack(block, from->uid);
	packed.pods = selector_pack(block, &from->pods);
	packed.rules[0] = rules_pack(block, from, 0);
	packed.rules[1] = rules_pack(block, from, 1);
	packed.problems = block_copy(block, from->problems, from->n_problems, sizeof(char *));
	packed.compact = true;
	if (to)
		*to = packed;
	return to;
}

struct netpol *netpol_compact(const struct netpol *from)
{
	struct block block = { 0 };
	struct netpol *netpol;
	bool failed = false;

	netpol_pack(&block, from);
	block = (struct block){ .start = malloc(block.used) };
	if (!block.start)
		return NULL;
	netpol = netpol_pack(&block, from);
	netpol_words(netpol, word_share, &failed);
	return failed ? netpol_free(netpol) : netpol;
}

void netpol_compact_free(struct netpol *netpol)
{
	netpol_words(netpol, word_drop, NULL);
	free(netpol);
}
