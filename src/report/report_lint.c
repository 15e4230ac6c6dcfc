// SPDX-License-Identifier: Apache-2.0
/* What is allowed to be written and still is not what the writer meant. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/report.h"
#include "report/report_part.h"
#include "report/service_port.h"

/* A selector that misses everywhere tells by name, not a thousand times. */
#define LINT_FINDINGS_MAX 1000

struct lint {
	const struct world *world;
	const struct netpol *netpol;
	enum bh_direction direction;
	size_t rule;
	cJSON *findings;
	size_t n;
	bool failed;
};

static void finding_add(struct lint *lint, const char *level, const char *field, const char *message)
{
	auto_text struct text object = { 0 };
	cJSON *finding;

	if (lint->failed || lint->n++ >= LINT_FINDINGS_MAX)
		return;
	text_addf(&object, "NetworkPolicy %s/%s", lint->netpol->namespace, lint->netpol->name);
	finding = put_object(lint->findings, NULL);
	lint->failed = !finding || object.failed || !put_text(finding, "object", object.data) ||
		       !put_text(finding, "field", field) || !put_text(finding, "level", level) ||
		       !put_text(finding, "message", message);
}

static void part_finding_add(struct lint *lint, const char *level, const char *part, size_t index,
			     const char *message)
{
	char field[128];

	snprintf(field, sizeof(field), "spec.%s[%zu].%s[%zu]", direction_text(lint->direction), lint->rule,
		 part, index);
	finding_add(lint, level, field, message);
}

/* --- peers --- */

static bool namespace_matches(const struct lint *lint, const struct peer *peer, const char *name)
{
	const struct namespace *ns = world_namespace(lint->world, name);
	struct label name_label = { (char *)"kubernetes.io/metadata.name", (char *)name };
	const struct labels implied = { &name_label, 1 }; /* R9 */

	if (!peer->namespaces.has)
		return strcmp(name, lint->netpol->namespace) == 0;
	return selector_matches(&peer->namespaces, ns ? &ns->labels : &implied);
}

static bool peer_matches(const struct lint *lint, const struct peer *peer, const struct pod *pod)
{
	if (peer->invalid || peer->has_block || !pod_counts(pod) ||
	    (!peer->pods.has && !peer->namespaces.has))
		return false;
	return namespace_matches(lint, peer, pod->namespace) &&
	       (!peer->pods.has || selector_matches(&peer->pods, &pod->labels));
}

static bool rule_reaches(const struct lint *lint, const struct rule *rule, const struct pod *pod)
{
	if (!rule->has_peers)
		return pod_counts(pod);
	for (size_t i = 0; i < rule->n_peers; i++)
		if (peer_matches(lint, &rule->peers[i], pod))
			return true;
	return false;
}

static void lint_peer(struct lint *lint, const struct peer *peer, size_t index)
{
	if (peer->invalid || peer->has_block)
		return;
	for (size_t i = 0; i < lint->world->n_pods; i++)
		if (peer_matches(lint, peer, lint->world->pods[i]))
			return;
	part_finding_add(lint, "note", lint->direction == BH_INGRESS ? "from" : "to", index,
			 "matches no pod now");
}

/* --- named ports (R14) --- */

static bool pod_serves(const struct pod *pod, const struct port_match *port)
{
	for (size_t i = 0; i < pod->n_ports; i++)
		if (pod->ports[i].proto == port->proto && strcmp(pod->ports[i].name, port->name) == 0)
			return true;
	return false;
}

/* Whose port the name is: of what the policy selects, or of what the rule reaches. */
static bool pod_is_destination(const struct lint *lint, const struct rule *rule, const struct pod *pod)
{
	if (lint->direction == BH_INGRESS)
		return netpol_selects(lint->netpol, pod);
	return rule_reaches(lint, rule, pod);
}

static void lint_ingress_name(struct lint *lint, const struct pod *pod, const struct port_match *port,
			      size_t index)
{
	auto_text struct text text = { 0 };
	char buf[PROTO_TEXT_MAX];

	text_addf(&text, "%s/%s serves no %s port named \"%s\", so this item matches nothing there",
		  pod->namespace, pod->name, proto_text(port->proto, buf), port->name);
	lint->failed |= text.failed;
	if (!text.failed)
		part_finding_add(lint, "warning", "ports", index, text.data);
}

/* Reaching everybody, a name is served by some and not by others; only a name
 * that nobody serves is a mistake then. */
