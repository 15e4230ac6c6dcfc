// SPDX-License-Identifier: Apache-2.0
#include "lib/randworld.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/build.h"

#define PICK(rng, array) ((array)[rng_below(rng, sizeof(array) / sizeof(*(array)))])

const char *const rand_addrs[] = {
	"10.0.0.1",  "10.0.0.2",  "10.0.0.3",	 "10.0.1.1",  "10.0.1.2",
	"10.0.1.6",  "fd00::1",	  "fd00::2",	 "fd00::1:1", "10.0.0.77",
	"10.0.1.77", "192.0.2.1", "2001:db8::1", "fd00::99",  "255.255.255.255",
};
const size_t rand_n_addrs = sizeof(rand_addrs) / sizeof(*rand_addrs);
#define POD_ADDRS 9 /* the first ones are pods' */

const struct rand_port rand_ports[] = {
	{ IPPROTO_TCP, 80 }, { IPPROTO_TCP, 81 }, { IPPROTO_TCP, 8080 },
	{ IPPROTO_TCP, 53 }, { IPPROTO_TCP, 1 },  { IPPROTO_TCP, 65535 },
	{ IPPROTO_UDP, 53 }, { IPPROTO_UDP, 80 }, { IPPROTO_SCTP, 80 },
	{ IPPROTO_ICMP, 0 }, { 50, 0 },
};
const size_t rand_n_ports = sizeof(rand_ports) / sizeof(*rand_ports);

static const char *const namespaces[] = { "a", "b", "c" };
static const char *const names[] = { "http", "dns", "alt" };
static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
static const uint16_t ports[] = { 80, 81, 8080, 53, 1, 65535 };
static const char *const blocks[] = {
	"10.0.0.0/24", "10.0.0.0/16", "10.0.1.0/30", "0.0.0.0/0",   "10.0.0.2/32", "192.0.2.0/24",
	"10.0.1.0/24", "::/0",	      "fd00::/64",   "fd00::/120",  "0.0.0.0/1",   "128.0.0.0/1",
	"8000::/1",    "::/1",	      "fd00::1/128", "10.0.1.6/31",
};

uint64_t rng_seed(void)
{
	const char *text = getenv("BULKHEAD_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);

	printf("# BULKHEAD_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* splitmix64 */
uint32_t rng_below(struct rng *rng, uint32_t n)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) % n);
}

static bool chance(struct rng *rng, uint32_t percent)
{
	return rng_below(rng, 100) < percent;
}

static void random_labels(struct rng *rng, struct labels *labels)
{
	static const char *const apps[] = { "x", "y", "z" };

	labels_done(labels);
	if (chance(rng, 85))
		labels_set(labels, "app", PICK(rng, apps));
	if (chance(rng, 50))
		labels_set(labels, "role", PICK(rng, apps));
}

static struct pod *random_pod(struct randworld *rw)
{
	struct rng *rng = &rw->rng;
	char name[16];
	struct pod *pod;

	snprintf(name, sizeof(name), "p%u", rw->n_pods_ever++);
	pod = a_pod(PICK(rng, namespaces), name, "");
	random_labels(rng, &pod->labels);
	pod_add_addr(pod, rand_addrs[rng_below(rng, POD_ADDRS)]);
	if (chance(rng, 25))
		pod_add_addr(pod, rand_addrs[rng_below(rng, POD_ADDRS)]);
	for (uint32_t n = rng_below(rng, 4); n; n--)
		pod_add_port(pod, PICK(rng, names), PICK(rng, protos), PICK(rng, ports));
	pod->host_network = chance(rng, 4);
	pod->finished = chance(rng, 8);
	return pod;
}

static void random_requirement(struct rng *rng, struct selector *selector, bool of_namespace)
{
	static const char *const values[] = { "x", "y", "z", "x,y", "z,y,z" };
	static const char *const pod_keys[] = { "app", "app", "role" };
	static const char *const namespace_keys[] = { "team", "team", "kubernetes.io/metadata.name" };
	enum selector_op op = (enum selector_op)rng_below(rng, 4);
	const char *key = of_namespace ? PICK(rng, namespace_keys) : PICK(rng, pod_keys);
	const char *list = key[0] == 'k' ? PICK(rng, namespaces) : PICK(rng, values);

	selector_add(selector, key, op, op == SELECTOR_IN || op == SELECTOR_NOT_IN ? list : "");
}

