// SPDX-License-Identifier: Apache-2.0
#include "policy/explain.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/isolation.h"
#include "policy/judge.h"

#define SENTENCE_CLAUSE_MAX 2048

void explanation_done(struct explanation *explanation)
{
	for (int direction = 0; direction < 2; direction++) {
		free(explanation->side[direction].isolating);
		free(explanation->side[direction].clause_text);
	}
	*explanation = (struct explanation){ 0 };
}

static bool pod_has_addr(const struct pod *pod, const struct bh_addr *addr)
{
	for (size_t i = 0; pod && i < pod->n_addrs; i++) {
		if (addr_equal(&pod->addrs[i], addr))
			return true;
	}
	return false;
}

/* R17: nothing comes between a pod and itself. */
static bool ends_are_same(const struct explain_query *query)
{
	const struct explain_end *from = &query->from, *to = &query->to;

	if (from->pod && from->pod == to->pod)
		return true;
	if (from->has_addr && to->has_addr && addr_equal(&from->addr, &to->addr))
		return true;
	return from->pod && to->has_addr && !to->pod && pod_has_addr(from->pod, &to->addr);
}

/* R16: probes always; back to the node unless posture deny wants a rule. */
static bool node_exempts(const struct world *world, const struct judged *judged, enum posture posture)
{
	if (!judged->peer->is_own_node)
		return false;
	return judged->direction == BH_INGRESS || posture_opens_node(&world->posture, posture);
}

/* Posture deny's implied rules: every pod may ask the DNS pods. */
static bool dns_exempts(const struct world *world, const struct judged *judged)
{
	const struct pod *server = judged->destination;
	const struct pod *client = judged->direction == BH_INGRESS ? judged->peer->pod : judged->pod;

	if (judged->port != DNS_PORT || (judged->proto != IPPROTO_UDP && judged->proto != IPPROTO_TCP))
		return false;
	return server && client && pod_is_live(client) && pod_serves_dns(&world->posture, server);
}

static const char *exemption_find(const struct world *world, const struct explain_query *query,
				  const struct judged *judged, enum posture posture)
{
	if (ends_are_same(query))
		return "self";
	if (node_exempts(world, judged, posture))
		return "node";
	if (posture == POSTURE_DENY && dns_exempts(world, judged))
		return "dns";
	return NULL;
}

static int isolation_find(const struct world *world, const struct pod *pod, enum bh_direction direction,
			  enum posture posture, struct isolation *ret)
{
	isolation_init(ret, posture);
	for (size_t i = 0; i < world->n_netpols; i++) {
		int r = isolation_add(ret, &world->posture, posture, world->netpols[i], pod, direction);

		if (r < 0)
			return r;
	}
	isolation_sort(ret);
	return 0;
}

/* The rule that allows, else one that may, else the nearest miss. */
static struct finding rules_judge(const struct judged *judged, const struct isolation *isolation)
{
	struct finding best = { .outcome = JUDGE_MISS, .distance = INT_MAX, .clause = CLAUSE_POSTURE };

	for (size_t i = 0; i < isolation->n; i++) {
		const struct netpol *policy = isolation->v[i];

		if (policy->n_rules[judged->direction] == 0 && best.clause == CLAUSE_POSTURE)
			best = (struct finding){ .distance = INT_MAX,
						 .clause = CLAUSE_NO_RULES,
						 .policy = policy };
		for (size_t k = 0; k < policy->n_rules[judged->direction]; k++) {
			struct finding finding;

			rule_judge(judged, policy, k, &finding);
			if (finding.outcome == JUDGE_MATCH)
				return finding;
			if (finding.outcome > best.outcome ||
			    (finding.outcome == best.outcome &&
			     (finding.distance < best.distance || best.clause == CLAUSE_POSTURE)))
				best = finding;
		}
	}
	return best;
}

static enum explain_verdict verdict_of(const struct finding *finding, const struct isolation *isolation)
{
	if (finding->outcome == JUDGE_MATCH)
		return EXPLAIN_ALLOW;
	if (finding->outcome == JUDGE_UNKNOWN)
		return EXPLAIN_UNKNOWN;
	return isolation->otherwise == BH_AUDIT ? EXPLAIN_AUDIT : EXPLAIN_DENY;
}

static int rules_explain(const struct judged *judged, const struct isolation *isolation,
			 struct explain_side *side)
{
	struct finding finding = rules_judge(judged, isolation);

	side->verdict = verdict_of(&finding, isolation);
	side->policy = finding.policy;
	side->rule = finding.rule;
	if (finding.outcome == JUDGE_MATCH)
		return 0;
	side->clause = finding.clause;
	side->clause_text = finding_text(judged, &finding);
	return side->clause_text ? 0 : -ENOMEM;
}

