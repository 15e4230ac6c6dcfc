// SPDX-License-Identifier: Apache-2.0
/*
 * What policies say of connections between addresses, by the slow oracle and by the
 * evaluator: manifests in a folder, on stdin a row "FROM TO WHAT" each (addresses;
 * tcp/N, udp/N or icmp), for each row a line "ORACLE EVALUATOR" of allow, deny, audit.
 *
 * verdicts --rows FILE says what a file of the case table needs in order to be measured:
 *   posture WORD
 *   pod NAMESPACE NAME ADDRESS...       that runs here
 *   listen END WHAT                     for a row, or for a Service that may lead there
 *   outside ADDRESS                     that a row or a Service needs outside
 *   row FROM ADDRESS ADDRESS WHAT WANT  from whom, its address, what it dials
 * where an end is NAMESPACE/NAME of a pod, "node", or "x" for the outside. A Service's row
 * dials the Service; every pod then listens on all that Services lead to, so that only
 * translation and policy decide.
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

static void end_print(const struct explain_end *end)
{
	if (end->pod && case_pod_is_here(end->pod))
		printf("%s/%s", end->pod->namespace, end->pod->name);
	else
		printf("%s", end->is_own_node ? "node" : "x");
}

static bool is_outside(const struct explain_end *end)
{
	return !end->is_own_node && !(end->pod && case_pod_is_here(end->pod));
}

static void addr_print(const struct bh_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	printf(" %s", text);
}

static void outside_print(const struct bh_addr *addr)
{
	printf("outside");
	addr_print(addr);
	printf("\n");
}

static void pods_print(const struct world *world)
{
	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *pod = world->pods[i];
		bool is_here = case_pod_is_here(pod);

		for (size_t j = 0; !is_here && !pod->finished && !pod->host_network && j < pod->n_addrs; j++)
			outside_print(&pod->addrs[j]); /* another node is outside of this one */
		if (!is_here)
			continue;
		printf("pod %s %s", pod->namespace, pod->name);
		for (size_t j = 0; j < pod->n_addrs; j++)
			addr_print(&pod->addrs[j]);
		printf("\n");
	}
}

/* --- where Services lead */

static void target_print(const struct world *world, uint8_t proto, uint16_t port)
{
	const char *name = proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "sctp";

	printf("listen x %s/%u\n", name, port);
	for (size_t i = 0; port && i < world->n_pods; i++)
		if (case_pod_is_here(world->pods[i]))
			printf("listen %s/%s %s/%u\n", world->pods[i]->namespace, world->pods[i]->name, name,
			       port);
}

static void service_targets_print(const struct world *world, const struct service *service)
{
	for (size_t i = 0; i < service->n_ports; i++) {
		const struct service_port *port = &service->ports[i];

		if (!port->target_name)
			target_print(world, port->proto, port->target);
		for (size_t j = 0; port->target_name && j < world->n_pods; j++)
			for (size_t k = 0; k < world->pods[j]->n_ports; k++)
				if (strcmp(world->pods[j]->ports[k].name, port->target_name) == 0)
					target_print(world, port->proto, world->pods[j]->ports[k].number);
	}
}

static void slice_targets_print(const struct world *world, const struct endpoint_slice *slice)
{
	for (size_t i = 0; i < slice->n_ports; i++)
		target_print(world, slice->ports[i].proto, slice->ports[i].port);
	for (size_t i = 0; i < slice->n_endpoints; i++)
		if (!pod_of(world, &slice->endpoints[i].addr))
			outside_print(&slice->endpoints[i].addr);
}

static void targets_print(const struct world *world)
{
	for (size_t i = 0; i < world->n_services; i++)
		service_targets_print(world, world->services[i]);
	for (size_t i = 0; i < world->n_slices; i++)
		slice_targets_print(world, world->slices[i]);
}

/* --- */

static void row_print(const struct case_row *row)
{
	const struct explain_query *query = &row->query;

	if (is_outside(&query->from))
		outside_print(&query->from.addr);
	if (is_outside(&query->to) && !row->is_service)
		outside_print(&query->to.addr);
	if (!row->is_service && strcmp(row->what, "icmp") != 0) {
		printf("listen ");
		end_print(&query->to);
		printf(" %s\n", row->what);
	}
	printf("row ");
	end_print(&query->from);
	addr_print(&query->from.addr);
	addr_print(&query->to.addr);
	printf(" %s %s\n", row->what, verdict_name(row->want));
}

static int rows_print(const char *path)
{
	static const char *const postures[] = { "unset", "standard", "deny", "audit" };
	struct case_file file;
	struct err err = { 0 };

	if (case_file_read(path, &file, &err) < 0) {
		fprintf(stderr, "verdicts: %s\n", err.msg);
		return 2;
	}
	printf("posture %s\n", postures[file.world.posture.posture]);
	pods_print(&file.world);
	targets_print(&file.world);
	for (size_t i = 0; i < file.n_rows; i++)
		row_print(&file.rows[i]);
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
