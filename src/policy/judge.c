// SPDX-License-Identifier: Apache-2.0
#include "policy/judge.h"

#include <limits.h>
#include <string.h>

#include "policy/isolation.h"
#include "policy/selector.h"

/* How near a miss is: what comes later in a rule is judged only when what comes
 * before has matched. Steps leave room for the number of unmet requirements. */
enum distance {
	DISTANCE_STEP = 1 << 16,
	DISTANCE_PORT = 1 * DISTANCE_STEP,
	DISTANCE_NAMED_PORT = 2 * DISTANCE_STEP,
	DISTANCE_PROTOCOL = 3 * DISTANCE_STEP,
	DISTANCE_EXCEPT = 4 * DISTANCE_STEP,
	DISTANCE_POD_LABEL = 5 * DISTANCE_STEP,
	DISTANCE_NAMESPACE = 6 * DISTANCE_STEP,
	DISTANCE_ELSEWHERE = 7 * DISTANCE_STEP, /* no pod, or outside the block */
	DISTANCE_INVALID = 8 * DISTANCE_STEP,
};

static struct finding miss(enum distance distance, enum explain_clause clause)
{
	return (struct finding){ .outcome = JUDGE_MISS, .distance = (int)distance, .clause = clause };
}

static void finding_keep_nearer(struct finding *best, const struct finding *other)
{
	if (other->outcome > best->outcome ||
	    (other->outcome == JUDGE_MISS && best->outcome == JUDGE_MISS && other->distance < best->distance))
		*best = *other;
}

static int unmet_count(const struct selector *selector, const struct labels *labels)
{
	int n = 0;

	for (size_t i = 0; i < selector->n && n < DISTANCE_STEP - 1; i++)
		n += !requirement_holds(&selector->v[i], labels);
	return n;
}

static struct finding unmet(enum distance distance, enum explain_clause clause,
			    const struct selector *selector, const struct labels *labels)
{
	struct finding finding = miss(distance, clause);

	finding.unmet = selector_unmet(selector, labels);
	finding.distance += unmet_count(selector, labels);
	return finding;
}

/* R9: a namespace without an object has only its name as a label. */
static struct finding namespace_judge(const struct judged *judged, const struct selector *selector,
				      const char *name)
{
	char key[] = "kubernetes.io/metadata.name";
	struct label by_name = { .key = key, .value = (char *)name };
	const struct namespace *ns = world_namespace(judged->world, name);
	const struct labels labels = ns ? ns->labels : (struct labels){ .v = &by_name, .n = 1 };

	if (selector_matches(selector, &labels))
		return (struct finding){ .outcome = JUDGE_MATCH };
	return unmet(DISTANCE_NAMESPACE, CLAUSE_NAMESPACE, selector, &labels);
}

/* R8: podSelector alone means the policy's namespace; both together AND. */
static struct finding pod_judge(const struct judged *judged, const struct netpol *policy,
				const struct peer *peer)
{
	const struct pod *pod = judged->peer->pod;

	if (!pod || !pod_is_live(pod))
		return miss(DISTANCE_ELSEWHERE, CLAUSE_NOT_A_POD);
	if (peer->namespaces.has) {
		struct finding finding = namespace_judge(judged, &peer->namespaces, pod->namespace);

		if (finding.outcome != JUDGE_MATCH)
			return finding;
	} else if (strcmp(policy->namespace, pod->namespace) != 0) {
		return miss(DISTANCE_NAMESPACE, CLAUSE_NAMESPACE);
	}
	if (!peer->pods.has || selector_matches(&peer->pods, &pod->labels))
		return (struct finding){ .outcome = JUDGE_MATCH };
	return unmet(DISTANCE_POD_LABEL, CLAUSE_POD_LABEL, &peer->pods, &pod->labels);
}

/* R11. Without an address nobody can say. */
static struct finding block_judge(const struct judged *judged, const struct peer *peer)
{
	const struct explain_end *end = judged->peer;

