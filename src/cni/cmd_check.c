// SPDX-License-Identifier: Apache-2.0
/* CHECK: prevResult says what there should be, the kernel says what there is. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cni/attachment.h"
#include "cni/command.h"
#include "cni/ipam.h"
#include "cni/join.h"
#include "cni/lock.h"
#include "cni/netns.h"
#include "dataplane/hook.h"

struct check {
	const struct cni_env *env;
	const struct netconf *conf;
	struct attachment state;
	struct result result; /* owned; prevResult's */
	struct link_ns *host; /* owned */
	struct link_ns *pod;  /* owned */
	struct maps *maps;    /* owned */
	struct link_info host_link, pod_link;
	int netns, lock;
};

static void check_done(struct check *check)
{
	result_done(&check->result);
	link_ns_free(check->host);
	link_ns_free(check->pod);
	maps_free(check->maps);
	if (check->netns >= 0)
		close(check->netns);
	if (check->lock >= 0)
		close(check->lock);
}
#define auto_check cleanup(check_done)

static int check_open(struct check *check, struct failure *failure)
{
	const struct netconf *conf = check->conf;
	const char *id = check->env->container_id;
	int index = result_pod_interface(conf->prev_result, check->env->ifname);
	struct err err = { 0 };
	int r;

	if (result_parse(conf->prev_result, index, &check->result, failure) < 0) {
		failure->code = failure->code == CODE_IPAM_RESULT ? CODE_CONFIG : failure->code;
		return -1;
	}
	if (netns_open(check->env, &check->netns, failure) < 0)
		return -1;
	r = lock_container(conf->run_dir, id, conf->daemon_timeout_ms, &check->lock, &err);
	if (r < 0 && r != -ENOENT)
		return failure_from(failure, CODE_IO, &err, "lock of container %s", id);
	r = attachment_load(conf->run_dir, id, check->env->ifname, &check->state, &err);
	if (r == -ENOENT)
		return failure_set(failure, CODE_UNKNOWN_CONTAINER, "container %s has no attachment %s", id,
				   check->env->ifname);
	if (r < 0)
		return failure_from(failure, CODE_IO, &err, "state of container %s", id);
	if (link_ns_open(-1, &check->host, &err) < 0 || link_ns_open(check->netns, &check->pod, &err) < 0)
		return failure_from(failure, CODE_LINK, &err, "netlink");
	if (maps_open(conf->pin_root, &check->maps, &err) < 0)
		return failure_from(failure, CODE_CHECK_ENDPOINT, &err,
				    "the endpoint table cannot be opened");
	return 0;
}

/* One interface that prevResult names: MAC and MTU, as far as it gives them. */
static int interface_compare(const cJSON *listed, const struct link_info *link, struct failure *failure)
{
	const char *text = NULL;
	uint8_t mac[6];
	int64_t mtu = 0;

	(void)json_get_string(listed, "mac", &text, NULL);
	if (text && *text && (mac_parse(text, mac) < 0 || memcmp(mac, link->mac, 6) != 0))
		return failure_set(failure, CODE_CHECK_LINK, "interface %s has not the MAC %s", link->name,
				   text);
	if (json_get_int(listed, "mtu", 1, UINT32_MAX, &mtu, NULL) == 1 && mtu != link->mtu)
		return failure_set(failure, CODE_CHECK_LINK, "interface %s has MTU %u, not %u", link->name,
				   link->mtu, (uint32_t)mtu);
	return 0;
}

static int listed_compare(struct check *check, struct failure *failure)
{
	bool pod_seen = false;
	const cJSON *item;

	cJSON_ArrayForEach (item, json_get(check->conf->prev_result, "interfaces")) {
		const char *name = NULL, *sandbox = NULL;

		(void)json_get_string(item, "name", &name, NULL);
		(void)json_get_string(item, "sandbox", &sandbox, NULL);
		if (name && sandbox && *sandbox && strcmp(name, check->pod_link.name) == 0) {
			pod_seen = true;
			if (interface_compare(item, &check->pod_link, failure) < 0)
				return -1;
		}
		if (name && !(sandbox && *sandbox) && strcmp(name, check->host_link.name) == 0 &&
		    interface_compare(item, &check->host_link, failure) < 0)
			return -1;
	}
	if (!pod_seen)
		return failure_set(failure, CODE_CONFIG,
				   "prevResult.interfaces does not list %s with a sandbox",
				   check->pod_link.name);
	return 0;
}

static int interfaces_check(struct check *check, struct failure *failure)
{
	const struct attachment *state = &check->state;
	struct err err = { 0 };

	if (link_find(check->pod, state->ifname, &check->pod_link, &err) < 0 ||
	    link_find_index(check->host, state->ifindex, &check->host_link, &err) < 0)
		return failure_from(failure, CODE_CHECK_LINK, &err, "an interface of the pod is missing");
	if (check->pod_link.peer_ifindex != check->host_link.ifindex ||
	    check->host_link.peer_ifindex != check->pod_link.ifindex)
		return failure_set(failure, CODE_CHECK_LINK, "%s and %s are not each other's peers",
				   state->ifname, check->host_link.name);
	if (!check->pod_link.up || !check->host_link.up)
		return failure_set(failure, CODE_CHECK_LINK, "interface %s is down",
				   check->pod_link.up ? check->host_link.name : state->ifname);
	if (memcmp(state->mac, check->pod_link.mac, 6) != 0 ||
	    memcmp(state->host_mac, check->host_link.mac, 6) != 0)
		return failure_set(failure, CODE_CHECK_LINK, "a MAC of %s or %s has changed", state->ifname,
				   check->host_link.name);
	return listed_compare(check, failure);
}

