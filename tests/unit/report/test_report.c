// SPDX-License-Identifier: Apache-2.0
/*
 * One small world: shop/web, shop/job and shop/db; db takes "api" clients on its
 * port "sql" and 8000-8010/TCP from anybody.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bulkhead/reason.h>

#include "base/cleanup.h"
#include "report/report.h"

static struct bh_addr node_addr;
static const struct report_node node = { &node_addr, 1 };

static struct bh_addr addr_of(const char *text)
{
	struct bh_addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct pod *a_pod(const char *name, const char *role, const char *addr)
{
	struct pod *pod = calloc(1, sizeof(*pod));

	pod->namespace = strdup("shop");
	pod->name = strdup(name);
	pod->uid = strdup("");
	pod->node = strdup("");
	pod->workload = strdup(addr ? "" : "Deployment/x");
	labels_set(&pod->labels, "role", role);
	if (addr) {
		pod->addrs = calloc(2, sizeof(*pod->addrs));
		pod->addrs[pod->n_addrs++] = addr_of(addr);
	}
	return pod;
}

static void serve(struct pod *pod, const char *name, uint16_t number)
{
	pod->ports = reallocarray(pod->ports, pod->n_ports + 1, sizeof(*pod->ports));
	pod->ports[pod->n_ports++] = (struct named_port){ strdup(name), IPPROTO_TCP, number };
}

static void select_role(struct selector *selector, const char *role)
{
	selector->has = true;
	selector->n = 1;
	selector->v = calloc(1, sizeof(*selector->v));
	selector->v[0] = (struct requirement){ strdup("role"), calloc(1, sizeof(char *)), 1, SELECTOR_IN };
	selector->v[0].values[0] = strdup(role);
}

static struct netpol *db_policy(void)
{
	struct netpol *netpol = calloc(1, sizeof(*netpol));
	struct rule *rules = calloc(2, sizeof(*rules));

	netpol->namespace = strdup("shop");
	netpol->name = strdup("db");
	netpol->uid = strdup("");
	select_role(&netpol->pods, "db");
	netpol->isolates[BH_INGRESS] = true;
	rules[0].has_peers = rules[0].has_ports = true;
	rules[0].n_peers = rules[0].n_ports = 1;
	rules[0].peers = calloc(1, sizeof(*rules[0].peers));
	select_role(&rules[0].peers[0].pods, "api");
	rules[0].ports = calloc(1, sizeof(*rules[0].ports));
	rules[0].ports[0] =
		(struct port_match){ .proto = IPPROTO_TCP, .has_port = true, .name = strdup("sql") };
	rules[1].has_ports = true;
	rules[1].n_ports = 1;
	rules[1].ports = calloc(1, sizeof(*rules[1].ports));
	rules[1].ports[0] =
		(struct port_match){ .proto = IPPROTO_TCP, .has_port = true, .first = 8000, .last = 8010 };
	netpol->rules[BH_INGRESS] = rules;
	netpol->n_rules[BH_INGRESS] = 2;
	return netpol;
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	node_addr = addr_of("192.0.2.1");
	world->posture.posture = POSTURE_STANDARD;
	world->pods = calloc(8, sizeof(*world->pods));
	world->pods[world->n_pods++] = a_pod("web", "api", "10.0.0.1");
	world->pods[world->n_pods++] = a_pod("job", "job", "10.0.0.2");
	world->pods[world->n_pods++] = a_pod("db", "db", "10.0.0.3");
	serve(world->pods[2], "sql", 5432);
	serve(world->pods[2], "", 9000);
	world->netpols = calloc(1, sizeof(*world->netpols));
	world->netpols[world->n_netpols++] = db_policy();
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	world_done(*state);
	free(*state);
	return 0;
}

static const char *text_at(const cJSON *json, const char *a, const char *b)
{
	const cJSON *member = json_get(json, a);

	if (b)
		member = json_get(member, b);
	if (!cJSON_IsString(member))
		fail_msg("no text at %s.%s", a, b ? b : "");
	return member && member->valuestring ? member->valuestring : "";
}

static void expect_in(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text ? text : "", part);
}

/* --- resolve --- */

static void ends_are_pods_workloads_the_node_or_outside(void **state)
{
	struct world *world = *state;
	struct explain_end end;

	assert_int_equal(report_resolve(world, &node, "shop/db", &end, NULL), 0);
	assert_ptr_equal(end.pod, world->pods[2]);
	assert_true(end.has_addr && !end.is_own_node);
	assert_int_equal(report_resolve(world, &node, "10.0.0.2", &end, NULL), 0);
	assert_ptr_equal(end.pod, world->pods[1]);
	assert_int_equal(report_resolve(world, &node, "192.0.2.1", &end, NULL), 0);
	assert_null(end.pod);
	assert_true(end.is_own_node);
	assert_int_equal(report_resolve(world, &node, "203.0.113.9", &end, NULL), 0);
	assert_true(!end.pod && !end.is_own_node && end.has_addr);
	world->pods[world->n_pods++] = a_pod("front", "front", NULL);
	assert_int_equal(report_resolve(world, &node, "shop/front", &end, NULL), 0);
	assert_true(end.pod && !end.has_addr);
}

