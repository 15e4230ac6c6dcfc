// SPDX-License-Identifier: Apache-2.0
#include "agent/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/stamp.h"
#include "base/cleanup.h"
#include "base/log.h"

static const char *const part_names[HEALTH_PARTS] = {
	[HEALTH_ROOM] = "room",		  [HEALTH_PEERS] = "peers",	   [HEALTH_ENFORCE] = "enforcement",
	[HEALTH_MANIFESTS] = "manifests", [HEALTH_CLUSTER] = "kubernetes", [HEALTH_NODE] = "node",
	[HEALTH_EVENTS] = "events",	  [HEALTH_STATE] = "state",	   [HEALTH_CONFLIST] = "conflist",
	[HEALTH_NETWORK] = "network",	  [HEALTH_SERVICES] = "services",
};

void health_bad(struct health *health, enum health_part part, const char *fmt, ...)
{
	char why[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (health->part[part].bad && strcmp(health->part[part].why, why) == 0)
		return; /* said already */
	log_error("degraded part=%s: %s", part_names[part], why);
	if (!health->part[part].bad)
		health->part[part].since = time(NULL);
	health->part[part].bad = true;
	memcpy(health->part[part].why, why, sizeof(why));
}

void health_good(struct health *health, enum health_part part)
{
	if (!health->part[part].bad)
		return;
	health->part[part].bad = false;
	log_info("recovered part=%s", part_names[part]);
}

bool health_degraded(const struct health *health)
{
	for (int i = 0; i < HEALTH_PARTS; i++)
		if (health->part[i].bad)
			return true;
	return false;
}

static bool reason_add(cJSON *reasons, const char *name, time_t since, const char *why)
{
	cJSON *reason = cJSON_CreateObject();
	char when[STAMP_MAX];

	stamp_format(since, when);
	if (!cJSON_AddItemToArray(reasons, reason)) {
		cJSON_Delete(reason);
		return false;
	}
	return cJSON_AddStringToObject(reason, "part", name) &&
	       cJSON_AddStringToObject(reason, "since", when) &&
	       cJSON_AddStringToObject(reason, "message", why);
}

cJSON *health_json(const struct health *health)
{
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *reasons = cJSON_AddArrayToObject(json, "reasons");
	char when[STAMP_MAX];
	time_t first = 0;

	if (!health_degraded(health))
		return cJSON_CreateNull();
	for (int i = 0; i < HEALTH_PARTS; i++) {
		if (!health->part[i].bad)
			continue;
		if (!reason_add(reasons, part_names[i], health->part[i].since, health->part[i].why))
			return NULL;
		if (first == 0 || health->part[i].since < first)
			first = health->part[i].since;
	}
	stamp_format(first, when);
	if (!cJSON_AddStringToObject(json, "since", when))
		return NULL;
	return TAKE(json);
}
