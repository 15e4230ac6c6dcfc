// SPDX-License-Identifier: Apache-2.0
/* What failed, in words an operator can act on. Text from the cluster is raw
 * here; lists are cut, since a hostile object may hold thousands of values. */
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/text.h"
#include "policy/isolation.h"
#include "policy/judge.h"

#define SHOWN_MAX 8

const char *explain_clause_name(enum explain_clause clause)
{
	static const char *const names[] = {
		[CLAUSE_NONE] = "none",		  [CLAUSE_NO_RULES] = "no rules",
		[CLAUSE_POD_LABEL] = "pod label", [CLAUSE_NAMESPACE] = "namespace",
		[CLAUSE_NOT_A_POD] = "not a pod", [CLAUSE_BLOCK] = "ipBlock",
		[CLAUSE_EXCEPT] = "except",	  [CLAUSE_PROTOCOL] = "protocol",
		[CLAUSE_PORT] = "port",		  [CLAUSE_NAMED_PORT] = "named port",
		[CLAUSE_INVALID] = "invalid",	  [CLAUSE_POSTURE] = "posture",
	};

	return names[clause];
}

const char *proto_text(uint8_t proto, char buf[PROTO_TEXT_MAX])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	default:
		snprintf(buf, PROTO_TEXT_MAX, "%u", proto);
		return buf;
	}
}

bool proto_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static void values_add(struct text *text, const struct requirement *requirement)
{
	text_addf(text, " (");
	for (size_t i = 0; i < requirement->n_values && i < SHOWN_MAX; i++)
		text_addf(text, "%s%s", i ? ", " : "", requirement->values[i]);
	text_addf(text, requirement->n_values > SHOWN_MAX ? ", ...)" : ")");
}

static void requirement_add(struct text *text, const struct requirement *requirement)
{
	switch (requirement->op) {
	case SELECTOR_IN:
		text_addf(text, "%s in", requirement->key);
		values_add(text, requirement);
		break;
	case SELECTOR_NOT_IN:
		text_addf(text, "%s not in", requirement->key);
		values_add(text, requirement);
		break;
	case SELECTOR_EXISTS:
		text_addf(text, "a label %s", requirement->key);
		break;
	case SELECTOR_NOT_EXISTS:
		text_addf(text, "no label %s", requirement->key);
		break;
	}
}

static void has_add(struct text *text, const struct requirement *requirement, const char *value)
{
	if (value)
		text_addf(text, " has %s=%s", requirement->key, value);
	else
		text_addf(text, " has no label %s", requirement->key);
}

static void pod_label_add(struct text *text, const struct judged *judged, const struct finding *finding)
{
	text_addf(text, "podSelector wants ");
	requirement_add(text, finding->unmet);
	text_addf(text, ", pod");
	has_add(text, finding->unmet, labels_get(&judged->peer->pod->labels, finding->unmet->key));
}

static void namespace_add(struct text *text, const struct judged *judged, const struct finding *finding)
{
	const char *name = judged->peer->pod->namespace;
	const struct namespace *ns = world_namespace(judged->world, name);

	if (!finding->unmet) {
		text_addf(text, "podSelector alone means namespace %s, pod is in %s",
			  finding->policy->namespace, name);
		return;
	}
	text_addf(text, "namespaceSelector wants ");
	requirement_add(text, finding->unmet);
	text_addf(text, ", namespace %s", name);
	has_add(text, finding->unmet, ns ? labels_get(&ns->labels, finding->unmet->key) : NULL);
}

static void not_a_pod_add(struct text *text, const struct judged *judged)
{
	const struct pod *pod = judged->peer->pod;

	if (pod && pod->host_network)
		text_addf(text, "selectors never match pods on the host's network");
	else if (pod && pod->finished)
		text_addf(text, "selectors never match pods that have finished");
	else
		text_addf(text, "selectors match only pods, this is an address outside them");
}

