// SPDX-License-Identifier: Apache-2.0
#include "agent/revisions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits. */
static void mix(uint64_t *hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		*hash = (*hash ^ p[i]) * 0x100000001b3u;
}

static void mix_number(uint64_t *hash, uint64_t number)
{
	mix(hash, &number, sizeof(number));
}

static void mix_text(uint64_t *hash, const char *text)
{
	mix_number(hash, text != NULL);
	if (text)
		mix(hash, text, strlen(text) + 1);
}

static void mix_selector(uint64_t *hash, const struct selector *selector)
{
	mix_number(hash, (uint64_t)selector->has << 1 | selector->invalid);
	mix_number(hash, selector->n);
	for (size_t i = 0; i < selector->n; i++) {
		const struct requirement *requirement = &selector->v[i];

		mix_text(hash, requirement->key);
		mix_number(hash, requirement->op);
		mix_number(hash, requirement->n_values);
		for (size_t j = 0; j < requirement->n_values; j++)
			mix_text(hash, requirement->values[j]);
	}
}

static void mix_prefix(uint64_t *hash, const struct prefix *prefix)
{
	mix(hash, &prefix->addr, sizeof(prefix->addr));
	mix_number(hash, (uint64_t)prefix->len << 1 | prefix->is_v4);
}

static void mix_peer(uint64_t *hash, const struct peer *peer)
{
	mix_number(hash, (uint64_t)peer->invalid << 1 | peer->has_block);
	mix_selector(hash, &peer->pods);
	mix_selector(hash, &peer->namespaces);
	if (peer->has_block)
		mix_prefix(hash, &peer->block);
	mix_number(hash, peer->n_excepts);
	for (size_t i = 0; i < peer->n_excepts; i++)
		mix_prefix(hash, &peer->excepts[i]);
}

static void mix_port(uint64_t *hash, const struct port_match *port)
{
	mix_number(hash, (uint64_t)port->invalid << 1 | port->has_port);
	mix_number(hash, port->proto);
	mix_text(hash, port->name);
	mix_number(hash, (uint64_t)port->first << 16 | port->last);
}

static void mix_rule(uint64_t *hash, const struct rule *rule)
{
	mix_number(hash, (uint64_t)rule->invalid << 2 | (uint64_t)rule->has_peers << 1 | rule->has_ports);
	mix_number(hash, rule->n_peers);
	for (size_t i = 0; i < rule->n_peers; i++)
		mix_peer(hash, &rule->peers[i]);
	mix_number(hash, rule->n_ports);
	for (size_t i = 0; i < rule->n_ports; i++)
		mix_port(hash, &rule->ports[i]);
}

uint64_t netpol_fingerprint(const struct netpol *netpol)
{
	uint64_t hash = 0xcbf29ce484222325u;

	mix_selector(&hash, &netpol->pods);
	mix_number(&hash, netpol->audit);
	for (int direction = 0; direction < 2; direction++) {
		mix_number(&hash, netpol->isolates[direction]);
		mix_number(&hash, netpol->n_rules[direction]);
		for (size_t i = 0; i < netpol->n_rules[direction]; i++)
			mix_rule(&hash, &netpol->rules[direction][i]);
	}
	return hash;
}

static int revision_compare(const void *a, const void *b)
{
	const struct revision *p = a, *q = b;
	int r = strcmp(p->namespace, q->namespace);

	return r ? r : strcmp(p->name, q->name);
}

const struct revision *revisions_find(const struct revisions *revisions, const char *namespace,
				      const char *name)
{
	struct revision key = { .namespace = (char *)namespace, .name = (char *)name };

	return revisions->n ? bsearch(&key, revisions->v, revisions->n, sizeof(key), revision_compare) : NULL;
}

void revisions_done(struct revisions *revisions)
{
	for (size_t i = 0; i < revisions->n; i++) {
		free(revisions->v[i].namespace);
		free(revisions->v[i].name);
	}
	free(revisions->v);
	*revisions = (struct revisions){ 0 };
}

int revisions_update(struct revisions *revisions, const struct world *world, uint32_t revision, time_t now)
{
	struct revisions next = { .v = calloc(world->n_netpols + 1, sizeof(*next.v)) };

	if (!next.v)
		return -ENOMEM;
	for (size_t i = 0; i < world->n_netpols; i++) {
		const struct netpol *netpol = world->netpols[i];
		const struct revision *old = revisions_find(revisions, netpol->namespace, netpol->name);
		struct revision *entry = &next.v[next.n++];

		entry->namespace = strdup(netpol->namespace);
		entry->name = strdup(netpol->name);
		if (!entry->namespace || !entry->name) {
			revisions_done(&next);
			return -ENOMEM;
		}
		entry->fingerprint = netpol_fingerprint(netpol);
		if (old && old->fingerprint == entry->fingerprint) {
			entry->revision = old->revision;
			entry->since = old->since;
		} else {
			entry->revision = revision;
			entry->since = now;
		}
	}
	qsort(next.v, next.n, sizeof(*next.v), revision_compare);
	revisions_done(revisions);
	*revisions = next;
	return 0;
}
