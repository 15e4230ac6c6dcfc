// SPDX-License-Identifier: Apache-2.0
/*
 * Rules into words. What matches nothing is left out: an invalid part (R23), an
 * item without a field (R8), a named port that the pod does not serve (R14). A
 * rule of which no peer or no port is left allows nothing and goes as a whole.
 *
 * Absent and empty mean different things, so the model's flags decide, not the
 * counts:
 *   1. rules missing or []       isolated, nothing allowed (R4)
 *   2. from/to missing or []     anyone, on the rule's ports (R7)
 *   3. ports missing or []       all ports and all protocols (R7)
 *   4. ports: [{}]               all of TCP (R12)
 */
#include "policy/rulewords.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/selector.h"

struct words {
	uint32_t *v;
	size_t n;
	size_t cap;
	bool failed;
};

struct compiled_rule {
	uint32_t flags;
	struct words list[RULE_LISTS]; /* matchers, indexed as in the key */
	struct ranges ranges;
};

/* The rules of one subject, each as its words. */
struct rule_set {
	struct text *v;
	size_t n;
	size_t cap;
};

static void words_add(struct words *words, uint32_t word)
{
	if (!array_reserve(&words->v, &words->cap, words->n, sizeof(*words->v))) {
		words->failed = true;
		return;
	}
	words->v[words->n++] = word;
}

static int word_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void words_canonical(struct words *words)
{
	size_t n = 0;

	if (words->n == 0)
		return;
	qsort(words->v, words->n, sizeof(*words->v), word_compare);
	for (size_t i = 1; i < words->n; i++) {
		if (words->v[i] != words->v[n])
			words->v[++n] = words->v[i];
	}
	words->n = n + 1;
}

static void compiled_rule_done(struct compiled_rule *compiled)
{
	for (int i = 0; i < RULE_LISTS; i++)
		free(compiled->list[i].v);
	ranges_done(&compiled->ranges);
}

static bool compiled_rule_failed(const struct compiled_rule *compiled)
{
	return compiled->ranges.failed || compiled->list[0].failed || compiled->list[1].failed ||
	       compiled->list[2].failed;
}

static void matcher_add(struct words *words, const struct matcher *matcher)
{
	if (!matcher) {
		words->failed = true;
		return;
	}
	words_add(words, matcher->id);
}

static void peer_add(const struct subject_source *source, struct compiled_rule *compiled,
		     const char *namespace, const struct peer *peer)
{
	struct words *words = &compiled->list[peer->has_block ? 1 : 0];

	if (peer_matches_nothing(peer) || (peer->has_block && block_is_empty(peer)))
		return;
	matcher_add(words, matcher_of_peer(source->subjects->matchers, namespace, peer));
}

/* R14 for ingress: the subject's own containers say what the name means, the
 * first that serves it with this protocol. */
static void own_named_port_add(struct compiled_rule *compiled, const struct pod *pod,
			       const struct port_match *match)
{
	for (size_t i = 0; i < pod->n_ports; i++) {
		const struct named_port *port = &pod->ports[i];

		if (port->proto == match->proto && strcmp(port->name, match->name) == 0) {
			ranges_add(&compiled->ranges, port->proto, port->number, port->number);
			return;
		}
	}
}

static void port_add(const struct subject_source *source, struct compiled_rule *compiled,
		     const struct pod *pod, enum bh_direction direction, const struct port_match *match)
{
	if (match->invalid)
		return;
	if (!match->has_port)
		ranges_add(&compiled->ranges, match->proto, 0, UINT16_MAX);
	else if (!match->name)
		ranges_add(&compiled->ranges, match->proto, match->first, match->last);
	else if (direction == BH_INGRESS)
		own_named_port_add(compiled, pod, match);
	else
		matcher_add(&compiled->list[2],
			    matcher_of_port(source->subjects->matchers, match->proto, match->name));
}

static bool compiled_rule_allows(const struct compiled_rule *compiled)
{
	bool peers = compiled->flags & RULE_ANYONE || compiled->list[0].n || compiled->list[1].n;
	bool ports = compiled->flags & RULE_ALL_PORTS || compiled->ranges.n || compiled->list[2].n;

	return peers && ports;
}

static void text_add_word(struct text *text, uint32_t word)
{
	text_add(text, (const char *)&word, sizeof(word));
}

