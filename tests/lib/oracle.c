// SPDX-License-Identifier: Apache-2.0
#include "lib/oracle.h"

#include <netinet/in.h>
#include <string.h>

static const struct namespace *find_namespace(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->n_namespaces; i++) {
		if (strcmp(world->namespaces[i]->name, name) == 0)
			return world->namespaces[i];
	}
	return NULL;
}

static const char *label_of(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->n; i++) {
		if (strcmp(labels->v[i].key, key) == 0)
			return labels->v[i].value;
	}
	return NULL;
}

static bool in_list(const struct requirement *want, const char *value)
{
	for (size_t i = 0; i < want->n_values; i++) {
		if (strcmp(want->values[i], value) == 0)
			return true;
	}
	return false;
}

/* R2: In, NotIn, Exists, DoesNotExist; the negative ones hold without the key. */
static bool requirement_holds(const struct requirement *want, const char *value)
{
	switch (want->op) {
	case SELECTOR_IN:
		return value && in_list(want, value);
	case SELECTOR_NOT_IN:
		return !value || !in_list(want, value);
	case SELECTOR_EXISTS:
		return value;
	case SELECTOR_NOT_EXISTS:
		return !value;
	}
	return false;
}

static bool selects(const struct selector *selector, const struct labels *labels)
{
	if (!selector->has || selector->invalid)
		return false;
	for (size_t i = 0; i < selector->n; i++) {
		if (!requirement_holds(&selector->v[i], label_of(labels, selector->v[i].key)))
			return false;
	}
	return true;
}

/* R9: a namespace without an object still has its name label. */
static bool selects_namespace(const struct world *world, const struct selector *selector, const char *name)
{
	struct label only = { (char *)"kubernetes.io/metadata.name", (char *)name };
	const struct namespace *ns = find_namespace(world, name);
	struct labels labels = { &only, 1 };

	return selects(selector, ns ? &ns->labels : &labels);
}

/* R10, R22 */
static bool is_live(const struct pod *pod)
{
	return pod && !pod->host_network && !pod->finished;
}

/* R2, R23: an invalid podSelector takes the whole namespace. */
static bool policy_selects(const struct netpol *policy, const struct pod *pod)
{
	if (!is_live(pod) || strcmp(policy->namespace, pod->namespace) != 0)
		return false;
	return !policy->pods.has || policy->pods.invalid || selects(&policy->pods, &pod->labels);
}

/* R11 */
static bool block_matches(const struct peer *peer, const struct bh_addr *addr)
{
	if (!prefix_contains(&peer->block, addr))
		return false;
	for (size_t i = 0; i < peer->n_excepts; i++) {
		if (prefix_contains(&peer->excepts[i], addr))
			return false;
	}
	return true;
}

/* R8 */
static bool peer_matches(const struct world *world, const struct netpol *policy, const struct peer *peer,
			 const struct explain_end *end)
{
	if (peer->invalid)
		return false;
	if (peer->has_block)
		return !peer->pods.has && !peer->namespaces.has && block_matches(peer, &end->addr);
	if (!is_live(end->pod))
		return false;
	if (peer->namespaces.has && !selects_namespace(world, &peer->namespaces, end->pod->namespace))
		return false;
	if (!peer->namespaces.has && strcmp(policy->namespace, end->pod->namespace) != 0)
		return false;
	if (peer->pods.has && !selects(&peer->pods, &end->pod->labels))
		return false;
	return peer->namespaces.has || peer->pods.has;
}

/* R14: the number that the destination's containers give this name and protocol. */
static bool named_port_is(const struct pod *destination, const struct port_match *want, uint16_t port)
{
	if (!is_live(destination))
		return false;
	for (size_t i = 0; i < destination->n_ports; i++) {
		const struct named_port *served = &destination->ports[i];

		if (strcmp(served->name, want->name) == 0 && served->proto == want->proto)
			return served->number == port;
	}
	return false;
}

/* R12, R14, R15, R20. A named port of an egress rule never matches an ipBlock. */
static bool port_matches(const struct port_match *want, const struct explain_query *query, bool names_count)
{
	if (want->invalid || want->proto != query->proto)
		return false;
	if (!want->has_port)
		return true;
	if (want->name)
		return names_count && named_port_is(query->to.pod, want, query->port);
	return query->port >= want->first && query->port <= want->last;
}