static void unknown_ends_are_named(void **state)
{
	static const char *const unknown[] = { "shop/none", "db",     "none/db",   "",
					       "/",	    "10.0.0", "shop/db/x", "1.2.3.4/8" };
	struct explain_end end;

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		struct err err = { 0 };

		if (report_resolve(*state, &node, unknown[i], &end, &err) != -ENOENT)
			fail_msg("resolved \"%s\"", unknown[i]);
		expect_in(err.msg, unknown[i]);
	}
}

static void an_address_of_a_finished_pod_is_nobodys(void **state)
{
	struct world *world = *state;
	struct explain_end end;

	world->pods[1]->finished = true;
	world->pods[2]->host_network = true;
	assert_int_equal(report_resolve(world, &node, "10.0.0.2", &end, NULL), 0);
	assert_null(end.pod);
	assert_int_equal(report_resolve(world, &node, "10.0.0.3", &end, NULL), 0);
	assert_null(end.pod);
}

static void ports_are_numbers_names_or_icmp(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint8_t proto;
		uint16_t port;
	} rows[] = {
		{ "80", 0, IPPROTO_TCP, 80 },
		{ "53/udp", 0, IPPROTO_UDP, 53 },
		{ "53/UDP", 0, IPPROTO_UDP, 53 },
		{ "udp/53", 0, IPPROTO_UDP, 53 },
		{ "65535/sctp", 0, IPPROTO_SCTP, 65535 },
		{ "sql", 0, IPPROTO_TCP, 5432 },
		{ "sql/tcp", 0, IPPROTO_TCP, 5432 },
		{ "icmp", 0, IPPROTO_ICMP, 0 },
		{ "sql/udp", -ENOENT, 0, 0 },
		{ "http", -ENOENT, 0, 0 },
		{ "", -ENOENT, 0, 0 },
		{ "0", -EINVAL, 0, 0 },
		{ "65536", -EINVAL, 0, 0 },
		{ "80/icmp", -EINVAL, 0, 0 },
		{ "80/", -EINVAL, 0, 0 },
		{ "99999999999999999999999999999999999999999999999999999999999999999999", -EINVAL, 0, 0 },
	};
	struct explain_end end;

	assert_int_equal(report_resolve(*state, &node, "shop/db", &end, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t proto = 0;
		uint16_t port = 0;
		int r = report_resolve_port(&end, rows[i].text, &proto, &port, NULL);

		if (r != rows[i].result || (r == 0 && (proto != rows[i].proto || port != rows[i].port)))
			fail_msg("\"%s\": %d, %u/%u", rows[i].text, r, proto, port);
	}
}

/* --- explain --- */

static cJSON *ask(const struct world *world, const char *from, const char *to, const char *port)
{
	struct explain_query query = { 0 };
	cJSON *answer = NULL;

	assert_int_equal(report_resolve(world, &node, from, &query.from, NULL), 0);
	assert_int_equal(report_resolve(world, &node, to, &query.to, NULL), 0);
	assert_int_equal(report_resolve_port(&query.to, port, &query.proto, &query.port, NULL), 0);
	assert_int_equal(report_explain(world, &query, &answer, NULL), 0);
	return answer;
}

static void an_allowed_connection_names_its_rule(void **state)
{
	auto_json cJSON *answer = ask(*state, "shop/web", "shop/db", "sql");

	assert_string_equal(text_at(answer, "verdict", NULL), "allow");
	assert_string_equal(text_at(answer, "from", NULL), "shop/web");
	assert_string_equal(text_at(answer, "toAddress", NULL), "10.0.0.3");
	assert_string_equal(text_at(answer, "protocol", NULL), "TCP");
	assert_int_equal(json_get(answer, "port")->valueint, 5432);
	assert_string_equal(text_at(answer, "ingress", "policy"), "shop/db");
	assert_int_equal(json_get(json_get(answer, "ingress"), "rule")->valueint, 0);
	assert_false(cJSON_IsTrue(json_get(json_get(answer, "egress"), "isolated")));
	expect_in(text_at(answer, "sentence", NULL), "shop/web -> shop/db TCP/5432: allowed\n");
}

/* Which of two misses is the nearer is the evaluator's choice, and its tests'. */
static void keep_first_rule(struct world *world)
{
	free(world->netpols[0]->rules[BH_INGRESS][1].ports);
	world->netpols[0]->n_rules[BH_INGRESS] = 1;
}

