// SPDX-License-Identifier: Apache-2.0
/* Objects from a cluster's API server: where they come from instead of the
 * manifest folder, and what is told about it. */
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/stamp.h"
#include "base/cleanup.h"
#include "base/log.h"

static void on_report(bool is_error, const char *message, void *data)
{
	(void)data;
	if (is_error)
		log_warn("kubernetes %s", message);
	else
		log_info("kubernetes %s", message);
}

static void on_changed(void *data)
{
	agent_objects_changed(data);
}

int agent_cluster_open(struct agent *agent, struct err *err)
{
	const struct config *config = agent->config;
	const struct cluster_options options = {
		.timing = watch_timing_default,
		.without_services = config->no_services,
		.report = on_report,
		.changed = on_changed,
		.data = agent,
	};
	cleanup(api_config_done) struct api_config api = { 0 };
	int r = config->kubeconfig[0] ? api_config_kubeconfig(config->kubeconfig, &api, err)
				      : api_config_in_cluster(API_SERVICE_ACCOUNT, &api, err);

	if (r < 0)
		return err_wrap(err, r, "source kubernetes");
	return cluster_new(&api, &options, &agent->cluster, err);
}

/* All kinds in one sentence: what is wrong is wrong for the node, and only the
 * status tells them apart. */
void agent_cluster_turn(struct agent *agent)
{
	auto_text struct text why = { 0 };

	cluster_drain(agent->cluster);
	for (unsigned int i = 0; i < cluster_n_kinds(agent->cluster); i++) {
		struct cluster_kind_status kind = cluster_status(agent->cluster, i);

		if (kind.degraded)
			text_addf(&why, "%s%s: %s", why.len ? "; " : "", kind.name, kind.why);
	}
	if (why.failed || why.len)
		health_bad(&agent->health, HEALTH_CLUSTER, "%s", why.failed ? "out of memory" : why.data);
	else
		health_good(&agent->health, HEALTH_CLUSTER);
}

static cJSON *kind_json(const struct cluster_kind_status *kind)
{
	auto_json cJSON *json = cJSON_CreateObject();
	char since[STAMP_MAX];

	if (!cJSON_AddStringToObject(json, "kind", kind->name) ||
	    !cJSON_AddStringToObject(json, "state", kind->state) ||
	    !cJSON_AddBoolToObject(json, "synced", kind->synced) ||
	    !cJSON_AddNumberToObject(json, "objects", (double)kind->objects) ||
	    !cJSON_AddNumberToObject(json, "unreadable", (double)kind->unreadable) ||
	    !cJSON_AddNumberToObject(json, "faulty", (double)kind->faulty) ||
	    !cJSON_AddNumberToObject(json, "lists", (double)kind->counts.lists) ||
	    !cJSON_AddNumberToObject(json, "events", (double)kind->counts.events) ||
	    !cJSON_AddNumberToObject(json, "troubles", (double)kind->counts.troubles))
		return NULL;
	if (!kind->degraded)
		return TAKE(json);
	stamp_format(kind->degraded_since, since);
	if (!cJSON_AddStringToObject(json, "degradedSince", since) ||
	    !cJSON_AddStringToObject(json, "message", kind->why))
		return NULL;
	return TAKE(json);
}

cJSON *agent_cluster_json(const struct agent *agent)
{
	auto_json cJSON *list = cJSON_CreateArray();

	for (unsigned int i = 0; i < cluster_n_kinds(agent->cluster); i++) {
		struct cluster_kind_status kind = cluster_status(agent->cluster, i);
		cJSON *json = kind_json(&kind);

		if (!cJSON_AddItemToArray(list, json)) {
			cJSON_Delete(json);
			return NULL;
		}
	}
	return TAKE(list);
}

void agent_cluster_words(const struct agent *agent, struct text *out)
{
	for (unsigned int i = 0; i < cluster_n_kinds(agent->cluster); i++) {
		struct cluster_kind_status kind = cluster_status(agent->cluster, i);
		char since[STAMP_MAX], why[600];

		text_addf(out, "%s: %s", kind.name, kind.synced ? "synced" : "not synced");
		if (kind.degraded) {
			stamp_format(kind.degraded_since, since);
			text_escape(kind.why, why, sizeof(why));
			text_addf(out, ", degraded since %s: %s", since, why);
		}
		text_addf(out, "\n");
	}
}
