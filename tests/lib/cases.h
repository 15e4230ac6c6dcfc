/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The case table: files of manifests with one document `kind: Cases` whose rows
 * are "FROM TO WHAT WANT [why]". FROM and TO are namespace/pod, an address, or
 * "node" (the pods' own node); WHAT is tcp/N, udp/N, sctp/N, proto/N or icmp; WANT
 * is allow, deny or audit. The same rows are read by the oracle, the evaluator
 * and the kernel's programs.
 *
 * TO may also be service:namespace/name, and N is then a port of that Service: what a
 * row wants must come of each of its backends; no_backend: nobody serves it.
 */
#ifndef LIB_CASES_H
#define LIB_CASES_H

#include "policy/explain.h"

#define CASE_NODE_V4 "192.0.2.1" /* the node's own addresses */
#define CASE_NODE_V6 "2001:db8:ffff::1"

#define CASE_NODE "here" /* its name: a pod whose spec.nodeName is another one is elsewhere */

#define CASE_SERVICE "service:"

/* What comes only of a Service, beside the evaluator's words. */
#define CASE_NO_BACKEND ((enum explain_verdict)(EXPLAIN_UNKNOWN + 1))

struct case_row {
	char from[64], to[64], what[16], why[160];
	bool is_service; /* the query is to what clients dial */
	enum explain_verdict want;
	struct explain_query query;
};

struct case_file {
	char name[64];
	struct world world;
	struct case_row *rows;
	size_t n_rows;
};

int case_file_read(const char *path, struct case_file *ret_file, struct err *err);
void case_file_done(struct case_file *file);
/* An endpoint here: it runs, on no other node, and has a network of its own. */
bool case_pod_is_here(const struct pod *pod);
const char *verdict_name(enum explain_verdict verdict); /* or CASE_NO_BACKEND */

#endif