static void a_denied_connection_says_which_clause(void **state)
{
	auto_json cJSON *answer = NULL;

	keep_first_rule(*state);
	answer = ask(*state, "shop/job", "shop/db", "sql");

	assert_string_equal(text_at(answer, "verdict", NULL), "deny");
	assert_string_equal(text_at(answer, "ingress", "verdict"), "deny");
	assert_string_equal(text_at(answer, "ingress", "clause"), "pod label");
	assert_string_equal(json_get(json_get(answer, "ingress"), "isolating")->child->valuestring,
			    "shop/db");
	expect_in(text_at(answer, "ingress", "why"), "job");
	expect_in(text_at(answer, "sentence", NULL), "shop/job -> shop/db TCP/5432: denied\n");
}

static void two_pods_are_judged_in_one_family(void **state)
{
	struct world *world = *state;
	auto_json cJSON *answer = NULL;

	world->pods[0]->addrs[0] = addr_of("fd00::1");
	world->pods[0]->addrs[world->pods[0]->n_addrs++] = addr_of("10.0.0.1");
	answer = ask(world, "shop/web", "shop/db", "sql");
	assert_string_equal(text_at(answer, "fromAddress", NULL), "10.0.0.1");
	assert_string_equal(text_at(answer, "toAddress", NULL), "10.0.0.3");
}

static void hostile_names_are_escaped_in_the_sentence(void **state)
{
	struct world *world = *state;
	auto_json cJSON *answer = NULL;

	free(world->pods[0]->name);
	world->pods[0]->name = strdup("w\033[2Jeb");
	answer = ask(world, "10.0.0.1", "shop/db", "sql");
	assert_null(strchr(text_at(answer, "sentence", NULL), '\033'));
	expect_in(text_at(answer, "sentence", NULL), "w\\x1b[2Jeb");
}

/* --- matrix --- */

static const cJSON *cell_of(const cJSON *matrix, const char *from, const char *to)
{
	const cJSON *cell;

	cJSON_ArrayForEach (cell, json_get(matrix, "cells"))
		if (strcmp(text_at(cell, "from", NULL), from) == 0 &&
		    strcmp(text_at(cell, "to", NULL), to) == 0)
			return cell;
	fail_msg("no cell %s -> %s", from, to);
	return NULL;
}

static void expect_cell(const cJSON *matrix, const char *from, const char *to, const char *want)
{
	cJSON *ranges = cJSON_Duplicate(json_get(cell_of(matrix, from, to), "ranges"), true);
	char *printed = cJSON_PrintUnformatted(ranges);

	if (strcmp(printed, want) != 0)
		fail_msg("%s -> %s: %s\n  want %s", from, to, printed, want);
	cJSON_free(printed);
	cJSON_Delete(ranges);
}

static void the_matrix_is_exact_over_all_ports(void **state)
{
#define RANGE(first, last)                                                                                   \
	"{\"protocol\":\"TCP\",\"first\":" #first ",\"last\":" #last ",\"verdict\":\"allow\"}"
	auto_json cJSON *matrix = NULL;

	assert_int_equal(report_matrix(*state, NULL, &matrix, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "pods")), 3);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "cells")), 6);
	expect_cell(matrix, "shop/web", "shop/db", "[" RANGE(5432, 5432) "," RANGE(8000, 8010) "]");
	expect_cell(matrix, "shop/job", "shop/db", "[" RANGE(8000, 8010) "]");
	expect_cell(matrix, "shop/db", "shop/web", "[]");
	assert_string_equal(text_at(cell_of(matrix, "shop/db", "shop/web"), "other", NULL), "allow");
	assert_string_equal(text_at(cell_of(matrix, "shop/job", "shop/db"), "other", NULL), "deny");
#undef RANGE
}

static void declared_ports_carry_their_verdict(void **state)
{
	auto_json cJSON *matrix = NULL;
	const cJSON *ports;

	assert_int_equal(report_matrix(*state, "shop", &matrix, NULL), 0);
	ports = json_get(cell_of(matrix, "shop/web", "shop/db"), "ports");
	assert_int_equal(cJSON_GetArraySize(ports), 2);
	assert_int_equal(json_get(ports->child, "port")->valueint, 5432);
	assert_string_equal(text_at(ports->child, "verdict", NULL), "allow");
	assert_int_equal(json_get(ports->child->next, "port")->valueint, 9000);
	assert_string_equal(text_at(ports->child->next, "verdict", NULL), "deny");
}

static void a_pod_hides_the_template_of_its_name(void **state)
{
	struct world *world = *state;
	auto_json cJSON *matrix = NULL;
	struct explain_end end;

	world->pods[3] = world->pods[2];
	world->pods[2] = a_pod("db", "db", NULL);
	world->n_pods++;
	assert_int_equal(report_resolve(world, &node, "shop/db", &end, NULL), 0);
	assert_ptr_equal(end.pod, world->pods[3]);
	assert_int_equal(report_matrix(world, NULL, &matrix, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "pods")), 3);
	assert_int_equal(cJSON_GetArraySize(json_get(cell_of(matrix, "shop/web", "shop/db"), "ports")), 2);
}

