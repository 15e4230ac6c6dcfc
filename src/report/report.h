/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for operators, as JSON: the daemon sends them over the control socket
 * and bulkheadctl makes the same ones offline from manifests, so that both print
 * through one renderer. Names in the JSON are raw; whoever prints to a terminal
 * escapes.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/json.h"
#include "policy/explain.h"
#include "service/services.h"

/* What the world cannot say by itself. */
struct report_node {
	const struct bh_addr *addrs; /* the node's own addresses (R16); may be none */
	size_t n_addrs;
};

/* "ns/name" of a pod or of a workload, "name" (namespace default), or an IP
 * address (resolved to the pod that has it, the node, or an outside address).
 * -ENOENT naming what is not known. */
int report_resolve(const struct world *world, const struct report_node *node, const char *text,
		   struct explain_end *ret_end, struct err *err);

/* "80", "80/TCP", "53/udp", "tcp/80", "http" (a named port of the destination),
 * "icmp". -EINVAL: none of these; -ENOENT: no such port name there. */
int report_resolve_port(const struct explain_end *to, const char *text, uint8_t *ret_proto,
			uint16_t *ret_port, struct err *err);

/* {"from","to","fromAddress"?,"toAddress"?,"port","protocol",
 *  "verdict":"allow|deny|audit|unknown","egress":{side},"ingress":{side},"sentence"}
 * with side = {"judged","isolated","byPosture","verdict","isolating":["ns/name"],
 *  "exemption"?,"policy"?,"rule"?,"clause"?,"why"?}. The sentence is escaped and has
 * a headline and a line per judged side, and a hint where a rule lists a Service's
 * port (R25). Two pods are judged by addresses of one
 * family where they have it. To a Service's address the answer has "service", "backends"
 * (such an answer for each) and as verdict "unknown" where some of these deny, "audit" where
 * all are audited. */
int report_explain(const struct world *world, const struct explain_query *query, cJSON **ret,
		   struct err *err);

/* Who may reach whom: {"pods":["ns/name"...],"cells":[{"from","to",
 *  "ports":[{"port","protocol","verdict"}],
 *  "ranges":[{"protocol","first","last","verdict"}],"other":verdict}]}; "ports" are
 * those the destination's containers declare. "ranges" and "other" together are
 * exact over all ports: "other" holds for port-less protocols and for every port
 * that no range covers. A cell from a workload to itself is about two of its
 * replicas; a pod has none to itself (R17). namespace null: all. hostNetwork and finished pods are
 * left out. -E2BIG: too many pods for one answer. */
int report_matrix(const struct world *world, const char *namespace, cJSON **ret, struct err *err);

/* One drop or audit: {"time" (RFC 3339),"action":"drop|audit","reason" (metric
 * label),"reasonText","direction","endpoint"?,"from","to","fromAddress","toAddress",
 * "fromPort"?,"port"?,"protocol","service"? ("ns/name" or ""),"serviceAddress"?,"servicePort"?
 * (what the client dialled),"icmpType"?,"icmpCode"?,"tcpFlags"?,"length",
 * "explanation"? (as report_explain() has it, for verdicts of policy on a pod that is known),"sentence"
 * (one line, escaped)}. `endpoint` is the pod the event's direction speaks of; may
 * be null. */
int report_event(const struct world *world, const struct report_node *node, const struct bh_event *event,
		 const struct pod *endpoint, cJSON **ret, struct err *err);

/* Services and who is behind them: {"services":[{"namespace","name","state":"ok|refused|
 * headless|external name|no address","why"?,"revision","localOnly",
 * "affinitySeconds","ports":[{"address","port","protocol","name"?,
 * "state":"ok|no endpoints","backends":[{"address",
 * "port","pod"?}]}]}],"tables":{"services","fronts","frontsMax","backends","groups",
 * "groupsMax","refused"}}. */
int report_services(const struct world *world, const struct services *services,
		    const struct service_view *view, cJSON **ret, struct err *err);

/* Policies with what they select and their problems (without revisions; the
 * daemon adds those): {"policies":[{"namespace","name","isolates":["ingress"],
 * "rules":{"ingress":n,"egress":n},"selects":["ns/name"],"audit","problems":[]}]}. */
int report_policies(const struct world *world, cJSON **ret, struct err *err);

/* Lint over the world: {"findings":[{"object":"NetworkPolicy ns/name","field",
 * "level":"error|warning|note","message"}]}: what is invalid (R23, error), named
 * ports that a selected or reachable pod does not serve (R14, warning), ports that
 * are a Service's and not its pods' (R25, warning), peers and policies that match nothing now (note). */
int report_lint(const struct world *world, cJSON **ret, struct err *err);

#endif