static bool ports_match(const struct rule *rule, const struct explain_query *query, bool names_count)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		if (port_matches(&rule->ports[i], query, names_count))
			return true;
	}
	return !rule->has_ports;
}

/* R7 */
static bool rule_allows(const struct world *world, const struct netpol *policy, const struct rule *rule,
			const struct explain_query *query, const struct explain_end *other,
			enum bh_direction direction)
{
	if (rule->invalid)
		return false;
	for (size_t i = 0; i < rule->n_peers; i++) {
		bool names_count = direction == BH_INGRESS || !rule->peers[i].has_block;

		if (peer_matches(world, policy, &rule->peers[i], other) &&
		    ports_match(rule, query, names_count))
			return true;
	}
	return !rule->has_peers && ports_match(rule, query, true);
}

static bool policy_allows(const struct world *world, const struct netpol *policy, enum bh_direction direction,
			  const struct explain_query *query, const struct explain_end *other)
{
	if (policy->pods.invalid)
		return false;
	for (size_t i = 0; i < policy->n_rules[direction]; i++) {
		if (rule_allows(world, policy, &policy->rules[direction][i], query, other, direction))
			return true;
	}
	return false;
}

/* SEMANTICS 1.4: the namespace's own posture before the cluster's. */
static enum posture posture_of(const struct world *world, const char *name)
{
	const struct namespace *ns = find_namespace(world, name);
	enum posture posture = ns && ns->posture != POSTURE_UNSET ? ns->posture : world->posture.posture;

	for (size_t i = 0; i < world->posture.n_exempt_namespaces; i++) {
		if (posture == POSTURE_DENY && strcmp(world->posture.exempt_namespaces[i], name) == 0)
			return POSTURE_STANDARD;
	}
	return posture;
}

/* Posture deny leaves DNS open from every pod to the cluster's DNS pods. */
static bool is_dns(const struct world *world, const struct explain_query *query)
{
	const struct posture_config *config = &world->posture;

	return config->allow_dns && is_live(query->from.pod) && is_live(query->to.pod) && query->port == 53 &&
	       (query->proto == IPPROTO_UDP || query->proto == IPPROTO_TCP) &&
	       strcmp(query->to.pod->namespace, config->dns_namespace) == 0 &&
	       selects(&config->dns_pods, &query->to.pod->labels);
}

enum explain_verdict oracle_side(const struct world *world, const struct explain_query *query,
				 enum bh_direction direction)
{
	const struct explain_end *own = direction == BH_EGRESS ? &query->from : &query->to;
	const struct explain_end *other = direction == BH_EGRESS ? &query->to : &query->from;
	bool isolated, enforced;
	enum posture posture;

	if (!is_live(own->pod))
		return EXPLAIN_ALLOW;
	posture = posture_of(world, own->pod->namespace);
	/* R16 */
	if (other->is_own_node &&
	    (direction == BH_INGRESS || posture != POSTURE_DENY || !world->posture.deny_pod_to_node))
		return EXPLAIN_ALLOW;
	isolated = enforced = posture == POSTURE_DENY;
	for (size_t i = 0; i < world->n_netpols; i++) {
		const struct netpol *policy = world->netpols[i];

		if (!policy->isolates[direction] || !policy_selects(policy, own->pod))
			continue;
		if (policy_allows(world, policy, direction, query, other))
			return EXPLAIN_ALLOW;
		isolated = true;
		if (!policy->audit || world->posture.forbid_policy_audit)
			enforced = true;
	}
	if (!isolated || (posture == POSTURE_DENY && is_dns(world, query)))
		return EXPLAIN_ALLOW;
	return enforced && posture != POSTURE_AUDIT ? EXPLAIN_DENY : EXPLAIN_AUDIT;
}

enum explain_verdict oracle_verdict(const struct world *world, const struct explain_query *query)
{
	enum explain_verdict egress, ingress;

	if (query->from.pod && query->from.pod == query->to.pod) /* R17 */
		return EXPLAIN_ALLOW;
	egress = oracle_side(world, query, BH_EGRESS);
	ingress = oracle_side(world, query, BH_INGRESS);
	if (egress == EXPLAIN_DENY || ingress == EXPLAIN_DENY) /* R6 */
		return EXPLAIN_DENY;
	return egress == EXPLAIN_AUDIT || ingress == EXPLAIN_AUDIT ? EXPLAIN_AUDIT : EXPLAIN_ALLOW;
}