static void random_selector(struct rng *rng, struct selector *selector, bool of_namespace)
{
	*selector = (struct selector){ .has = true };
	for (uint32_t n = rng_below(rng, 3); n; n--)
		random_requirement(rng, selector, of_namespace);
	selector->invalid = chance(rng, 3);
}

static void random_peer(struct rng *rng, struct rule *rule)
{
	struct peer *peer;

	if (chance(rng, 40)) {
		peer = rule_add_block(rule, PICK(rng, blocks));
		for (uint32_t n = rng_below(rng, 3); n; n--)
			peer_add_except(peer, PICK(rng, blocks));
	} else {
		uint32_t which = rng_below(rng, 3);

		peer = rule_add_peer(rule, NULL, NULL);
		if (which != 0)
			random_selector(rng, &peer->pods, false);
		if (which != 1)
			random_selector(rng, &peer->namespaces, true);
	}
	peer->invalid = chance(rng, 3);
}

static void random_port(struct rng *rng, struct rule *rule)
{
	uint8_t proto = PICK(rng, protos);
	uint16_t first = PICK(rng, ports), last = PICK(rng, ports);

	if (chance(rng, 35))
		rule_add_named_port(rule, proto, PICK(rng, names));
	else if (chance(rng, 20))
		rule_add_port(rule, proto, 0, 0);
	else if (chance(rng, 60) || last < first)
		rule_add_port(rule, proto, first, first);
	else
		rule_add_port(rule, proto, first, last);
	rule->ports[rule->n_ports - 1].invalid = chance(rng, 3);
}

static void random_rule(struct rng *rng, struct netpol *policy, enum bh_direction direction)
{
	struct rule *rule = policy_add_rule(policy, direction);

	for (uint32_t n = rng_below(rng, 4); n; n--)
		random_peer(rng, rule);
	for (uint32_t n = rng_below(rng, 3); n; n--)
		random_port(rng, rule);
	rule->invalid = chance(rng, 3);
}

static struct netpol *random_policy(struct randworld *rw)
{
	struct rng *rng = &rw->rng;
	struct netpol *policy;
	char name[16];

	snprintf(name, sizeof(name), "n%u", rw->n_policies_ever++);
	policy = a_policy(PICK(rng, namespaces), name, NULL);
	if (chance(rng, 90))
		random_selector(rng, &policy->pods, false);
	for (int direction = 0; direction < 2; direction++) {
		for (uint32_t n = rng_below(rng, 3); n; n--)
			random_rule(rng, policy, (enum bh_direction)direction);
		policy->isolates[direction] = chance(rng, 70);
	}
	policy->audit = chance(rng, 20);
	return policy;
}

static void random_posture(struct randworld *rw)
{
	static const enum posture postures[] = { POSTURE_STANDARD, POSTURE_STANDARD, POSTURE_DENY,
						 POSTURE_AUDIT };
	struct posture_config *config = &rw->world.posture;
	struct rng *rng = &rw->rng;

	posture_config_done(config);
	config->posture = PICK(rng, postures);
	config->allow_dns = chance(rng, 50);
	config->deny_pod_to_node = chance(rng, 50);
	config->forbid_policy_audit = chance(rng, 20);
	config->dns_namespace = strdup(PICK(rng, namespaces));
	config->dns_pods = a_selector("app=x");
	if (chance(rng, 40)) {
		config->exempt_namespaces = calloc(1, sizeof(char *));
		config->exempt_namespaces[0] = strdup(PICK(rng, namespaces));
		config->n_exempt_namespaces = 1;
	}
}