static void replicas_share_their_cells_unless_addresses_count(void **state)
{
	struct world *world = *state;
	struct rule *rule = &world->netpols[0]->rules[BH_INGRESS][0];
	auto_json cJSON *alike = NULL, *apart = NULL;

	world->pods[world->n_pods++] = a_pod("web2", "api", "10.0.1.1");
	assert_int_equal(report_matrix(world, NULL, &alike, NULL), 0);
	assert_true(cJSON_Compare(json_get(cell_of(alike, "shop/web", "shop/db"), "ranges"),
				  json_get(cell_of(alike, "shop/web2", "shop/db"), "ranges"), true));
	assert_string_equal(text_at(cell_of(alike, "shop/web2", "shop/web"), "other", NULL), "allow");

	selector_done(&rule->peers[0].pods);
	rule->peers[0].pods.has = false;
	rule->peers[0].has_block = true;
	assert_int_equal(prefix_parse("10.0.1.0/24", &rule->peers[0].block), 0);
	assert_int_equal(report_matrix(world, NULL, &apart, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(cell_of(apart, "shop/web", "shop/db"), "ranges")), 1);
	assert_int_equal(cJSON_GetArraySize(json_get(cell_of(apart, "shop/web2", "shop/db"), "ranges")), 2);
}

static void ranges_join_and_touch_the_ends(void **state)
{
	struct world *world = *state;
	struct port_match *port = &world->netpols[0]->rules[BH_INGRESS][1].ports[0];
	auto_json cJSON *matrix = NULL;

	port->first = 1;
	port->last = 65535;
	assert_int_equal(report_matrix(world, NULL, &matrix, NULL), 0);
	expect_cell(matrix, "shop/web", "shop/db",
		    "[{\"protocol\":\"TCP\",\"first\":1,\"last\":65535,\"verdict\":\"allow\"}]");
}

static void the_matrix_leaves_out_whom_policies_do_not_govern(void **state)
{
	struct world *world = *state;
	auto_json cJSON *all = NULL, *none = NULL;

	world->pods[0]->host_network = true;
	world->pods[1]->finished = true;
	assert_int_equal(report_matrix(world, NULL, &all, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(all, "pods")), 1);
	assert_int_equal(report_matrix(world, "other", &none, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(none, "pods")), 0);
}

static void a_workload_has_a_cell_between_its_replicas(void **state)
{
	struct world *world = *state;
	auto_json cJSON *matrix = NULL;

	world->pods[world->n_pods++] = a_pod("store", "db", NULL); /* the policy selects it */
	serve(world->pods[3], "sql", 5432);
	world->pods[world->n_pods++] = a_pod("front", "api", NULL);
	assert_int_equal(report_matrix(world, NULL, &matrix, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(matrix, "cells")), 5 * 4 + 2);
	assert_string_equal(text_at(cell_of(matrix, "shop/store", "shop/store"), "other", NULL), "deny");
	expect_cell(matrix, "shop/store", "shop/store",
		    "[{\"protocol\":\"TCP\",\"first\":8000,\"last\":8010,\"verdict\":\"allow\"}]");
	assert_string_equal(text_at(cell_of(matrix, "shop/front", "shop/front"), "other", NULL), "allow");
}

/* --- events --- */

static struct bh_event an_event(const char *src, const char *dst, uint16_t port)
{
	return (struct bh_event){
		.src = addr_of(src),
		.dst = addr_of(dst),
		.sport = htons(40000),
		.dport = htons(port),
		.proto = IPPROTO_TCP,
		.direction = BH_INGRESS,
		.reason = BH_POLICY,
		.action = BH_DENY,
	};
}

static void a_drop_names_everything_in_one_line(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 5432);
	auto_json cJSON *json = NULL;
	const char *sentence;

	keep_first_rule(world);
	assert_int_equal(report_event(world, &node, &event, world->pods[2], &json, NULL), 0);
	assert_string_equal(text_at(json, "action", NULL), "drop");
	assert_string_equal(text_at(json, "reason", NULL), "policy");
	assert_string_equal(text_at(json, "direction", NULL), "ingress");
	assert_string_equal(text_at(json, "from", NULL), "shop/job");
	assert_string_equal(text_at(json, "to", NULL), "shop/db");
	assert_int_equal(json_get(json, "port")->valueint, 5432);
	sentence = text_at(json, "sentence", NULL);
	assert_null(strchr(sentence, '\n'));
	expect_in(sentence,
		  "dropped TCP shop/job (10.0.0.2) -> shop/db (10.0.0.3) port 5432, ingress of shop/db; ");
	expect_in(sentence, "isolated by shop/db");
	expect_in(sentence, "rule 0 of shop/db");
	expect_in(sentence, "job");
	assert_non_null(json_get(json_get(json, "explanation"), "ingress"));
}

static struct service *a_service(const char *name, const char *addr, const char *selector)
{
	struct service *service = calloc(1, sizeof(*service));