static void block_add(struct text *text, const struct judged *judged, const struct finding *finding)
{
	char block[ADDR_TEXT_MAX], addr[ADDR_TEXT_MAX], except[ADDR_TEXT_MAX];

	prefix_format(&finding->peer->block, block);
	if (!judged->peer->has_addr) {
		text_addf(text, "ipBlock %s decides, and the pod's address is not known", block);
		return;
	}
	addr_format(&judged->peer->addr, addr);
	if (!finding->except) {
		text_addf(text, "ipBlock %s does not contain %s", block, addr);
		return;
	}
	prefix_format(finding->except, except);
	text_addf(text, "ipBlock %s has except %s, which contains %s", block, except, addr);
}

static void port_match_add(struct text *text, const struct port_match *match)
{
	char buf[PROTO_TEXT_MAX];

	text_addf(text, "%s", proto_text(match->proto, buf));
	if (!match->has_port)
		return;
	if (match->name)
		text_addf(text, " %s", match->name);
	else if (match->first == match->last)
		text_addf(text, " %u", match->first);
	else
		text_addf(text, " %u-%u", match->first, match->last);
}

static void ports_add(struct text *text, const struct judged *judged, const struct finding *finding)
{
	const struct rule *rule = &finding->policy->rules[judged->direction][finding->rule];
	size_t shown = 0;
	const char *proto;
	char buf[PROTO_TEXT_MAX];

	text_addf(text, "ports want ");
	for (size_t i = 0; i < rule->n_ports && shown <= SHOWN_MAX; i++) {
		if (rule->ports[i].invalid)
			continue;
		text_addf(text, shown ? ", " : "");
		if (shown++ < SHOWN_MAX)
			port_match_add(text, &rule->ports[i]);
		else
			text_addf(text, "...");
	}
	proto = proto_text(judged->proto, buf);
	text_addf(text, "; this is %s%s", isdigit((unsigned char)*proto) ? "protocol " : "", proto);
	if (proto_has_ports(judged->proto))
		text_addf(text, " %u", judged->port);
	else
		text_addf(text, ", which has no ports");
}

static void named_port_add(struct text *text, const struct judged *judged, const struct finding *finding)
{
	const struct pod *pod = judged->destination;
	char buf[PROTO_TEXT_MAX];

	text_addf(text, "port name %s: ", finding->port->name);
	if (pod && pod_is_live(pod) && finding->peer && finding->peer->has_block)
		text_addf(text, "a name never matches an ipBlock");
	else if (pod && pod_is_live(pod))
		text_addf(text, "%s/%s serves no such %s port", pod->namespace, pod->name,
			  proto_text(finding->port->proto, buf));
	else
		text_addf(text, "the destination is no pod that could serve it");
}

static void invalid_add(struct text *text, const struct judged *judged, const struct finding *finding)
{
	text_addf(text, "%s rule %zu is invalid and allows nothing",
		  judged->direction == BH_INGRESS ? "ingress" : "egress", finding->rule);
	if (finding->policy->n_problems)
		text_addf(text, ": %s", finding->policy->problems[0]);
}

char *finding_text(const struct judged *judged, const struct finding *finding)
{
	auto_text struct text text = { 0 };

	switch (finding->clause) {
	case CLAUSE_NONE:
		break;
	case CLAUSE_NO_RULES:
		text_addf(&text, "the policy lists no %s rule",
			  judged->direction == BH_INGRESS ? "ingress" : "egress");
		break;
	case CLAUSE_POD_LABEL:
		pod_label_add(&text, judged, finding);
		break;
	case CLAUSE_NAMESPACE:
		namespace_add(&text, judged, finding);
		break;
	case CLAUSE_NOT_A_POD:
		not_a_pod_add(&text, judged);
		break;
	case CLAUSE_BLOCK:
	case CLAUSE_EXCEPT:
		block_add(&text, judged, finding);
		break;
	case CLAUSE_PROTOCOL:
	case CLAUSE_PORT:
		ports_add(&text, judged, finding);
		break;
	case CLAUSE_NAMED_PORT:
		named_port_add(&text, judged, finding);
		break;
	case CLAUSE_INVALID:
		invalid_add(&text, judged, finding);
		break;
	case CLAUSE_POSTURE:
		text_addf(&text, "posture deny isolates every pod, and no policy selects this one here");
		break;
	}
	return text_take(&text);
}
