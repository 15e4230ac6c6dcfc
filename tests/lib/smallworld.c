// SPDX-License-Identifier: Apache-2.0
#include "lib/smallworld.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/reason.h>

static struct bh_addr node_addr;
const struct report_node the_node = { &node_addr, 1 };

struct pod *pod_of_role(const char *name, const char *role, const char *addr)
{
	struct pod *pod = a_pod("shop", name, "");

	labels_set(&pod->labels, "role", role);
	if (addr) {
		pod_add_addr(pod, addr);
	} else {
		free(pod->workload);
		pod->workload = strdup("Deployment/x");
	}
	return pod;
}

static struct netpol *db_policy(void)
{
	struct netpol *netpol = a_policy("shop", "db", "role=db");
	struct rule *rule = policy_add_rule(netpol, BH_INGRESS);

	rule_add_peer(rule, "role=api", NULL);
	rule_add_named_port(rule, IPPROTO_TCP, "sql");
	rule_add_port(policy_add_rule(netpol, BH_INGRESS), IPPROTO_TCP, 8000, 8010);
	return netpol;
}

int smallworld_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	node_addr = an_addr("192.0.2.1");
	world->posture.posture = POSTURE_STANDARD;
	world->pods = calloc(8, sizeof(*world->pods));
	world->pods[world->n_pods++] = pod_of_role("web", "api", "10.0.0.1");
	world->pods[world->n_pods++] = pod_of_role("job", "job", "10.0.0.2");
	world->pods[world->n_pods++] = pod_of_role("db", "db", "10.0.0.3");
	pod_add_port(world->pods[2], "sql", IPPROTO_TCP, 5432);
	pod_add_port(world->pods[2], "", IPPROTO_TCP, 9000);
	world_add_policy(world, db_policy());
	*state = world;
	return 0;
}

int smallworld_teardown(void **state)
{
	world_done(*state);
	free(*state);
	return 0;
}

void keep_first_rule(struct world *world)
{
	free(world->netpols[0]->rules[BH_INGRESS][1].ports);
	world->netpols[0]->n_rules[BH_INGRESS] = 1;
}

struct port_match *rule_lists(struct world *world, uint16_t number)
{
	struct port_match *port = &world->netpols[0]->rules[BH_INGRESS][1].ports[0];

	port->first = port->last = number;
	return port;
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

void services_add(struct world *world)
{
	world->services = calloc(2, sizeof(*world->services));
	world->services[0] = a_service("data", "10.96.0.7", "db");
	world->services[1] = a_service("nothing", "10.96.0.8", "nobody");
	world->n_services = 2;
}

struct service *db_service(struct world *world, uint16_t port, uint16_t target)
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

struct bh_event an_event(const char *src, const char *dst, uint16_t port)
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

cJSON *ask(const struct world *world, const char *from, const char *to, const char *port)
{
	struct explain_query query = { 0 };
	cJSON *answer = NULL;

	assert_int_equal(report_resolve(world, &the_node, from, &query.from, NULL), 0);
	assert_int_equal(report_resolve(world, &the_node, to, &query.to, NULL), 0);
	assert_int_equal(report_resolve_port(&query.to, port, &query.proto, &query.port, NULL), 0);
	assert_int_equal(report_explain(world, &query, &answer, NULL), 0);
	return answer;
}

const char *text_at(const cJSON *json, const char *a, const char *b)
{
	const cJSON *member = json_get(json, a);

	if (b)
		member = json_get(member, b);
	if (!cJSON_IsString(member))
		fail_msg("no text at %s.%s", a, b ? b : "");
	return member && member->valuestring ? member->valuestring : "";
}