	service->namespace = strdup("shop");
	service->name = strdup(name);
	service->addrs = calloc(1, sizeof(*service->addrs));
	service->addrs[0] = addr_of(addr);
	service->n_addrs = 1;
	service->ports = calloc(1, sizeof(*service->ports));
	service->ports[0] = (struct service_port){ strdup(""), IPPROTO_TCP, 80, 5432, NULL };
	service->n_ports = 1;
	labels_set(&service->selector, "role", selector);
	service->has_selector = true;
	return service;
}

static void services_add(struct world *world)
{
	world->services = calloc(2, sizeof(*world->services));
	world->services[0] = a_service("data", "10.96.0.7", "db");
	world->services[1] = a_service("nothing", "10.96.0.8", "nobody");
	world->n_services = 2;
}

static void a_drop_names_the_service_that_was_dialled(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 5432);
	auto_json cJSON *json = NULL, *nobody = NULL;

	services_add(world);
	keep_first_rule(world);
	event.service = addr_of("10.96.0.7");
	event.service_port = htons(80);
	assert_int_equal(report_event(world, &node, &event, world->pods[2], &json, NULL), 0);
	expect_in(text_at(json, "sentence", NULL), "-> shop/db (10.0.0.3) port 5432 by Service shop/data "
						   "(10.96.0.7 port 80), ingress of shop/db");
	assert_string_equal(text_at(json, "service", NULL), "shop/data");
	assert_string_equal(text_at(json, "serviceAddress", NULL), "10.96.0.7");
	assert_int_equal(json_get(json, "servicePort")->valueint, 80);
	/* Nobody serves: it never became another address. */
	event = an_event("10.0.0.2", "10.96.0.8", 80);
	event.direction = BH_EGRESS;
	event.reason = BH_NO_BACKEND;
	assert_int_equal(report_event(world, &node, &event, NULL, &nobody, NULL), 0);
	expect_in(text_at(nobody, "sentence", NULL), "by Service shop/nothing (10.96.0.8 port 80)");
	expect_in(text_at(nobody, "sentence", NULL), "no endpoint serves this Service now");
}

static void a_drop_at_the_tunnel_names_the_node(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 5432);
	auto_json cJSON *in = NULL, *out = NULL;

	services_add(world);
	event.reason = BH_TUNNEL_SENDER;
	event.service = addr_of("10.96.0.7"); /* a node's address here, whatever else has it */
	assert_int_equal(report_event(world, &node, &event, NULL, &in, NULL), 0);
	expect_in(text_at(in, "sentence", NULL),
		  "port 5432, out of the tunnel from 10.96.0.7: tunnel packet whose "
		  "source is in no pod range of the node that sent it");
	assert_string_equal(text_at(in, "tunnelFrom", NULL), "10.96.0.7");
	assert_null(json_get(in, "service"));
	event.reason = BH_TUNNEL_RANGE;
	event.direction = BH_EGRESS;
	event.service = (struct bh_addr){ 0 };
	assert_int_equal(report_event(world, &node, &event, NULL, &out, NULL), 0);
	expect_in(text_at(out, "sentence", NULL),
		  "port 5432, into the tunnel: tunnel packet to no pod range");
	assert_null(json_get(out, "tunnelFrom"));
}

static void a_services_address_is_explained_by_its_backends(void **state)
{
	struct world *world = *state;
	struct explain_query query = { .proto = IPPROTO_TCP, .port = 80 };
	auto_json cJSON *answer = NULL, *nobody = NULL;

	services_add(world);
	assert_int_equal(report_resolve(world, &node, "10.0.0.2", &query.from, NULL), 0);
	assert_int_equal(report_resolve(world, &node, "10.96.0.7", &query.to, NULL), 0);
	assert_int_equal(report_explain(world, &query, &answer, NULL), 0);
	assert_string_equal(text_at(answer, "service", NULL), "shop/data");
	assert_int_equal(cJSON_GetArraySize(json_get(answer, "backends")), 1);
	assert_string_equal(text_at(json_get(answer, "backends")->child, "to", NULL), "shop/db");
	assert_string_equal(text_at(answer, "verdict", NULL),
			    text_at(json_get(answer, "backends")->child, "verdict", NULL));
	expect_in(text_at(answer, "sentence", NULL), "-> Service shop/data (10.96.0.7) TCP/80: ");
	query.to.addr = addr_of("10.96.0.8");
	assert_int_equal(report_explain(world, &query, &nobody, NULL), 0);
	assert_string_equal(text_at(nobody, "verdict", NULL), "deny");
	expect_in(text_at(nobody, "sentence", NULL), "refused, no endpoint serves it");
}

static void a_drop_that_policy_did_not_decide_gives_its_reason(void **state)
{
	struct world *world = *state;
	struct bh_event event = an_event("10.9.9.9", "10.0.0.3", 5432);
	auto_json cJSON *json = NULL;

	event.direction = BH_EGRESS;
	event.reason = BH_SRC_ADDR;
	assert_int_equal(report_event(world, &node, &event, world->pods[1], &json, NULL), 0);
	assert_string_equal(text_at(json, "from", NULL), "shop/job");
	assert_string_equal(text_at(json, "fromAddress", NULL), "10.9.9.9");
	assert_string_equal(text_at(json, "reason", NULL), "src_addr");
	expect_in(text_at(json, "sentence", NULL), "egress of shop/job: source address is not the pod's");
	assert_null(json_get(json, "explanation"));
}

