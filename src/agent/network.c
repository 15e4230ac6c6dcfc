// SPDX-License-Identifier: Apache-2.0
#include "agent/network.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "dataplane/hook.h"

/* Ethernet, IP, UDP and VXLAN headers around a packet. */
#define OVERHEAD_V4 50
#define OVERHEAD_V6 70
#define MTU_MIN	    1280 /* IPv6 asks for it, and who has less has no use for a tunnel */

int network_init(struct network *network, const struct config *config, struct err *err)
{
	int r;

	*network = (struct network){ .config = config, .link_fd = -1, .nft_fd = -1 };
	r = link_ns_open(-1, &network->ns, err);
	if (r == 0)
		r = nft_new(&network->nft, err);
	if (r < 0)
		return r;
	network->link_fd = link_monitor_open(err);
	if (network->link_fd < 0)
		return network->link_fd;
	if (config->network.mode == NETWORK_NONE)
		return network_remove(network, err);
	network->nft_fd = link_monitor_nft_open(err);
	return network->nft_fd < 0 ? network->nft_fd : 0;
}

void network_done(struct network *network)
{
	if (network->link_fd >= 0)
		close(network->link_fd);
	if (network->nft_fd >= 0)
		close(network->nft_fd);
	network_plan_done(&network->plan);
	nft_free(network->nft);
	link_ns_free(network->ns);
	*network = (struct network){ .link_fd = -1, .nft_fd = -1 };
}

void network_drain(struct network *network)
{
	link_monitor_drain(network->link_fd);
	if (network->nft_fd >= 0)
		link_monitor_drain(network->nft_fd);
}

int network_remove(struct network *network, struct err *err)
{
	int first = link_routes_sync(network->ns, NULL, 0, NULL, err);
	int r = link_tunnel_remove(network->ns, NETWORK_TUNNEL, first < 0 ? NULL : err);

	first = first < 0 ? first : r;
	r = nft_remove(network->nft, first < 0 ? NULL : err);
	return first < 0 ? first : r;
}

int network_pods_keep(struct network *network, const struct attachments *pods, struct err *err)
{
	size_t n = 0, max = pods->n * BH_ENDPOINT_ADDRS + 1;
	auto_free struct link_route *routes = calloc(max, sizeof(*routes));
	auto_free int *codes = calloc(max, sizeof(*codes));

	if (!routes || !codes)
		return err_set(err, ENOMEM, "routes to pods");
	for (size_t i = 0; i < pods->n; i++) {
		const struct endpoint *endpoint = &pods->v[i]->endpoint;

		/* Behind another network the routes are that one's. */
		for (size_t k = 0; !pods->v[i]->chained && k < endpoint->n_addrs; k++)
			routes[n++] = (struct link_route){ .dst = prefix_of(&endpoint->addrs[k], 128),
							   .ifindex = endpoint->ifindex };
	}
	qsort(routes, n, sizeof(*routes), link_route_compare);
	return link_routes_keep(network->ns, routes, n, codes, err);
}

/* --- before there can be a plan */

static const struct node *self_of(const struct network *network, struct node *const *nodes, size_t n_nodes)
{
	for (size_t i = 0; i < n_nodes; i++)
		if (strcmp(nodes[i]->name, network->config->node_name) == 0)
			return nodes[i];
	return NULL;
}

static uint32_t tunnel_overhead(const struct network *network, const struct bh_addr *local)
{
	if (network->config->network.mode != NETWORK_VXLAN)
		return 0;
	return addr_is_v4(local) ? OVERHEAD_V4 : OVERHEAD_V6;
}

/* What a pod may send without a fragment on the way, by the link of this node's
 * address. */
static int mtu_find(struct network *network, const struct bh_addr *local, struct err *err)
{
	uint32_t set = network->config->cni.pod_mtu, room;
	struct link_info uplink = { 0 };
	int r = link_find_addr(network->ns, local, &uplink, err);

	if (r < 0)
		return err_wrap(err, r, "node %s", network->config->node_name);
	room = uplink.mtu - tunnel_overhead(network, local);
	if (uplink.mtu < MTU_MIN || room < MTU_MIN)
		return err_set(err, EINVAL, "interface %s has mtu %u: pods would have less than %d",
			       uplink.name, uplink.mtu, MTU_MIN);
	if (set > room)
		return err_set(err, EINVAL, "cni.mtu %u: at most %u fits through interface %s (mtu %u)", set,
			       room, uplink.name, uplink.mtu);
	network->mtu = set ? set : room;
	return 0;
}