static int addresses_check(struct check *check, struct failure *failure)
{
	auto_free struct prefix *addrs = NULL;
	struct err err = { 0 };
	size_t n = 0;

	if (link_addrs(check->pod, check->pod_link.ifindex, &addrs, &n, &err) < 0)
		return failure_from(failure, CODE_LINK, &err, "addresses of the pod");
	for (size_t i = 0; i < check->result.n_ips; i++) {
		char text[ADDR_TEXT_MAX];
		bool found = false;

		for (size_t k = 0; k < n; k++)
			found |= addr_equal(&addrs[k].addr, &check->result.ips[i].addr);
		addr_format(&check->result.ips[i].addr, text);
		if (!found)
			return failure_set(failure, CODE_CHECK_ADDRESS, "interface %s lacks the address %s",
					   check->pod_link.name, text);
	}
	return 0;
}

/* In a chain the routes are the previous plugin's to check, in its own way. */
static int pod_routes_check(struct check *check, struct failure *failure)
{
	const struct result *result = &check->result;
	struct err err = { 0 };

	for (size_t i = 0; i < result->n_routes; i++) {
		const struct result_route *wanted = &result->routes[i];
		struct link_route route = { .dst = wanted->dst,
					    .has_gateway = true,
					    .gateway = wanted->gateway,
					    .ifindex = check->pod_link.ifindex,
					    .table = wanted->table };
		char text[ADDR_TEXT_MAX];
		int r;

		for (size_t k = 0; !wanted->has_gateway && k < result->n_ips; k++) {
			if (addr_is_v4(&result->ips[k].addr) == wanted->dst.is_v4) {
				route.gateway = join_gateway(&result->ips[k]);
				break;
			}
		}
		r = link_route_exists(check->pod, &route, &err);
		prefix_format(&wanted->dst, text);
		if (r < 0)
			return failure_from(failure, CODE_LINK, &err, "routes of the pod");
		if (r == 0)
			return failure_set(failure, CODE_CHECK_ROUTE, "the pod lacks the route to %s", text);
	}
	return 0;
}

static int host_routes_check(struct check *check, struct failure *failure)
{
	struct err err = { 0 };

	for (size_t i = 0; i < check->result.n_ips; i++) {
		struct link_route route = { .dst = prefix_of(&check->result.ips[i].addr, 128),
					    .ifindex = check->host_link.ifindex };
		int r = link_route_exists(check->host, &route, &err);
		char text[ADDR_TEXT_MAX];

		prefix_format(&route.dst, text);
		if (r < 0)
			return failure_from(failure, CODE_LINK, &err, "routes of the node");
		if (r == 0)
			return failure_set(failure, CODE_CHECK_ROUTE, "the node lacks the route to %s", text);
	}
	return 0;
}

static bool row_has(const struct bh_endpoint *row, const struct bh_addr *addr)
{
	for (int i = 0; i < BH_ENDPOINT_ADDRS; i++) {
		if (addr_equal(&row->addr[i], addr))
			return true;
	}
	return false;
}

static int endpoint_check(struct check *check, struct failure *failure)
{
	struct bh_endpoint row;
	struct err err = { 0 };
	uint32_t slot;

	if (hook_check(check->conf->pin_root, check->host_link.ifindex, &err) < 0)
		return failure_from(failure, CODE_CHECK_HOOK, &err, "the programs on %s are not in place",
				    check->host_link.name);
	if (maps_endpoint_find(check->maps, check->host_link.ifindex, &slot, &err) < 0 ||
	    maps_endpoint_get(check->maps, slot, &row, &err) < 0)
		return failure_from(failure, CODE_CHECK_ENDPOINT, &err, "the pod has no endpoint row");
	if (memcmp(row.mac, check->pod_link.mac, 6) != 0 || slot != check->state.slot)
		return failure_set(failure, CODE_CHECK_ENDPOINT, "the endpoint row is another pod's");
	for (size_t i = 0; i < check->result.n_ips; i++) {
		if (!row_has(&row, &check->result.ips[i].addr))
			return failure_set(failure, CODE_CHECK_ENDPOINT,
					   "the endpoint row lacks an address of the pod");
	}
	return 0;
}

int cmd_check(const struct cni_env *env, const struct netconf *conf, struct failure *failure)
{
	auto_check struct check check = { .env = env, .conf = conf, .netns = -1, .lock = -1 };
	struct ipam_request request = { .conf = conf,
					.path = env->path,
					.container_id = env->container_id,
					.ifname = env->ifname,
					.netns = env->netns };

	if (check_open(&check, failure) < 0 || interfaces_check(&check, failure) < 0 ||
	    addresses_check(&check, failure) < 0)
		return -1;
	if (!check.state.chained &&
	    (pod_routes_check(&check, failure) < 0 || host_routes_check(&check, failure) < 0))
		return -1;
	if (endpoint_check(&check, failure) < 0)
		return -1;
	return check.state.chained || !conf->ipam_type ? 0 : ipam_check(&request, failure);
}