static void a_drop_that_policies_now_allow_says_so(void **state)
{
	struct bh_event event = an_event("10.0.0.1", "10.0.0.3", 5432);
	struct world *world = *state;
	auto_json cJSON *json = NULL;

	assert_int_equal(report_event(world, &node, &event, world->pods[2], &json, NULL), 0);
	expect_in(text_at(json, "sentence", NULL), "the policies as they are now would let it pass");
}

static void unknown_ends_and_reasons_still_print(void **state)
{
	struct bh_event event = an_event("203.0.113.9", "198.51.100.7", 1);
	auto_json cJSON *json = NULL;

	event.reason = 63;
	event.proto = 47;
	assert_int_equal(report_event(*state, &node, &event, NULL, &json, NULL), 0);
	assert_string_equal(text_at(json, "reason", NULL), "unknown");
	assert_string_equal(text_at(json, "protocol", NULL), "47");
	assert_null(json_get(json, "port"));
	expect_in(text_at(json, "sentence", NULL), "dropped 47 203.0.113.9 -> 198.51.100.7, ingress of");
}

static void a_frame_that_was_not_parsed_is_called_one(void **state)
{
	struct bh_event event = {
		.ifindex = 7, .direction = BH_EGRESS, .reason = BH_ETHERTYPE, .ethertype = 0x88cc
	};
	struct world *world = *state;
	auto_json cJSON *known = NULL;
	auto_json cJSON *unknown = NULL;

	assert_int_equal(report_event(world, &node, &event, world->pods[1], &known, NULL), 0);
	expect_in(text_at(known, "sentence", NULL), "dropped frame of type 0x88cc, egress of shop/job: ");
	event.ethertype = 0x86dd;
	event.reason = BH_CLOSED;
	assert_int_equal(report_event(world, &node, &event, NULL, &unknown, NULL), 0);
	expect_in(text_at(unknown, "sentence", NULL), "dropped IPv6 frame, egress of interface 7: ");
}

static void a_pod_that_is_not_known_is_not_explained(void **state)
{
	struct bh_event event = an_event("203.0.113.9", "198.51.100.7", 80);
	auto_json cJSON *json = NULL;

	event.reason = BH_POLICY;
	assert_int_equal(report_event(*state, &node, &event, NULL, &json, NULL), 0);
	assert_null(json_get(json, "explanation"));
	expect_in(text_at(json, "sentence", NULL),
		  ": no rule allows it; why is not known, for the pod is not");
}

static void event_times_are_wall_clock(void **state)
{
	struct bh_event event = an_event("10.0.0.1", "10.0.0.3", 1);
	auto_json cJSON *json = NULL;
	struct timespec mono;
	int year = 0, month = 0;
	struct tm tm;
	time_t now = time(NULL);

	clock_gettime(CLOCK_MONOTONIC, &mono);
	event.time_ns = (__u64)mono.tv_sec * 1000000000u;
	assert_int_equal(report_event(*state, &node, &event, NULL, &json, NULL), 0);
	assert_int_equal(sscanf(text_at(json, "time", NULL), "%d-%d-", &year, &month), 2);
	gmtime_r(&now, &tm);
	assert_int_equal(year, tm.tm_year + 1900);
	assert_int_equal(text_at(json, "time", NULL)[strlen(text_at(json, "time", NULL)) - 1], 'Z');
}

/* --- policies and lint --- */

static void policies_say_whom_they_select(void **state)
{
	auto_json cJSON *json = NULL;
	const cJSON *policy;

	assert_int_equal(report_policies(*state, &json, NULL), 0);
	policy = json_get(json, "policies")->child;
	assert_string_equal(text_at(policy, "name", NULL), "db");
	assert_string_equal(json_get(policy, "isolates")->child->valuestring, "ingress");
	assert_int_equal(cJSON_GetArraySize(json_get(policy, "selects")), 1);
	assert_string_equal(json_get(policy, "selects")->child->valuestring, "shop/db");
	assert_int_equal(json_get(json_get(policy, "rules"), "ingress")->valueint, 2);
}

static size_t findings(const struct world *world, const char *level, const char *field, const char *message)
{
	auto_json cJSON *json = NULL;
	const cJSON *finding;
	size_t n = 0;

	assert_int_equal(report_lint(world, &json, NULL), 0);
	cJSON_ArrayForEach (finding, json_get(json, "findings"))
		n += strcmp(text_at(finding, "level", NULL), level) == 0 &&
		     strcmp(text_at(finding, "field", NULL), field) == 0 &&
		     strstr(text_at(finding, "message", NULL), message);
	return n;
}

