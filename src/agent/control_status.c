// SPDX-License-Identifier: Apache-2.0
/* What the daemon knows about itself, its endpoints, policies and flows. */
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/control_room.h"
#include "agent/stamp.h"
#include "base/cleanup.h"
#include "dataplane/pins.h"

/* Adds an item to an array or drops it: a list short of an entry would be a lie,
 * so callers answer with an error when this fails. */
static bool array_add(cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool member_add(cJSON *object, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(object, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

void control_ready(struct call *call)
{
	auto_json cJSON *nothing = cJSON_CreateObject();
	const char *why = NULL;

	if (agent_ready(call->agent, &why))
		return reply_json(call->control, call->request, 200, nothing);
	reply_error(call->control, call->request, 503, "%s", why);
}

/* A TCX link shows by its pin; a clsact filter leaves none. */
static const char *hook_of(const struct agent *agent, uint32_t ifindex)
{
	char name[32], path[PATH_MAX];

	snprintf(name, sizeof(name), "%u-from", ifindex);
	if (pin_path(path, agent->config->pin_root, PINS_LINKS, name, NULL) < 0)
		return "none";
	return access(path, F_OK) == 0 ? "tcx" : "clsact";
}

static const char *hook_of_all(const struct agent *agent)
{
	const char *kind = "none";

	for (size_t i = 0; i < agent->attachments.n; i++) {
		const char *next = hook_of(agent, agent->attachments.v[i]->endpoint.ifindex);

		if (i > 0 && strcmp(kind, next) != 0)
			return "mixed";
		kind = next;
	}
	return kind;
}

static bool usage_add(cJSON *json, const char *name, size_t used, size_t limit)
{
	cJSON *entry = cJSON_AddObjectToObject(json, name);

	return entry && cJSON_AddNumberToObject(entry, "used", (double)used) &&
	       cJSON_AddNumberToObject(entry, "limit", (double)limit);
}

static bool tables_add(cJSON *json, const struct agent *agent)
{
	struct tables_usage usage = { 0 };
	cJSON *tables = cJSON_AddObjectToObject(json, "tables");

	tables_usage_get(agent->enforce.tables, &usage);
	return tables && usage_add(tables, "endpoints", agent->attachments.n, BH_ENDPOINTS_MAX) &&
	       usage_add(tables, "peers", usage.peers, BH_PEERS_MAX) &&
	       usage_add(tables, "prefixes", usage.prefixes, BH_PREFIXES_MAX) &&
	       usage_add(tables, "verdicts", usage.verdicts, BH_VERDICTS_MAX) &&
	       usage_add(tables, "ports", usage.ports, BH_PORTS_MAX) &&
	       usage_add(tables, "flows", agent->metrics.flows, BH_FLOWS_MAX) &&
	       cJSON_AddNumberToObject(json, "unfitPeers", (double)usage.unfit) &&
	       cJSON_AddNumberToObject(json, "subjects", (double)usage.subjects) &&
	       cJSON_AddNumberToObject(json, "classes", (double)usage.classes);
}

static bool last_update_add(cJSON *json, const struct agent *agent)
{
	cJSON *update = cJSON_AddObjectToObject(json, "lastUpdate");

	return update && cJSON_AddNumberToObject(update, "microseconds", (double)agent->enforce.last_us) &&
	       cJSON_AddNumberToObject(update, "revision", agent->enforce.revision) &&
	       cJSON_AddNumberToObject(update, "count", (double)agent->enforce.updates);
}

static bool source_add(cJSON *json, const struct agent *agent)
{
	if (agent->cluster)
		return cJSON_AddStringToObject(json, "source", "kubernetes") &&
		       member_add(json, "kubernetes", agent_cluster_json(agent));
	return cJSON_AddStringToObject(json, "source", "manifests") &&
	       cJSON_AddNumberToObject(json, "brokenManifests", (double)manifests_broken(agent->manifests));
}

static bool status_fill(cJSON *json, const struct agent *agent)
{
	const char *why = NULL;
	bool ready = agent_ready(agent, &why);

	return cJSON_AddStringToObject(json, "version", BULKHEAD_VERSION) &&
	       cJSON_AddStringToObject(json, "node", agent->config->node_name) &&
	       cJSON_AddNumberToObject(json, "uptimeSeconds",
				       (double)((stamp_now_ms() - agent->started_ms) / 1000)) &&
	       cJSON_AddBoolToObject(json, "synced", agent->enforce.synced) &&
	       cJSON_AddBoolToObject(json, "ready", ready) &&
	       (ready || cJSON_AddStringToObject(json, "notReady", why)) &&
	       member_add(json, "degraded", health_json(&agent->health)) &&
	       cJSON_AddStringToObject(json, "hook", hook_of_all(agent)) &&
	       cJSON_AddStringToObject(json, "posture", posture_name(agent->config->posture.posture)) &&
	       cJSON_AddNumberToObject(json, "endpoints", (double)agent->attachments.n) &&
	       cJSON_AddNumberToObject(json, "pods", (double)agent->store.world.n_pods) &&
	       cJSON_AddNumberToObject(json, "policies", (double)agent->store.world.n_netpols) &&
	       source_add(json, agent) && tables_add(json, agent) && last_update_add(json, agent);
}

void control_status(struct call *call)
{
	auto_json cJSON *json = cJSON_CreateObject();

	reply_json(call->control, call->request, 200, status_fill(json, call->agent) ? json : NULL);
}

/* --- endpoints */

static cJSON *counters_json(const uint64_t counters[BH_REASONS_MAX])
{
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *dropped = cJSON_AddObjectToObject(json, "dropped");

	if (!dropped || !cJSON_AddNumberToObject(json, "passed", (double)counters[BH_PASS]))
		return NULL;
	for (unsigned int reason = 1; reason < BH_REASONS_MAX; reason++)
		if (counters[reason] && reason_label(reason) &&
		    !cJSON_AddNumberToObject(dropped, reason_label(reason), (double)counters[reason]))
			return NULL;
	return TAKE(json);
}

static bool row_add(cJSON *json, const struct bh_endpoint *row, bool is_ours)
{
	cJSON *isolated = cJSON_AddObjectToObject(json, "isolated");
	bool open = is_ours && (row->flags & BH_EP_OPEN);

	return isolated && cJSON_AddStringToObject(json, "state", open ? "open" : "closed") &&
	       cJSON_AddBoolToObject(isolated, "egress", !open || row->egress != 0) &&
	       cJSON_AddBoolToObject(isolated, "ingress", !open || row->ingress != 0) &&
	       cJSON_AddNumberToObject(json, "revision", is_ours ? row->revision : 0);
}

static bool addresses_add(cJSON *json, const struct endpoint *endpoint)
{
	cJSON *list = cJSON_AddArrayToObject(json, "addresses");
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; list && i < endpoint->n_addrs; i++) {
		addr_format(&endpoint->addrs[i], text);
		if (!array_add(list, cJSON_CreateString(text)))
			return false;
	}
	return list;
}

static bool counts_add(cJSON *json, const struct agent *agent, uint32_t slot)
{
	uint64_t counters[2][BH_REASONS_MAX] = { 0 };
	struct bh_usage usage = { 0 };
	cJSON *used = cJSON_AddObjectToObject(json, "usage");

	if (maps_counters_get(agent->maps, slot, counters, NULL) < 0 ||
	    maps_usage_get(agent->maps, slot, &usage, NULL) < 0)
		return false;
	return used && member_add(json, "egress", counters_json(counters[BH_EGRESS])) &&
	       member_add(json, "ingress", counters_json(counters[BH_INGRESS])) &&
	       cJSON_AddNumberToObject(used, "flows", usage.flows) &&
	       cJSON_AddNumberToObject(used, "flowQuota", agent->config->kernel.flow_quota) &&
	       cJSON_AddNumberToObject(used, "eventsEmitted", (double)usage.emitted) &&
	       cJSON_AddNumberToObject(used, "eventsSuppressed", (double)usage.suppressed) &&
	       cJSON_AddNumberToObject(used, "eventsLost", (double)usage.lost);
}

static bool attachment_names_add(cJSON *json, const struct attachment *attachment)
{
	const struct endpoint *endpoint = &attachment->endpoint;

	return cJSON_AddStringToObject(json, "namespace", endpoint->namespace) &&
	       cJSON_AddStringToObject(json, "pod", endpoint->pod) &&
	       cJSON_AddStringToObject(json, "uid", endpoint->uid) &&
	       cJSON_AddStringToObject(json, "containerID", attachment->container_id) &&
	       cJSON_AddStringToObject(json, "interface", attachment->ifname) &&
	       cJSON_AddStringToObject(json, "network", attachment->network) &&
	       cJSON_AddNumberToObject(json, "ifindex", endpoint->ifindex) &&
	       cJSON_AddNumberToObject(json, "slot", endpoint->slot) &&
	       cJSON_AddBoolToObject(json, "chained", attachment->chained) && addresses_add(json, endpoint);
}

static cJSON *endpoint_json(const struct agent *agent, const struct attachment *attachment)
{
	auto_json cJSON *json = cJSON_CreateObject();
	const struct endpoint *endpoint = &attachment->endpoint;
	struct bh_endpoint row = { 0 };
	bool is_ours = maps_endpoint_get(agent->maps, endpoint->slot, &row, NULL) == 0 &&
		       row.ifindex == endpoint->ifindex;

	if (!attachment_names_add(json, attachment) ||
	    !cJSON_AddStringToObject(json, "hook", hook_of(agent, endpoint->ifindex)) ||
	    !row_add(json, &row, is_ours) || !counts_add(json, agent, endpoint->slot))
		return NULL;
	return TAKE(json);
}

void control_endpoints(struct call *call)
{
	const struct attachments *set = &call->agent->attachments;
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(json, "endpoints");

	for (size_t i = 0; i < set->n; i++)
		if (!array_add(list, endpoint_json(call->agent, set->v[i])))
			return reply_json(call->control, call->request, 500, NULL);
	reply_json(call->control, call->request, 200, json);
}

/* --- policies */

static bool revision_add(cJSON *policy, const struct agent *agent)
{
	const char *namespace = NULL, *name = NULL;
	const struct revision *revision;
	char since[STAMP_MAX];

	if (json_get_string(policy, "namespace", &namespace, NULL) < 0 ||
	    json_get_string(policy, "name", &name, NULL) < 0 || !namespace || !name)
		return false;
	revision = revisions_find(&agent->revisions, namespace, name);
	if (!revision)
		return cJSON_AddNullToObject(policy, "revision");
	stamp_format(revision->since, since);
	return cJSON_AddNumberToObject(policy, "revision", revision->revision) &&
	       cJSON_AddNumberToObject(policy, "wantedRevision", revision->wanted) &&
	       cJSON_AddStringToObject(policy, "since", since) &&
	       cJSON_AddNumberToObject(policy, "ageSeconds", (double)(time(NULL) - revision->since));
}

void control_policies(struct call *call)
{
	auto_json cJSON *json = NULL;
	struct err err = { 0 };
	cJSON *policy;

	if (report_policies(&call->agent->store.world, &json, &err) < 0)
		return reply_error(call->control, call->request, 500, "%s", err.msg);
	cJSON_ArrayForEach (policy, json_get(json, "policies")) {
		if (!revision_add(policy, call->agent))
			return reply_json(call->control, call->request, 500, NULL);
	}
	reply_json(call->control, call->request, 200, json);
}

/* --- flows */

struct flow_list {
	const struct agent *agent;
	cJSON *list;
	size_t limit;
	size_t n;
	size_t total;
	bool failed;
};

static bool flow_end_add(cJSON *json, const char *key, const struct agent *agent, const struct bh_addr *addr,
			 __be16 port, const struct bh_flow_end *end)
{
	const struct attachment *attachment =
		end->ifindex ? attachments_find_ifindex(&agent->attachments, end->ifindex) : NULL;
	cJSON *side = cJSON_AddObjectToObject(json, key);
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	if (!side || !cJSON_AddStringToObject(side, "address", text) ||
	    !cJSON_AddNumberToObject(side, "port", ntohs(port)))
		return false;
	if (!attachment)
		return true;
	return cJSON_AddStringToObject(side, "namespace", attachment->endpoint.namespace) &&
	       cJSON_AddStringToObject(side, "pod", attachment->endpoint.pod) &&
	       cJSON_AddNumberToObject(side, "revision", end->revision);
}

static bool flow_fill(cJSON *json, const struct agent *agent, const struct bh_flow_key *key,
		      const struct bh_flow *flow)
{
	bool hi_opened = flow->state & BH_FLOW_OPENER_HI;

	return cJSON_AddNumberToObject(json, "protocol", key->proto) &&
	       flow_end_add(json, hi_opened ? "to" : "from", agent, &key->lo, key->lo_port, &flow->end[0]) &&
	       flow_end_add(json, hi_opened ? "from" : "to", agent, &key->hi, key->hi_port, &flow->end[1]) &&
	       cJSON_AddBoolToObject(json, "replied", flow->state & BH_FLOW_REPLIED) &&
	       cJSON_AddBoolToObject(json, "closing", flow->state & BH_FLOW_CLOSING) &&
	       cJSON_AddBoolToObject(json, "audited", flow->state & BH_FLOW_AUDITED);
}

static int flow_add(const struct bh_flow_key *key, const struct bh_flow *flow, void *data)
{
	struct flow_list *flows = data;
	auto_json cJSON *json = NULL;

	flows->total++;
	if (flows->n == flows->limit)
		return 0;
	json = cJSON_CreateObject();
	flows->failed = flows->failed || !flow_fill(json, flows->agent, key, flow) ||
			!array_add(flows->list, TAKE(json));
	flows->n++;
	return flows->failed;
}

void control_flows(struct call *call)
{
	struct flow_list flows = { .agent = call->agent };
	auto_json cJSON *json = cJSON_CreateObject();
	struct err err = { 0 };
	unsigned long limit;

	if (call_query_number(call, "limit", CONTROL_FLOWS_MAX, CONTROL_FLOWS_DEFAULT, &limit) < 0)
		return reply_error(call->control, call->request, 400, "limit: must be a number up to %d",
				   CONTROL_FLOWS_MAX);
	flows.limit = limit;
	flows.list = cJSON_AddArrayToObject(json, "flows");
	if (maps_flows_each(call->agent->maps, flow_add, &flows, &err) < 0)
		return reply_error(call->control, call->request, 500, "%s", err.msg);
	if (flows.failed || !cJSON_AddNumberToObject(json, "total", (double)flows.total))
		return reply_json(call->control, call->request, 500, NULL);
	reply_json(call->control, call->request, 200, json);
}
