// SPDX-License-Identifier: Apache-2.0
/*
 * What policies say of connections between addresses, by the slow oracle and by the
 * evaluator: manifests in a folder, on stdin a row "FROM TO WHAT" each (addresses;
 * tcp/N, udp/N or icmp), for each row a line "ORACLE EVALUATOR" of allow, deny, audit.
 *
 * verdicts --rows FILE says what a file of the case table needs in order to be measured:
 * "posture WORD", "pod NAMESPACE NAME ADDRESS..." and "row FROM ADDRESS TO ADDRESS WHAT
 * WANT", where an end is NAMESPACE/NAME of a pod that runs, "node", or "x" for the outside;
 * rows to a Service say "service" instead of "row".
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/manifests.h"
#include "lib/cases.h"
#include "lib/oracle.h"

static void on_report(enum manifest_news news, const char *message, void *data)
{
	(void)data;
	if (news != MANIFEST_SKIPPED)
		fprintf(stderr, "verdicts: %s\n", message);
}

static const struct pod *pod_of(const struct world *world, const struct bh_addr *addr)
{
	for (size_t i = 0; i < world->n_pods; i++)
		for (size_t j = 0; j < world->pods[i]->n_addrs; j++)
			if (addr_equal(&world->pods[i]->addrs[j], addr))
				return world->pods[i];
	return NULL;
}

/* R16. With a tunnel a node also has the first address of each of its ranges. */
static bool hosts(const struct world *world, const struct bh_addr *addr, const struct pod *pod)
{
	const struct node *node = pod ? world_node(world, pod->node) : NULL;

	for (size_t i = 0; node && i < node->n_addrs; i++)
		if (addr_equal(&node->addrs[i], addr))
			return true;
	for (size_t i = 0; node && i < node->n_pod_ranges; i++)
		if (addr_equal(&node->pod_ranges[i].addr, addr))
			return true;
	return false;
}

static int query_read(const struct world *world, char *line, struct explain_query *query)
{
	char from[64], to[64], what[16];

	*query = (struct explain_query){ 0 };
	if (sscanf(line, "%63s %63s %15s", from, to, what) != 3 || addr_parse(from, &query->from.addr) < 0 ||
	    addr_parse(to, &query->to.addr) < 0)
		return -1;
	query->from.has_addr = query->to.has_addr = true;
	query->from.pod = pod_of(world, &query->from.addr);
	query->to.pod = pod_of(world, &query->to.addr);
	query->from.is_own_node = hosts(world, &query->from.addr, query->to.pod);
	query->to.is_own_node = hosts(world, &query->to.addr, query->from.pod);
	if (sscanf(what, "tcp/%hu", &query->port) == 1)
		query->proto = IPPROTO_TCP;
	else if (sscanf(what, "udp/%hu", &query->port) == 1)
		query->proto = IPPROTO_UDP;
	else if (strcmp(what, "icmp") == 0)
		query->proto = addr_is_v4(&query->to.addr) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	else
		return -1;
	return 0;
}

/* --- the case table */

static bool is_live(const struct pod *pod)
{
	return pod && !pod->host_network && !pod->finished;
}

static void end_print(const struct explain_end *end)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&end->addr, text);
	if (is_live(end->pod))
		printf(" %s/%s %s", end->pod->namespace, end->pod->name, text);
	else
		printf(" %s %s", end->is_own_node ? "node" : "x", text);
}

static int rows_print(const char *path)
{
	static const char *const postures[] = { "unset", "standard", "deny", "audit" };
	struct case_file file;
	struct err err = { 0 };
	char text[ADDR_TEXT_MAX];

	if (case_file_read(path, &file, &err) < 0) {
		fprintf(stderr, "verdicts: %s\n", err.msg);
		return 2;
	}
	printf("posture %s\n", postures[file.world.posture.posture]);
	for (size_t i = 0; i < file.world.n_pods; i++) {
		const struct pod *pod = file.world.pods[i];

		if (!is_live(pod))
			continue;
		printf("pod %s %s", pod->namespace, pod->name);
		for (size_t j = 0; j < pod->n_addrs; j++) {
			addr_format(&pod->addrs[j], text);
			printf(" %s", text);
		}
		printf("\n");
	}
	for (size_t i = 0; i < file.n_rows; i++) {
		printf("%s", file.rows[i].is_service ? "service" : "row");
		end_print(&file.rows[i].query.from);
		end_print(&file.rows[i].query.to);
		printf(" %s %s\n", file.rows[i].what, verdict_name(file.rows[i].want));
	}
	case_file_done(&file);
	return 0;
}

int main(int argc, char **argv)
{
	struct manifests *manifests = NULL;
	struct world world;
	struct err err = { 0 };
	char line[256];

	if (argc == 3 && strcmp(argv[1], "--rows") == 0)
		return rows_print(argv[2]);
	if (argc != 2 || manifests_new(argv[1], "default", on_report, NULL, &manifests, &err) < 0 ||
	    manifests_read(manifests, &err) < 0) {
		fprintf(stderr, "verdicts: %s\n", argc == 2 ? err.msg : "usage: verdicts FOLDER");
		return 2;
	}
	world = *manifests_world(manifests);
	world.posture.posture = POSTURE_STANDARD;
	while (fgets(line, sizeof(line), stdin)) {
		struct explanation explanation;
		struct explain_query query;

		if (query_read(&world, line, &query) < 0 || explain(&world, &query, &explanation, &err) < 0) {
			fprintf(stderr, "verdicts: cannot judge %s", line);
			return 2;
		}
		printf("%s %s\n", verdict_name(oracle_verdict(&world, &query)),
		       verdict_name(explanation.verdict));
		explanation_done(&explanation);
	}
	manifests_free(manifests);
	return 0;
}