/* The plugin reads it for pods whose configuration says no mtu. */
static int mtu_publish(const struct network *network, struct err *err)
{
	auto_free char *now = NULL;
	char path[4096], text[16];

	snprintf(path, sizeof(path), "%s/mtu", network->config->run_dir);
	snprintf(text, sizeof(text), "%u\n", network->mtu);
	if (file_read(path, sizeof(text), &now, NULL, NULL) == 0 && strcmp(now, text) == 0)
		return 0;
	return file_write_atomic(path, text, strlen(text), 0644, err);
}

/* --- the tunnel's device */

static int device_ensure(struct network *network, struct err *err)
{
	const struct config *config = network->config;
	const struct link_tunnel tunnel = {
		.name = NETWORK_TUNNEL,
		.port = ntohs(config->kernel.tunnel_port),
		.mtu = network->mtu,
	};

	if (config->network.mode != NETWORK_VXLAN)
		return link_tunnel_remove(network->ns, NETWORK_TUNNEL, err);
	return link_tunnel_ensure(network->ns, &tunnel, &network->tunnel, err);
}

/* Also after a restart: the programs may be newer than those that run. */
static int device_guard(struct network *network, struct err *err)
{
	const char *root = network->config->pin_root;
	int r;

	if (network->guarded == network->tunnel && hook_check_tunnel(root, network->tunnel, NULL) == 0)
		return 0;
	r = hook_attach_tunnel(root, network->tunnel, err);
	if (r == 0)
		network->guarded = network->tunnel;
	return r;
}

bool network_is_whole(const struct network *network)
{
	return !network->tunnel || hook_check_tunnel(network->config->pin_root, network->tunnel, NULL) == 0;
}

static bool addr_is_wanted(const struct network_plan *plan, const struct bh_addr *addr)
{
	for (size_t i = 0; i < plan->n_own; i++) {
		struct bh_addr wanted = network_tunnel_addr(&plan->own[i]);

		if (addr_equal(&wanted, addr))
			return true;
	}
	return false;
}

/* What this node says it is to pods of other nodes. */
static int device_addrs(struct network *network, struct err *err)
{
	const struct network_plan *plan = &network->plan;
	auto_free struct prefix *have = NULL;
	size_t n = 0;
	int r = link_addrs(network->ns, network->tunnel, &have, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (!addr_is_wanted(plan, &have[i].addr))
			r = link_addr_del(network->ns, network->tunnel, &have[i].addr, have[i].len, err);
	for (size_t i = 0; r == 0 && i < plan->n_own; i++) {
		struct bh_addr wanted = network_tunnel_addr(&plan->own[i]);
		bool there = false;

		for (size_t j = 0; j < n; j++)
			there = there || (have[j].len == 128 && addr_equal(&have[j].addr, &wanted));
		if (!there)
			r = link_addr_add(network->ns, network->tunnel, &wanted, 128, err);
	}
	return r;
}

static int device_up(struct network *network, struct err *err)
{
	struct link_info info;
	int r = link_find_index(network->ns, network->tunnel, &info, err);

	return r < 0 || info.up ? r : link_set_up(network->ns, network->tunnel, true, err);
}

/* --- the steps of a plan */

static int way_to(void *data, const struct bh_addr *addr, struct link_way *ret_way, struct err *err)
{
	return link_way_to(data, addr, ret_way, err);
}

static int plan_renew(struct network *network, struct node *const *nodes, size_t n_nodes, struct err *err)
{
	const struct network_question question = {
		.mode = network->config->network.mode,
		.self = network->config->node_name,
		.nodes = nodes,
		.n_nodes = n_nodes,
		.tunnel = network->tunnel,
		.way_to = way_to,
		.data = network->ns,
	};
	struct network_plan plan;
	int r = network_plan_make(&question, &plan, err);

	if (r < 0)
		return r;
	network_plan_done(&network->plan);
	network->plan = plan;
	network->plan.self = NULL; /* pointed into the plan as it was made */
	for (size_t i = 0; i < plan.n_peers; i++)
		if (network->plan.peers[i].is_self)
			network->plan.self = &network->plan.peers[i];
	return 0;
}

int network_prepare(const struct config *config, struct err *err)
{
	struct link_ns *ns = NULL;
	int r = config->network.mode == NETWORK_NONE ? 0 : link_ns_open(-1, &ns, err);

	if (r == 0 && ns)
		r = link_forwarding_enable(ns, true, err);
	if (r == 0 && ns)
		r = link_forwarding_enable(ns, false, err);
	link_ns_free(ns);
	return r == -ENOENT ? 0 : r; /* a kernel without that family */
}

static int forwarding_enable(struct network *network, struct err *err)
{
	const struct network_plan *plan = &network->plan;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_own; i++)
		r = link_forwarding_enable(network->ns, plan->own[i].is_v4, err);
	return r;
}