static void compiled_rule_write(const struct compiled_rule *compiled, struct text *text)
{
	text_add_word(text, compiled->flags);
	for (int i = 0; i < RULE_LISTS; i++)
		text_add_word(text, (uint32_t)compiled->list[i].n);
	text_add_word(text, (uint32_t)compiled->ranges.n);
	for (int i = 0; i < RULE_LISTS; i++)
		text_add(text, (const char *)compiled->list[i].v, compiled->list[i].n * sizeof(uint32_t));
	for (size_t i = 0; i < compiled->ranges.n; i++) {
		text_add_word(text, compiled->ranges.v[i].proto);
		text_add_word(text, RANGE_BOUNDS(compiled->ranges.v[i].first, compiled->ranges.v[i].last));
	}
}

static int rule_set_add(struct rule_set *set, const struct compiled_rule *compiled)
{
	struct text text = { 0 };

	if (compiled_rule_failed(compiled) || !array_reserve(&set->v, &set->cap, set->n, sizeof(*set->v)))
		return -ENOMEM;
	if (!compiled_rule_allows(compiled))
		return 0;
	compiled_rule_write(compiled, &text);
	set->v[set->n++] = text;
	return text.failed ? -ENOMEM : 0;
}

static int rule_compile(const struct subject_source *source, struct rule_set *set,
			const struct netpol *policy, const struct rule *rule, const struct pod *pod,
			enum bh_direction direction)
{
	struct compiled_rule compiled = { .flags = (rule->has_peers ? 0u : RULE_ANYONE) |
						   (rule->has_ports ? 0u : RULE_ALL_PORTS) };
	int r;

	for (size_t i = 0; i < rule->n_peers; i++)
		peer_add(source, &compiled, policy->namespace, &rule->peers[i]);
	for (size_t i = 0; i < rule->n_ports; i++)
		port_add(source, &compiled, pod, direction, &rule->ports[i]);
	for (int i = 0; i < RULE_LISTS; i++)
		words_canonical(&compiled.list[i]);
	ranges_canonical(&compiled.ranges);
	r = rule_set_add(set, &compiled);
	compiled_rule_done(&compiled);
	return r;
}

/* What posture deny implies: `peer` on the DNS port. */
static int dns_rule_add(const struct subject_source *source, struct rule_set *set, const struct peer *peer)
{
	struct compiled_rule compiled = { 0 };
	int r;

	peer_add(source, &compiled, source->dns_namespace, peer);
	ranges_add(&compiled.ranges, IPPROTO_TCP, DNS_PORT, DNS_PORT);
	ranges_add(&compiled.ranges, IPPROTO_UDP, DNS_PORT, DNS_PORT);
	r = rule_set_add(set, &compiled);
	compiled_rule_done(&compiled);
	return r;
}

static int posture_rules_add(const struct subject_source *source, struct rule_set *set,
			     const struct isolation *isolation, const struct pod *pod,
			     enum bh_direction direction)
{
	if (!isolation->by_posture || !source->dns_namespace)
		return 0;
	if (direction == BH_EGRESS)
		return dns_rule_add(source, set, source->dns_peer);
	if (pod_serves_dns(source->posture, pod))
		return dns_rule_add(source, set, source->everybody);
	return 0;
}

static int policy_rules_add(const struct subject_source *source, struct rule_set *set,
			    const struct netpol *policy, const struct pod *pod, enum bh_direction direction)
{
	for (size_t i = 0; i < policy->n_rules[direction] && !policy->pods.invalid; i++) {
		const struct rule *rule = &policy->rules[direction][i];
		int r = rule->invalid ? 0 : rule_compile(source, set, policy, rule, pod, direction);

		if (r < 0)
			return r;
	}
	return 0;
}

static int text_compare(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->data, y->data, n);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Sorted and once each: order never matters (R5). */
static void rule_set_write(struct rule_set *set, struct text *key)
{
	if (set->n)
		qsort(set->v, set->n, sizeof(*set->v), text_compare);
	for (size_t i = 0; i < set->n; i++) {
		if (i == 0 || text_compare(&set->v[i], &set->v[i - 1]) != 0)
			text_add(key, set->v[i].data, set->v[i].len);
	}
}

int rulewords_build(const struct subject_source *source, const struct isolation *isolation,
		    const struct pod *pod, enum bh_direction direction, struct text *key)
{
	struct rule_set set = { 0 };
	int r;

	r = posture_rules_add(source, &set, isolation, pod, direction);
	for (size_t i = 0; r == 0 && i < isolation->n; i++)
		r = policy_rules_add(source, &set, isolation->v[i], pod, direction);
	text_add_word(key, isolation->otherwise);
	if (r == 0)
		rule_set_write(&set, key);
	for (size_t i = 0; i < set.n; i++)
		text_done(&set.v[i]);
	free(set.v);
	return r < 0 || key->failed ? -ENOMEM : 0;
}