static void a_sound_policy_has_no_findings(void **state)
{
	auto_json cJSON *json = NULL;

	assert_int_equal(report_lint(*state, &json, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(json_get(json, "findings")), 0);
}

static void lint_finds_what_matches_nothing(void **state)
{
	struct world *world = *state;
	struct netpol *netpol = world->netpols[0];

	free(netpol->rules[BH_INGRESS][0].ports[0].name);
	netpol->rules[BH_INGRESS][0].ports[0].name = strdup("sqll");
	assert_int_equal(findings(world, "warning", "spec.ingress[0].ports[0]",
				  "shop/db serves no TCP port named \"sqll\""),
			 1);
	world->pods[0]->finished = true;
	assert_int_equal(findings(world, "note", "spec.ingress[0].from[0]", "matches no pod now"), 1);
	world->pods[2]->finished = true;
	assert_int_equal(findings(world, "note", "spec.podSelector", "selects no pod now"), 1);
	netpol->isolates[BH_INGRESS] = false;
	assert_int_equal(findings(world, "warning", "spec.ingress", "has no effect"), 1);
}

static void lint_passes_problems_on(void **state)
{
	struct world *world = *state;

	world->netpols[0]->problems = calloc(1, sizeof(char *));
	world->netpols[0]->problems[world->netpols[0]->n_problems++] = strdup("spec.x: unknown field");
	assert_int_equal(findings(world, "error", "spec.x", "unknown field"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- Services (R25) --- */

/* shop/api in front of the pods of role db: `port` there is `target` in the pods. */
static struct service *db_service(struct world *world, uint16_t port, uint16_t target)
{
	struct service *service = calloc(1, sizeof(*service));

	service->namespace = strdup("shop");
	service->name = strdup("api");
	service->has_selector = true;
	labels_set(&service->selector, "role", "db");
	service->ports = calloc(1, sizeof(*service->ports));
	service->n_ports = 1;
	service->ports[0] = (struct service_port){ strdup("web"), IPPROTO_TCP, port, target, NULL };
	world->services = reallocarray(world->services, world->n_services + 1, sizeof(service));
	world->services[world->n_services++] = service;
	return service;
}

/* The policy's second rule takes one port, and no other. */
static struct port_match *rule_lists(struct world *world, uint16_t number)
{
	struct port_match *port = &world->netpols[0]->rules[BH_INGRESS][1].ports[0];

	port->first = port->last = number;
	return port;
}

static size_t warnings_with(const struct world *world, const char *message, char field[64])
{
	auto_json cJSON *answer = NULL;
	const cJSON *finding;
	size_t n = 0;

	assert_int_equal(report_lint(world, &answer, NULL), 0);
	cJSON_ArrayForEach (finding, json_get(answer, "findings"))
		if (strcmp(text_at(finding, "level", NULL), "warning") == 0 &&
		    strstr(text_at(finding, "message", NULL), message)) {
			snprintf(field, 64, "%s", text_at(finding, "field", NULL));
			n++;
		}
	return n;
}

static void lint_tells_a_services_port_from_its_pods(void **state)
{
	struct world *world = *state;
	char field[64] = "";

	db_service(world, 80, 9000);
	rule_lists(world, 80);
	assert_int_equal(warnings_with(world, "port 80 is Service shop/api's; its pods serve 9000", field),
			 1);
	assert_string_equal(field, "spec.ingress[1].ports[0]");
}

static void lint_accepts_a_port_that_a_backend_uses(void **state)
{
	struct world *world = *state;
	struct service *service = db_service(world, 80, 9000);
	struct port_match *port = rule_lists(world, 9000);
	char field[64];

	assert_int_equal(warnings_with(world, "is Service", field), 0);
	port = rule_lists(world, 80);
	serve(world->pods[2], "", 80); /* declared */
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	world->pods[2]->ports[world->pods[2]->n_ports - 1].number = 81;
	assert_int_equal(warnings_with(world, "is Service", field), 1);
	port->proto = IPPROTO_UDP;
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	port->proto = IPPROTO_TCP;
	service->headless = true;
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	service->headless = false;
	db_service(world, 8080, 80); /* another Service leads there */
	assert_int_equal(warnings_with(world, "is Service", field), 0);
}

static void lint_needs_a_selector_that_meets_the_policys_pods(void **state)
{
	struct world *world = *state;
	struct service *service = db_service(world, 80, 9000);
	char field[64];

	rule_lists(world, 80);
	service->has_selector = false;
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	service->has_selector = true;
	labels_set(&service->selector, "role", "api");
	assert_int_equal(warnings_with(world, "is Service", field), 0);
	labels_set(&service->selector, "role", "db");
	assert_int_equal(warnings_with(world, "is Service", field), 1);
}

static void lint_resolves_a_target_by_its_name(void **state)
{
	struct world *world = *state;
	struct service *service = db_service(world, 80, 0);
	struct port_match *port = rule_lists(world, 80);
	char field[64];

	service->ports[0].target_name = strdup("sql");
	assert_int_equal(warnings_with(world, "port 80 is Service shop/api's; its pods serve 5432", field),
			 1);
	port->name = strdup("web"); /* the Service's name for it */
	assert_int_equal(
		warnings_with(world, "port \"web\" is Service shop/api's; its pods serve 5432", field), 1);
	free(service->ports[0].target_name);
	service->ports[0].target_name = strdup("none");
	assert_int_equal(warnings_with(world, "is Service", field), 0);
}

static void lint_looks_at_the_peers_of_an_egress_rule(void **state)
{
	struct world *world = *state;
	struct netpol *netpol = world->netpols[0];
	struct rule *rule = calloc(1, sizeof(*rule));
	char field[64] = "";

	db_service(world, 80, 9000);
	netpol->isolates[BH_EGRESS] = true;
	netpol->rules[BH_EGRESS] = rule;
	netpol->n_rules[BH_EGRESS] = 1;
	rule->has_ports = true;
	rule->n_ports = 1;
	rule->ports = calloc(1, sizeof(*rule->ports));
	rule->ports[0] =
		(struct port_match){ .proto = IPPROTO_TCP, .has_port = true, .first = 80, .last = 80 };
	assert_int_equal(warnings_with(world, "is Service", field), 0); /* towards anyone */
	rule->has_peers = true;
	rule->n_peers = 1;
	rule->peers = calloc(1, sizeof(*rule->peers));
	select_role(&rule->peers[0].pods, "db");
	assert_int_equal(warnings_with(world, "port 80 is Service shop/api's", field), 1);
	assert_string_equal(field, "spec.egress[0].ports[0]");
}

static void a_denial_hints_at_the_services_port(void **state)
{
	static const char hint[] = "hint: port 80 is Service shop/api's; its pods serve 9000";
	struct world *world = *state;
	struct rule *rules = world->netpols[0]->rules[BH_INGRESS];
	struct bh_event event = an_event("10.0.0.2", "10.0.0.3", 9000);
	auto_json cJSON *answer = NULL, *drop = NULL, *other = NULL;

	db_service(world, 80, 9000);
	rule_lists(world, 80);
	selector_done(&rules[0].peers[0].pods); /* nobody: the second rule is the nearest */
	select_role(&rules[0].peers[0].pods, "none");
	answer = ask(world, "shop/job", "shop/db", "9000");
	assert_string_equal(text_at(answer, "verdict", NULL), "deny");
	expect_in(text_at(answer, "sentence", NULL), hint);
	assert_int_equal(report_event(world, &node, &event, world->pods[2], &drop, NULL), 0);
	expect_in(text_at(drop, "sentence", NULL), hint);
	assert_null(strchr(text_at(drop, "sentence", NULL), '\n'));
	other = ask(world, "shop/job", "shop/db", "9001");
	assert_null(strstr(text_at(other, "sentence", NULL), "hint"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ends_are_pods_workloads_the_node_or_outside),
		TEST(unknown_ends_are_named),
		TEST(an_address_of_a_finished_pod_is_nobodys),
		TEST(ports_are_numbers_names_or_icmp),
		TEST(an_allowed_connection_names_its_rule),
		TEST(a_denied_connection_says_which_clause),
		TEST(two_pods_are_judged_in_one_family),
		TEST(hostile_names_are_escaped_in_the_sentence),
		TEST(the_matrix_is_exact_over_all_ports),
		TEST(declared_ports_carry_their_verdict),
		TEST(a_pod_hides_the_template_of_its_name),
		TEST(replicas_share_their_cells_unless_addresses_count),
		TEST(ranges_join_and_touch_the_ends),
		TEST(a_workload_has_a_cell_between_its_replicas),
		TEST(the_matrix_leaves_out_whom_policies_do_not_govern),
		TEST(a_drop_names_everything_in_one_line),
		TEST(a_drop_names_the_service_that_was_dialled),
		TEST(a_drop_at_the_tunnel_names_the_node),
		TEST(a_services_address_is_explained_by_its_backends),
		TEST(a_drop_that_policy_did_not_decide_gives_its_reason),
		TEST(a_drop_that_policies_now_allow_says_so),
		TEST(unknown_ends_and_reasons_still_print),
		TEST(a_frame_that_was_not_parsed_is_called_one),
		TEST(a_pod_that_is_not_known_is_not_explained),
		TEST(event_times_are_wall_clock),
		TEST(policies_say_whom_they_select),
		TEST(a_sound_policy_has_no_findings),
		TEST(lint_finds_what_matches_nothing),
		TEST(lint_passes_problems_on),
		TEST(lint_tells_a_services_port_from_its_pods),
		TEST(lint_accepts_a_port_that_a_backend_uses),
		TEST(lint_needs_a_selector_that_meets_the_policys_pods),
		TEST(lint_resolves_a_target_by_its_name),
		TEST(lint_looks_at_the_peers_of_an_egress_rule),
		TEST(a_denial_hints_at_the_services_port),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