static void random_namespace(struct rng *rng, struct namespace *ns)
{
	static const char *const teams[] = { "x", "y", "z" };
	char name[2] = { ns->name[0] };

	labels_done(&ns->labels);
	labels_set(&ns->labels, "kubernetes.io/metadata.name", name);
	if (chance(rng, 80))
		labels_set(&ns->labels, "team", PICK(rng, teams));
	ns->posture = chance(rng, 75) ? POSTURE_UNSET : (enum posture)(1 + rng_below(rng, 3));
}

const struct pod *randworld_pod(const struct randworld *rw, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < rw->world.n_pods; i++) {
		const struct pod *pod = rw->world.pods[i];

		if (strcmp(pod->name, endpoint->pod) == 0 && strcmp(pod->namespace, endpoint->namespace) == 0)
			return pod->host_network || pod->finished ? NULL : pod;
	}
	return NULL;
}

static bool holds(const struct bh_addr *addrs, size_t n, const struct bh_addr *addr)
{
	for (size_t i = 0; i < n; i++) {
		if (addr_equal(&addrs[i], addr))
			return true;
	}
	return false;
}

size_t randworld_holders(const struct randworld *rw, const struct bh_addr *addr, const struct pod **ret_pod)
{
	size_t n = 0;

	*ret_pod = NULL;
	for (size_t i = 0; i < rw->world.n_pods; i++) {
		const struct pod *pod = rw->world.pods[i];
		bool holder = holds(pod->addrs, pod->n_addrs, addr);

		for (size_t e = 0; e < rw->n_endpoints && !holder; e++)
			holder = randworld_pod(rw, &rw->endpoints[e]) == pod &&
				 holds(rw->endpoints[e].addrs, rw->endpoints[e].n_addrs, addr);
		if (pod->host_network || pod->finished || !holder)
			continue;
		*ret_pod = pod;
		n++;
	}
	return n;
}

static void endpoint_remove(struct randworld *rw, size_t i)
{
	free(rw->endpoints[i].namespace);
	free(rw->endpoints[i].pod);
	rw->endpoints[i] = rw->endpoints[--rw->n_endpoints];
}

static bool slot_is_free(const struct randworld *rw, uint32_t slot)
{
	for (size_t i = 0; i < rw->n_endpoints; i++) {
		if (rw->endpoints[i].slot == slot)
			return false;
	}
	return true;
}

/* Sometimes before the pod's object is known. */
static const char *endpoint_join(struct randworld *rw)
{
	struct rng *rng = &rw->rng;
	struct endpoint *endpoint = &rw->endpoints[rw->n_endpoints];
	const struct pod *pod;
	uint32_t slot = rng_below(rng, 8);

	if (rw->n_endpoints == RAND_ENDPOINTS_MAX || rw->world.n_pods == 0 || !slot_is_free(rw, slot))
		return "nothing";
	pod = rw->world.pods[rng_below(rng, (uint32_t)rw->world.n_pods)];
	*endpoint = an_endpoint(pod, slot, ++rw->last_ifindex);
	endpoint->namespace = strdup(pod->namespace);
	endpoint->pod = strdup(chance(rng, 95) ? pod->name : "nobody");
	endpoint->uid = NULL;
	if (chance(rng, 20) && endpoint->n_addrs < BH_ENDPOINT_ADDRS)
		endpoint->addrs[endpoint->n_addrs++] = an_addr(rand_addrs[rng_below(rng, POD_ADDRS)]);
	rw->n_endpoints++;
	return "an endpoint joins";
}

static const char *pod_change(struct randworld *rw)
{
	struct world *world = &rw->world;
	struct rng *rng = &rw->rng;
	uint32_t i = world->n_pods ? rng_below(rng, (uint32_t)world->n_pods) : 0;

	if (world->n_pods < 3 || (chance(rng, 30) && world->n_pods < RAND_PODS_MAX)) {
		world_add_pod(world, random_pod(rw));
		return "a pod appears";
	}
	if (chance(rng, 30)) {
		pod_free(world->pods[i]);
		world->pods[i] = world->pods[--world->n_pods];
		return "a pod is deleted";
	}
	if (chance(rng, 20)) {
		world->pods[i]->finished = !world->pods[i]->finished;
		return "a pod finishes or is back";
	}
	if (chance(rng, 15)) {
		world->pods[i]->addrs[0] = an_addr(rand_addrs[rng_below(rng, POD_ADDRS)]);
		return "a pod has another address";
	}
	random_labels(rng, &world->pods[i]->labels);
	return "a pod is relabelled";
}

