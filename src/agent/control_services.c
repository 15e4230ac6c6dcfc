// SPDX-License-Identifier: Apache-2.0
/* GET /v1/services: what the kernel translates, front by front. */
#include "agent/agent.h"
#include "agent/control_room.h"

void control_services(struct call *call)
{
	const struct agent *agent = call->agent;
	const struct service_view view = agent_service_view(agent);
	auto_json cJSON *json = NULL;
	struct err err = { 0 };

	if (report_services(&agent->store.world, agent->services, &view, &json, &err) < 0)
		return reply_error(call->control, call->request, 500, "%s", err.msg);
	cJSON_AddBoolToObject(json, "translated", !agent->config->no_services);
	reply_json(call->control, call->request, 200, json);
}
