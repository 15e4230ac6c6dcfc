// SPDX-License-Identifier: Apache-2.0
#include "agent/revisions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX 520

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

/* --- revisions */

void revisions_init(struct revisions *revisions)
{
	*revisions = (struct revisions){ .is_swept = true };
	pool_init(&revisions->pool, sizeof(struct revision), NULL);
}

void revisions_done(struct revisions *revisions)
{
	pool_done(&revisions->pool);
}

static int key_of(const char *namespace, const char *name, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/%s", namespace, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : n;
}

const struct revision *revisions_find(const struct revisions *revisions, const char *namespace,
				      const char *name)
{
	char key[KEY_MAX];
	int n = key_of(namespace, name, key, sizeof(key));

	return n < 0 ? NULL : (const struct revision *)pool_find(&revisions->pool, key, (size_t)n);
}

static void revision_remove(struct revisions *revisions, struct revision *revision)
{
	struct revision **at = &revisions->pending;

	while (revision->is_pending && *at && *at != revision)
		at = &(*at)->next;
	if (revision->is_pending && *at)
		*at = revision->next;
	pool_remove(&revisions->pool, &revision->entry);
}

static void netpol_tell(struct revisions *revisions, const struct netpol *netpol, time_t now)
{
	uint64_t fingerprint = netpol_fingerprint(netpol);
	struct revision *revision;
	char key[KEY_MAX];
	int n = key_of(netpol->namespace, netpol->name, key, sizeof(key));
	bool is_new;

	if (n < 0)
		return; /* no API server has such a name */
	revision = (struct revision *)pool_get(&revisions->pool, key, (size_t)n, &is_new);
	if (!revision) {
		revisions->failed = true;
		return;
	}
	revision->round = revisions->round;
	if (!is_new && revision->fingerprint == fingerprint)
		return;
	revision->fingerprint = fingerprint;
	revision->since = now;
	revision->wanted = revisions->last + 1;
	if (revision->is_pending)
		return;
	revision->is_pending = true;
	revision->next = revisions->pending;
	revisions->pending = revision;
}

void revisions_tell(struct revisions *revisions, const struct change *change, time_t now)
{
	const struct netpol *old;

	if (!change) {
		revisions->round++;
		revisions->is_swept = revisions->failed = false;
		return;
	}
	if (change->kind != CHANGE_NETPOL)
		return;
	old = change->old;
	if (change->now)
		netpol_tell(revisions, change->now, now);
	else if (revisions_find(revisions, old->namespace, old->name))
		revision_remove(revisions, (struct revision *)(uintptr_t)revisions_find(
						   revisions, old->namespace, old->name));
}

static void sweep(struct revisions *revisions)
{
	for (size_t i = revisions->pool.n; !revisions->is_swept && i-- > 0;) {
		struct revision *revision = (struct revision *)revisions->pool.v[i];

		if (revision->round != revisions->round)
			revision_remove(revisions, revision);
	}
	revisions->is_swept = true;
}

int revisions_commit(struct revisions *revisions, uint32_t last)
{
	sweep(revisions);
	while (revisions->pending) {
		struct revision *revision = revisions->pending;

		revisions->pending = revision->next;
		revision->is_pending = false;
		revision->revision = revision->wanted = last;
	}
	revisions->last = last;
	return revisions->failed ? -ENOMEM : 0;
}
