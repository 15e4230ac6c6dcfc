// SPDX-License-Identifier: Apache-2.0
/* Policies as wholes: copies, and whether two say the same. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/model.h"

DEFINE_AUTO(struct netpol, netpol_free)

static bool text_copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool texts_copy(char ***to, uint32_t *ret_n, char *const *from, uint32_t n)
{
	*to = calloc(n + 1, sizeof(**to));
	if (!*to)
		return false;
	while (*ret_n < n) {
		if (!text_copy(&(*to)[*ret_n], from[*ret_n]))
			return false;
		(*ret_n)++;
	}
	return true;
}

static bool selector_copy(struct selector *to, const struct selector *from)
{
	*to = (struct selector){ .has = from->has, .invalid = from->invalid };
	to->v = calloc(from->n + 1, sizeof(*to->v));
	if (!to->v)
		return false;
	for (size_t i = 0; i < from->n; i++) {
		struct requirement *requirement = &to->v[to->n++];

		requirement->op = from->v[i].op;
		if (!text_copy(&requirement->key, from->v[i].key) ||
		    !texts_copy(&requirement->values, &requirement->n_values, from->v[i].values,
				from->v[i].n_values))
			return false;
	}
	return true;
}

bool peer_copy(struct peer *to, const struct peer *from)
{
	*to = (struct peer){ .invalid = from->invalid, .has_block = from->has_block, .block = from->block };
	to->excepts = calloc(from->n_excepts + 1, sizeof(*to->excepts));
	if (!to->excepts)
		return false;
	if (from->n_excepts)
		memcpy(to->excepts, from->excepts, from->n_excepts * sizeof(*to->excepts));
	to->n_excepts = from->n_excepts;
	return selector_copy(&to->pods, &from->pods) && selector_copy(&to->namespaces, &from->namespaces);
}

static bool rule_copy(struct rule *to, const struct rule *from)
{
	*to = (struct rule){ .invalid = from->invalid,
			     .has_peers = from->has_peers,
			     .has_ports = from->has_ports };
	to->peers = calloc(from->n_peers + 1, sizeof(*to->peers));
	to->ports = calloc(from->n_ports + 1, sizeof(*to->ports));
	if (!to->peers || !to->ports)
		return false;
	for (size_t i = 0; i < from->n_peers; i++)
		if (!peer_copy(&to->peers[to->n_peers++], &from->peers[i]))
			return false;
	for (size_t i = 0; i < from->n_ports; i++) {
		struct port_match *port = &to->ports[to->n_ports++];

		*port = from->ports[i];
		if (!text_copy(&port->name, from->ports[i].name))
			return false;
	}
	return true;
}

static bool rules_copy(struct netpol *to, const struct netpol *from, int direction)
{
	to->rules[direction] = calloc(from->n_rules[direction] + 1, sizeof(struct rule));
	if (!to->rules[direction])
		return false;
	for (size_t i = 0; i < from->n_rules[direction]; i++)
		if (!rule_copy(&to->rules[direction][to->n_rules[direction]++], &from->rules[direction][i]))
			return false;
	return true;
}

struct netpol *netpol_copy(const struct netpol *from)
{
	cleanup(netpol_free_auto) struct netpol *to = calloc(1, sizeof(*to));

	if (!to)
		return NULL;
	to->isolates[BH_EGRESS] = from->isolates[BH_EGRESS];
	to->isolates[BH_INGRESS] = from->isolates[BH_INGRESS];
	to->audit = from->audit;
	if (!text_copy(&to->namespace, from->namespace) || !text_copy(&to->name, from->name) ||
	    !text_copy(&to->uid, from->uid) || !selector_copy(&to->pods, &from->pods) ||
	    !rules_copy(to, from, BH_EGRESS) || !rules_copy(to, from, BH_INGRESS) ||
	    !texts_copy(&to->problems, &to->n_problems, from->problems, from->n_problems))
		return NULL;
	return TAKE(to);
}

/* --- equality */

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool texts_equal(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!text_equal(a[i], b[i]))
			return false;
	return true;
}

static bool selector_equal(const struct selector *a, const struct selector *b)
{
	if (a->has != b->has || a->invalid != b->invalid || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].op != b->v[i].op || !text_equal(a->v[i].key, b->v[i].key) ||
		    !texts_equal(a->v[i].values, a->v[i].n_values, b->v[i].values, b->v[i].n_values))
			return false;
	return true;
}

static bool peer_equal(const struct peer *a, const struct peer *b)
{
	if (a->invalid != b->invalid || a->has_block != b->has_block || a->n_excepts != b->n_excepts ||
	    (a->has_block && !prefix_equal(&a->block, &b->block)))
		return false;
	for (size_t i = 0; i < a->n_excepts; i++)
		if (!prefix_equal(&a->excepts[i], &b->excepts[i]))
			return false;
	return selector_equal(&a->pods, &b->pods) && selector_equal(&a->namespaces, &b->namespaces);
}

static bool port_equal(const struct port_match *a, const struct port_match *b)
{
	return a->invalid == b->invalid && a->proto == b->proto && a->has_port == b->has_port &&
	       a->first == b->first && a->last == b->last && text_equal(a->name, b->name);
}

static bool rule_equal(const struct rule *a, const struct rule *b)
{
	if (a->invalid != b->invalid || a->has_peers != b->has_peers || a->has_ports != b->has_ports ||
	    a->n_peers != b->n_peers || a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_peers; i++)
		if (!peer_equal(&a->peers[i], &b->peers[i]))
			return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (!port_equal(&a->ports[i], &b->ports[i]))
			return false;
	return true;
}

static bool rules_equal(const struct netpol *a, const struct netpol *b, int direction)
{
	if (a->isolates[direction] != b->isolates[direction] ||
	    a->n_rules[direction] != b->n_rules[direction])
		return false;
	for (size_t i = 0; i < a->n_rules[direction]; i++)
		if (!rule_equal(&a->rules[direction][i], &b->rules[direction][i]))
			return false;
	return true;
}

bool netpol_equal(const struct netpol *a, const struct netpol *b)
{
	return text_equal(a->namespace, b->namespace) && text_equal(a->name, b->name) &&
	       text_equal(a->uid, b->uid) && a->audit == b->audit && selector_equal(&a->pods, &b->pods) &&
	       texts_equal(a->problems, a->n_problems, b->problems, b->n_problems) &&
	       rules_equal(a, b, BH_EGRESS) && rules_equal(a, b, BH_INGRESS);
}
