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

/* "80", "80/TCP", "53/udp", "http" (a named port of the destination), "icmp". */
int report_resolve_port(const struct explain_end *to, const char *text, uint8_t *ret_proto,
			uint16_t *ret_port, struct err *err);

/* {"from","to","port","protocol","verdict":"allow|deny|audit|unknown",
 *  "egress":{side},"ingress":{side},"sentence"} with side =
 * {"judged","isolated","verdict","exemption","isolating":["ns/name"],
 *  "policy","rule","clause","why"}. */
int report_explain(const struct world *world, const struct explain_query *query, cJSON **ret,
		   struct err *err);

/* Who may reach whom: {"pods":["ns/name"...],"cells":[{"from","to",
 *  "ports":[{"port","protocol","verdict"}],"other":"allow|deny|..."}]}; the ports
 * are those the destination's containers declare, `other` stands for any port
 * not declared. namespace null: all. */
int report_matrix(const struct world *world, const char *namespace, cJSON **ret, struct err *err);

/* One drop or audit: {"time","action","reason","direction","from","to",
 *  "fromAddress","toAddress","port","protocol",...,"explanation":{...}}. `endpoint`
 * is the pod the event's direction speaks of; may be null. */
int report_event(const struct world *world, const struct report_node *node, const struct bh_event *event,
		 const struct pod *endpoint, cJSON **ret, struct err *err);

/* Policies with what they select and their problems (without revisions; the
 * daemon adds those). */
int report_policies(const struct world *world, cJSON **ret, struct err *err);

/* Lint over the world: findings as [{"object","field","message"}]: named ports
 * that a selected pod does not serve (R14), Service ports that backends do not
 * use (R25), policies that select nothing. */
int report_lint(const struct world *world, cJSON **ret, struct err *err);

#endif