static const char *policy_change(struct randworld *rw)
{
	struct world *world = &rw->world;
	struct rng *rng = &rw->rng;
	uint32_t i = world->n_netpols ? rng_below(rng, (uint32_t)world->n_netpols) : 0;

	if (world->n_netpols == 0 || (chance(rng, 40) && world->n_netpols < RAND_POLICIES_MAX)) {
		world_add_policy(world, random_policy(rw));
		return "a policy appears";
	}
	netpol_free(world->netpols[i]);
	if (chance(rng, 50)) {
		world->netpols[i] = random_policy(rw);
		return "a policy is replaced";
	}
	world->netpols[i] = world->netpols[--world->n_netpols];
	return "a policy is deleted";
}

static const char *namespace_change(struct randworld *rw)
{
	struct world *world = &rw->world;

	if (world->n_namespaces == 0)
		return "nothing";
	random_namespace(&rw->rng, world->namespaces[rng_below(&rw->rng, (uint32_t)world->n_namespaces)]);
	return "a namespace is relabelled";
}

static const char *one_event(struct randworld *rw)
{
	uint32_t dice = rng_below(&rw->rng, 100);

	if (dice < 30)
		return pod_change(rw);
	if (dice < 58)
		return policy_change(rw);
	if (dice < 68)
		return namespace_change(rw);
	if (dice < 84)
		return endpoint_join(rw);
	if (dice < 92 && rw->n_endpoints) {
		endpoint_remove(rw, rng_below(&rw->rng, (uint32_t)rw->n_endpoints));
		return "an endpoint leaves";
	}
	if (dice < 95) {
		random_posture(rw);
		return "the posture changes";
	}
	return "nothing";
}

const char *randworld_step(struct randworld *rw)
{
	if (chance(&rw->rng, 70))
		return one_event(rw);
	for (uint32_t n = 2 + rng_below(&rw->rng, 4); n; n--)
		one_event(rw);
	return "several events at once";
}

static void shuffle(struct rng *rng, void *array, size_t n, size_t size)
{
	char *items = array, swap[sizeof(struct endpoint)];

	for (size_t i = n; i > 1; i--) {
		size_t k = rng_below(rng, (uint32_t)i);

		memcpy(swap, items + k * size, size);
		memmove(items + k * size, items + (i - 1) * size, size);
		memcpy(items + (i - 1) * size, swap, size);
	}
}

void randworld_shuffle(struct randworld *rw)
{
	shuffle(&rw->rng, rw->world.pods, rw->world.n_pods, sizeof(struct pod *));
	shuffle(&rw->rng, rw->world.netpols, rw->world.n_netpols, sizeof(struct netpol *));
	shuffle(&rw->rng, rw->world.namespaces, rw->world.n_namespaces, sizeof(struct namespace *));
	shuffle(&rw->rng, rw->endpoints, rw->n_endpoints, sizeof(struct endpoint));
}

void randworld_init(struct randworld *rw, uint64_t seed)
{
	*rw = (struct randworld){ .rng.state = seed, .last_ifindex = 100 };
	random_posture(rw);
	for (size_t i = 0; i < 2; i++) {
		world_add_namespace(&rw->world, a_namespace(namespaces[i], ""));
		random_namespace(&rw->rng, rw->world.namespaces[i]);
	}
	for (uint32_t n = 3 + rng_below(&rw->rng, RAND_PODS_MAX - 3); n; n--)
		world_add_pod(&rw->world, random_pod(rw));
	for (uint32_t n = rng_below(&rw->rng, RAND_POLICIES_MAX); n; n--)
		world_add_policy(&rw->world, random_policy(rw));
	for (uint32_t n = 8; n; n--)
		endpoint_join(rw);
}

void randworld_done(struct randworld *rw)
{
	while (rw->n_endpoints)
		endpoint_remove(rw, 0);
	world_done(&rw->world);
}
