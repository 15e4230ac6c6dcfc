// SPDX-License-Identifier: Apache-2.0
/* GET /v1/nodes: the network between nodes, node by node. */
#include <arpa/inet.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/control_room.h"
#include "base/cleanup.h"

static bool text_item(cJSON *list, const char *text)
{
	cJSON *item = cJSON_CreateString(text);

	if (cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool addrs_add(cJSON *json, const char *key, const struct bh_addr *addrs, size_t n)
{
	cJSON *list = cJSON_AddArrayToObject(json, key);
	char text[ADDR_TEXT_MAX];
	bool good = list;

	for (size_t i = 0; good && i < n; i++) {
		addr_format(&addrs[i], text);
		good = text_item(list, text);
	}
	return good;
}

/* Does the range count as this node's? Two may claim the same. */
static bool range_is_of(const struct network_plan *plan, const struct network_peer *peer,
			const struct prefix *range)
{
	for (size_t i = 0; i < plan->n_all; i++) {
		const struct bh_addr *owner = &plan->ranges[i].range.node;

		if (!prefix_equal(&plan->all[i], range))
			continue;
		if (addr_is_zero(owner))
			return peer->is_self;
		for (size_t j = 0; j < peer->node->n_internal; j++)
			if (addr_equal(&peer->node->addrs[j], owner))
				return true;
	}
	return false;
}

static bool range_is_routed(const struct network_plan *plan, const struct prefix *range)
{
	for (size_t i = 0; i < plan->n_routes; i++)
		if (prefix_equal(&plan->routes[i].dst, range))
			return plan->codes[i] == 0;
	return false;
}

/* Each range, and whether the kernel has its route. */
static bool ranges_add(cJSON *json, const struct network_plan *plan, const struct network_peer *peer,
		       bool *ret_all)
{
	const struct node *node = peer->node;
	cJSON *list = cJSON_AddArrayToObject(json, "podRanges");

	for (size_t i = 0; i < node->n_pod_ranges; i++) {
		cJSON *item = cJSON_CreateObject();
		char text[ADDR_TEXT_MAX];
		bool routed = range_is_of(plan, peer, &node->pod_ranges[i]) &&
			      range_is_routed(plan, &node->pod_ranges[i]);

		prefix_format(&node->pod_ranges[i], text);
		*ret_all = *ret_all && routed;
		if (!cJSON_AddItemToArray(list, item)) {
			cJSON_Delete(item);
			return false;
		}
		if (!cJSON_AddStringToObject(item, "range", text) ||
		    !cJSON_AddBoolToObject(item, "route", routed))
			return false;
	}
	return list;
}

static bool peer_fill(cJSON *json, const struct agent *agent, const struct network_peer *peer)
{
	const struct node *node = peer->node;
	char via[ADDR_TEXT_MAX] = "";
	bool all = true;

	if (peer->has_via)
		addr_format(&peer->via, via);
	return cJSON_AddStringToObject(json, "name", node->name) &&
	       cJSON_AddBoolToObject(json, "self", peer->is_self) &&
	       addrs_add(json, "internal", node->addrs, node->n_internal) &&
	       addrs_add(json, "external", node->addrs + node->n_internal,
			 node->n_addrs - node->n_internal) &&
	       ranges_add(json, &agent->network.plan, peer, &all) &&
	       (!via[0] || cJSON_AddStringToObject(json, "via", via)) &&
	       cJSON_AddStringToObject(json, "state",
				       peer->why[0]    ? peer->has_via ? "partial" : "refused"
				       : !all	       ? "no route"
				       : peer->is_self ? "self"
						       : "ready") &&
	       (!peer->why[0] || cJSON_AddStringToObject(json, "why", peer->why));
}

static cJSON *peer_json(const struct agent *agent, const struct network_peer *peer)
{
	auto_json cJSON *json = cJSON_CreateObject();

	return json && peer_fill(json, agent, peer) ? TAKE(json) : NULL;
}

static bool mode_add(cJSON *json, const struct agent *agent)
{
	const struct config *config = agent->config;
	const struct network *network = &agent->network;
	bool is_vxlan = config->network.mode == NETWORK_VXLAN;

	return cJSON_AddStringToObject(json, "mode", network_mode_name(config->network.mode)) &&
	       cJSON_AddBoolToObject(json, "up", network->is_up) &&
	       cJSON_AddNumberToObject(json, "mtu", network->mtu) &&
	       (!is_vxlan || (cJSON_AddStringToObject(json, "device", NETWORK_TUNNEL) &&
			      cJSON_AddNumberToObject(json, "port", ntohs(config->kernel.tunnel_port)) &&
			      cJSON_AddNumberToObject(json, "vni", config->network.vni))) &&
	       cJSON_AddBoolToObject(json, "masquerade",
				     config->network.mode != NETWORK_NONE && config->network.masquerade) &&
	       (!agent->health.part[HEALTH_NETWORK].bad ||
		cJSON_AddStringToObject(json, "problem", agent->health.part[HEALTH_NETWORK].why));
}

void control_nodes(struct call *call)
{
	const struct network_plan *plan = &call->agent->network.plan;
	auto_json cJSON *json = cJSON_CreateObject();
	bool good = json && mode_add(json, call->agent);
	cJSON *list = good ? cJSON_AddArrayToObject(json, "nodes") : NULL;

	for (size_t i = 0; list && i < plan->n_peers; i++) {
		cJSON *peer = peer_json(call->agent, &plan->peers[i]);

		if (cJSON_AddItemToArray(list, peer))
			continue;
		cJSON_Delete(peer);
		list = NULL;
	}
	reply_json(call->control, call->request, 200, list ? json : NULL);
}