	if (!end->has_addr)
		return (struct finding){ .outcome = JUDGE_UNKNOWN, .clause = CLAUSE_BLOCK };
	if (!prefix_contains(&peer->block, &end->addr))
		return miss(DISTANCE_ELSEWHERE, CLAUSE_BLOCK);
	for (size_t i = 0; i < peer->n_excepts; i++) {
		if (prefix_contains(&peer->excepts[i], &end->addr)) {
			struct finding finding = miss(DISTANCE_EXCEPT, CLAUSE_EXCEPT);

			finding.except = &peer->excepts[i];
			return finding;
		}
	}
	return (struct finding){ .outcome = JUDGE_MATCH };
}

static struct finding peer_judge(const struct judged *judged, const struct netpol *policy,
				 const struct peer *peer)
{
	struct finding finding;

	if (peer_matches_nothing(peer))
		finding = miss(DISTANCE_INVALID, CLAUSE_INVALID);
	else if (peer->has_block)
		finding = block_judge(judged, peer);
	else
		finding = pod_judge(judged, policy, peer);
	finding.peer = peer;
	return finding;
}

/* The port number that a name means on the destination (R14): the first container
 * that serves it with this protocol. */
static const struct named_port *named_port_find(const struct pod *pod, const struct port_match *match)
{
	for (size_t i = 0; pod && pod_is_live(pod) && i < pod->n_ports; i++) {
		if (pod->ports[i].proto == match->proto && strcmp(pod->ports[i].name, match->name) == 0)
			return &pod->ports[i];
	}
	return NULL;
}

/* `peer` is the peer that let the connection get here; null: anyone. */
static struct finding port_judge(const struct judged *judged, const struct peer *peer,
				 const struct port_match *match)
{
	uint16_t first = match->first, last = match->last;

	if (match->invalid)
		return miss(DISTANCE_INVALID, CLAUSE_INVALID);
	if (match->proto != judged->proto)
		return miss(DISTANCE_PROTOCOL, CLAUSE_PROTOCOL);
	if (!match->has_port)
		return (struct finding){ .outcome = JUDGE_MATCH };
	if (match->name) {
		const struct named_port *named = named_port_find(judged->destination, match);
		bool by_block = judged->direction == BH_EGRESS && peer && peer->has_block;

		if (!named || by_block)
			return miss(DISTANCE_NAMED_PORT, CLAUSE_NAMED_PORT);
		first = last = named->number;
	}
	if (judged->port < first || judged->port > last)
		return miss(DISTANCE_PORT, CLAUSE_PORT);
	return (struct finding){ .outcome = JUDGE_MATCH };
}

static struct finding ports_judge(const struct judged *judged, const struct rule *rule,
				  const struct peer *peer)
{
	struct finding best = miss(INT_MAX, CLAUSE_INVALID);

	if (!rule->has_ports)
		return (struct finding){ .outcome = JUDGE_MATCH };
	for (size_t i = 0; i < rule->n_ports; i++) {
		struct finding finding = port_judge(judged, peer, &rule->ports[i]);

		finding.port = &rule->ports[i];
		finding_keep_nearer(&best, &finding);
	}
	return best;
}

/* Peers first; the ports of a peer that matched (or may match) decide. */
static struct finding peer_and_ports_judge(const struct judged *judged, const struct netpol *policy,
					   const struct rule *rule, const struct peer *peer)
{
	struct finding who = peer_judge(judged, policy, peer), what;

	if (who.outcome == JUDGE_MISS)
		return who;
	what = ports_judge(judged, rule, peer);
	if (what.outcome == JUDGE_MATCH)
		return who;
	what.peer = peer;
	return what;
}

void rule_judge(const struct judged *judged, const struct netpol *policy, size_t index,
		struct finding *ret_finding)
{
	const struct rule *rule = &policy->rules[judged->direction][index];
	struct finding best = miss(INT_MAX, CLAUSE_INVALID);

	if (!rule->invalid && !policy->pods.invalid && !rule->has_peers)
		best = ports_judge(judged, rule, NULL);
	for (size_t i = 0; !rule->invalid && !policy->pods.invalid && i < rule->n_peers; i++) {
		struct finding finding = peer_and_ports_judge(judged, policy, rule, &rule->peers[i]);

		finding_keep_nearer(&best, &finding);
	}
	best.policy = policy;
	best.rule = index;
	*ret_finding = best;
}