static int ranges_tell(struct network *network, struct maps *maps, struct err *err)
{
	const struct network_plan *plan = &network->plan;
	struct bh_tunnel tunnel = { 0 };

	if (network->config->network.mode != NETWORK_VXLAN)
		return maps_tunnel_set(maps, &tunnel, NULL, 0, err);
	tunnel.vni = network->config->network.vni;
	tunnel.is_on = 1;
	tunnel.local = plan->local;
	return maps_tunnel_set(maps, &tunnel, plan->ranges, plan->n_all, err);
}

static int rules_put(struct network *network, struct err *err)
{
	const struct network_settings *settings = &network->config->network;
	const struct network_plan *plan = &network->plan;
	auto_free struct prefix *keep = calloc(plan->n_all + settings->n_keep + 1, sizeof(*keep));
	struct nft_rules rules = {
		.masquerade = settings->masquerade,
		.own = plan->own,
		.n_own = plan->n_own,
		.keep = keep,
		.n_keep = plan->n_all + settings->n_keep,
		.tunnel = settings->mode == NETWORK_VXLAN ? NETWORK_TUNNEL : NULL,
		.tunnel_port = ntohs(network->config->kernel.tunnel_port),
	};

	if (!keep)
		return err_set(err, ENOMEM, "masquerade");
	if (plan->n_all)
		memcpy(keep, plan->all, plan->n_all * sizeof(*keep));
	if (settings->n_keep)
		memcpy(keep + plan->n_all, settings->keep, settings->n_keep * sizeof(*keep));
	return nft_put(network->nft, &rules, err);
}

/* The ranges before the programs that ask for them, those before the device comes up,
 * and routes last. */
static int plan_apply(struct network *network, struct maps *maps, struct err *err)
{
	struct network_plan *plan = &network->plan;
	int r = forwarding_enable(network, err), routes;

	if (r == 0)
		r = ranges_tell(network, maps, err);
	if (r == 0 && network->tunnel)
		r = device_guard(network, err);
	if (r == 0 && network->tunnel)
		r = device_addrs(network, err);
	if (r == 0 && network->tunnel)
		r = device_up(network, err);
	if (r < 0)
		return r;
	routes = link_routes_sync(network->ns, plan->routes, plan->n_routes, plan->codes, err);
	r = rules_put(network, routes < 0 ? NULL : err);
	if (routes < 0)
		return routes;
	return r < 0 ? r : routes > 0 || r > 0;
}

int network_sync(struct network *network, struct maps *maps, struct node *const *nodes, size_t n_nodes,
		 struct err *err)
{
	const struct node *self = self_of(network, nodes, n_nodes);
	int r = 0;

	if (network->config->network.mode == NETWORK_NONE)
		return 0;
	/* A plan says why there can be none without this node. */
	if (self && self->n_internal)
		r = mtu_find(network, &self->addrs[0], err);
	if (r == 0 && self && self->n_internal)
		r = device_ensure(network, err);
	if (r == 0)
		r = plan_renew(network, nodes, n_nodes, err);
	if (r == 0)
		r = plan_apply(network, maps, err);
	if (r < 0)
		return r;
	if (mtu_publish(network, err) < 0)
		return -err->code;
	network->is_up = true;
	return r;
}
