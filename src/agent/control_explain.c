// SPDX-License-Identifier: Apache-2.0
/* Questions about the policy: explain, matrix, lint. */
#include <errno.h>
#include <string.h>

#include "agent/control_room.h"
#include "report/report.h"

/* -ENOENT: a name that nobody has; everything else is bad input or our trouble. */
static int code_of(int r)
{
	return r == -ENOENT ? 404 : r == -ENOMEM ? 500 : 400;
}

static int ask(const struct call *call, cJSON **ret, struct err *err)
{
	const struct world *world = &call->agent->store.world;
	struct report_node node = agent_report_node(call->agent);
	const char *from = call_query(call, "from"), *to = call_query(call, "to");
	const char *port = call_query(call, "port");
	struct explain_query query = { 0 };
	int r;

	if (!from || !to || !port)
		return err_set(err, EINVAL, "%s: missing", !from ? "from" : !to ? "to" : "port");
	if ((r = report_resolve(world, &node, from, &query.from, err)) < 0 ||
	    (r = report_resolve(world, &node, to, &query.to, err)) < 0 ||
	    (r = report_resolve_port(&query.to, port, &query.proto, &query.port, err)) < 0)
		return r;
	return report_explain(world, &query, ret, err);
}

void control_explain(struct call *call)
{
	auto_json cJSON *json = NULL;
	struct err err = { 0 };
	int r = ask(call, &json, &err);

	if (r < 0)
		return reply_error(call->control, call->request, code_of(r), "%s", err.msg);
	reply_json(call->control, call->request, 200, json);
}

static bool namespace_exists(const struct world *world, const char *namespace)
{
	if (world_namespace(world, namespace))
		return true;
	for (size_t i = 0; i < world->n_pods; i++)
		if (strcmp(world->pods[i]->namespace, namespace) == 0)
			return true;
	return false;
}

void control_matrix(struct call *call)
{
	const struct world *world = &call->agent->store.world;
	const char *namespace = call_query(call, "namespace");
	auto_json cJSON *json = NULL;
	struct err err = { 0 };
	int r;

	if (namespace && !namespace_exists(world, namespace))
		return reply_error(call->control, call->request, 404, "namespace %s is not known", namespace);
	r = report_matrix(world, namespace, &json, &err);
	if (r < 0)
		return reply_error(call->control, call->request, code_of(r), "%s", err.msg);
	reply_json(call->control, call->request, 200, json);
}

void control_lint(struct call *call)
{
	auto_json cJSON *json = NULL;
	struct err err = { 0 };

	if (report_lint(&call->agent->store.world, &json, &err) < 0)
		return reply_error(call->control, call->request, 500, "%s", err.msg);
	reply_json(call->control, call->request, 200, json);
}