static void lint_port(struct lint *lint, const struct rule *rule, const struct port_match *port, size_t index)
{
	size_t destinations = 0, serving = 0;

	if (port->invalid || !port->name)
		return;
	for (size_t i = 0; i < lint->world->n_pods; i++) {
		const struct pod *pod = lint->world->pods[i];

		if (!pod_is_destination(lint, rule, pod))
			continue;
		destinations++;
		if (pod_serves(pod, port))
			serving++;
		else if (lint->direction == BH_INGRESS)
			lint_ingress_name(lint, pod, port, index);
	}
	if (lint->direction == BH_EGRESS && destinations > 0 && serving == 0)
		part_finding_add(lint, "warning", "ports", index,
				 "no pod that this rule reaches serves a port of that name");
	for (size_t i = 0; lint->direction == BH_EGRESS && i < rule->n_peers; i++)
		if (rule->peers[i].has_block)
			part_finding_add(lint, "warning", "ports", index,
					 "a named port never matches an ipBlock");
}

/* --- Services' ports (R25) --- */

/* Towards anyone, or with an ipBlock in the rule, the port may be meant for others. */
static bool rule_is_about_pods(const struct lint *lint, const struct rule *rule)
{
	if (lint->direction == BH_INGRESS)
		return true;
	for (size_t i = 0; i < rule->n_peers; i++)
		if (rule->peers[i].has_block)
			return false;
	return rule->has_peers;
}

/* A mistake for all backends that the rule is about, or for none: where one of them
 * uses the port, the rule has its reason. */
static void lint_service_port(struct lint *lint, const struct rule *rule, const struct service *service,
			      const struct port_match *port, size_t index)
{
	auto_text struct text text = { 0 };
	uint16_t target = 0;

	if (!service_lists(service, port))
		return;
	for (size_t i = 0; i < lint->world->n_pods; i++) {
		const struct pod *pod = lint->world->pods[i];

		if (service_leads_to(service, pod) && pod_is_destination(lint, rule, pod) &&
		    !service_port_mistaken(lint->world, service, port, pod, &target))
			return;
	}
	if (!target)
		return;
	service_port_add(&text, service, port, target);
	lint->failed |= text.failed;
	if (!text.failed)
		part_finding_add(lint, "warning", "ports", index, text.data);
}

static void lint_service_ports(struct lint *lint, const struct rule *rule)
{
	if (!rule_is_about_pods(lint, rule))
		return;
	for (size_t i = 0; i < rule->n_ports; i++)
		for (size_t j = 0; j < lint->world->n_services; j++)
			lint_service_port(lint, rule, lint->world->services[j], &rule->ports[i], i);
}

/* --- policies --- */

static void lint_rule(struct lint *lint, const struct rule *rule)
{
	if (rule->invalid)
		return;
	for (size_t i = 0; i < rule->n_peers; i++)
		lint_peer(lint, &rule->peers[i], i);
	for (size_t i = 0; i < rule->n_ports; i++)
		lint_port(lint, rule, &rule->ports[i], i);
	lint_service_ports(lint, rule);
}

static bool selects_any(const struct lint *lint)
{
	for (size_t i = 0; i < lint->world->n_pods; i++)
		if (netpol_selects(lint->netpol, lint->world->pods[i]))
			return true;
	return false;
}

/* A problem is "path: what". */
static void lint_problem(struct lint *lint, const char *problem)
{
	const char *colon = strstr(problem, ": ");
	char field[256];

	snprintf(field, sizeof(field), "%.*s", colon ? (int)(colon - problem) : 0, problem);
	finding_add(lint, "error", field, colon ? colon + 2 : problem);
}

static void lint_netpol(struct lint *lint)
{
	const struct netpol *netpol = lint->netpol;

	for (size_t i = 0; i < netpol->n_problems; i++)
		lint_problem(lint, netpol->problems[i]);
	if (!selects_any(lint))
		finding_add(lint, "note", "spec.podSelector", "selects no pod now");
	for (int d = 0; d < 2; d++) {
		lint->direction = (enum bh_direction)d;
		if (!netpol->isolates[d] && netpol->n_rules[d] > 0)
			finding_add(lint, "warning", d == BH_INGRESS ? "spec.ingress" : "spec.egress",
				    "has no effect: policyTypes does not list this direction");
		for (lint->rule = 0; netpol->isolates[d] && lint->rule < netpol->n_rules[d]; lint->rule++)
			lint_rule(lint, &netpol->rules[d][lint->rule]);
	}
}

int report_lint(const struct world *world, cJSON **ret, struct err *err)
{
	auto_json cJSON *answer = cJSON_CreateObject();
	struct lint lint = { .world = world, .findings = answer ? put_array(answer, "findings") : NULL };

	lint.failed = !lint.findings;
	for (size_t i = 0; !lint.failed && i < world->n_netpols; i++) {
		lint.netpol = world->netpols[i];
		lint_netpol(&lint);
	}
	if (lint.failed)
		return err_set(err, ENOMEM, "the findings");
	*ret = TAKE(answer);
	return 0;
}