static int side_explain(const struct world *world, const struct explain_query *query,
			enum bh_direction direction, struct explain_side *side)
{
	const struct explain_end *own = direction == BH_INGRESS ? &query->to : &query->from;
	const struct judged judged = {
		.world = world,
		.direction = direction,
		.pod = own->pod,
		.peer = direction == BH_INGRESS ? &query->from : &query->to,
		.destination = query->to.pod,
		.proto = query->proto,
		.port = query->port,
	};
	struct isolation isolation;
	enum posture posture;
	int r;

	if (!own->pod || !pod_is_live(own->pod))
		return 0;
	posture =
		posture_in(&world->posture, own->pod->namespace, world_namespace(world, own->pod->namespace));
	r = isolation_find(world, own->pod, direction, posture, &isolation);
	side->judged = true;
	side->isolated = isolation.isolated;
	side->by_posture = isolation.by_posture;
	side->isolating = isolation.v;
	side->n_isolating = isolation.n;
	if (r < 0)
		return r;
	side->exemption = exemption_find(world, query, &judged, posture);
	return side->exemption || !side->isolated ? 0 : rules_explain(&judged, &isolation, side);
}

/* R6: both directions must allow. A denial is certain whatever the other side
 * would say. */
static enum explain_verdict verdict_join(enum explain_verdict a, enum explain_verdict b)
{
	static const enum explain_verdict order[] = { EXPLAIN_DENY, EXPLAIN_UNKNOWN, EXPLAIN_AUDIT };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (a == order[i] || b == order[i])
			return order[i];
	}
	return EXPLAIN_ALLOW;
}

int explain(const struct world *world, const struct explain_query *query, struct explanation *ret,
	    struct err *err)
{
	*ret = (struct explanation){ 0 };
	if (side_explain(world, query, BH_EGRESS, &ret->side[BH_EGRESS]) < 0 ||
	    side_explain(world, query, BH_INGRESS, &ret->side[BH_INGRESS]) < 0) {
		explanation_done(ret);
		return err_set(err, ENOMEM, "explaining a connection");
	}
	ret->verdict = verdict_join(ret->side[BH_EGRESS].verdict, ret->side[BH_INGRESS].verdict);
	return 0;
}

static void escaped_add(struct text *text, const char *raw)
{
	char escaped[SENTENCE_CLAUSE_MAX];

	text_escape(raw, escaped, sizeof(escaped));
	text_add(text, escaped, strlen(escaped));
}

static void pod_add(struct text *text, const struct pod *pod)
{
	escaped_add(text, pod->namespace);
	text_addf(text, "/");
	escaped_add(text, pod->name);
}

static void policy_add(struct text *text, const struct netpol *policy)
{
	escaped_add(text, policy->namespace);
	text_addf(text, "/");
	escaped_add(text, policy->name);
}

static void isolating_add(struct text *text, const struct explain_side *side)
{
	if (side->by_posture)
		text_addf(text, "posture deny%s", side->n_isolating ? ", " : "");
	for (size_t i = 0; i < side->n_isolating; i++) {
		text_addf(text, i ? ", " : "");
		policy_add(text, side->isolating[i]);
	}
}

static void nearest_add(struct text *text, const struct explain_side *side, const char *direction)
{
	if (side->policy && side->clause != CLAUSE_NO_RULES) {
		text_addf(text, "; nearest is %s rule %zu of ", direction, side->rule);
		policy_add(text, side->policy);
	}
	text_addf(text, ": ");
	escaped_add(text, side->clause_text);
}

static void side_add(struct text *text, const struct pod *pod, const struct explain_side *side,
		     enum bh_direction of)
{
	static const char *const words[] = {
		[EXPLAIN_ALLOW] = "allowed",
		[EXPLAIN_DENY] = "denied",
		[EXPLAIN_AUDIT] = "audited",
		[EXPLAIN_UNKNOWN] = "undecided",
	};
	const char *direction = of == BH_INGRESS ? "ingress" : "egress";

	text_addf(text, "%s by %s of ", words[side->verdict], direction);
	pod_add(text, pod);
	if (side->exemption) {
		text_addf(text, ": always, by exemption \"%s\"", side->exemption);
	} else if (!side->isolated) {
		text_addf(text, ": no policy isolates it");
	} else if (side->verdict == EXPLAIN_ALLOW) {
		text_addf(text, ": rule %zu of ", side->rule);
		policy_add(text, side->policy);
	} else {
		text_addf(text, ": isolated by ");
		isolating_add(text, side);
		nearest_add(text, side, direction);
	}
}

char *explanation_sentence(const struct world *world, const struct explain_query *query,
			   const struct explanation *explanation)
{
	auto_text struct text text = { 0 };

	(void)world;
	for (int direction = 0; direction < 2; direction++) {
		const struct explain_side *side = &explanation->side[direction];
		const struct explain_end *own = direction == BH_INGRESS ? &query->to : &query->from;

		if (!side->judged)
			continue;
		text_addf(&text, text.len ? "\n" : "");
		side_add(&text, own->pod, side, (enum bh_direction)direction);
	}
	if (text.len == 0)
		text_addf(&text, "allowed: neither end is a pod under policy");
	return text_take(&text);
}
