// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"
#include "report/report.h"

#define BACKENDS_SHOWN 4

static bool addr_is_here(const struct bh_addr *addr, void *data)
{
	(void)addr, (void)data;
	return true; /* which node is meant nobody has said */
}

static int ask_world(const struct offline *offline, cJSON **ret)
{
	const struct world *world = &offline->world;
	const struct service_view view = { (const struct pod *const *)world->pods, world->n_pods, "",
					   addr_is_here, NULL };
	struct services *services = services_new();
	struct service_plan plan = { 0 };
	struct err err = { 0 };
	int r = services && services_reset(services, world) == 0 ? 1 : -ENOMEM;

	while (r > 0) {
		r = services_plan(services, &view, &plan);
		service_plan_done(&plan);
	}
	r = r < 0 ? err_set(&err, ENOMEM, "out of memory")
		  : report_services(world, services, &view, ret, &err);
	services_free(services);
	if (r == 0)
		return CLI_OK;
	screen_complain(offline->screen, "%s", err.msg);
	return CLI_CANNOT_SAY;
}

static void backends_add(struct table *table, const cJSON *backends)
{
	auto_text struct text text = { 0 };
	const cJSON *backend;
	int n = 0, all = cJSON_GetArraySize(backends);

	cJSON_ArrayForEach (backend, backends) {
		const char *pod = text_in(backend, "pod"), *addr = text_in(backend, "address");
		bool v6 = strchr(addr, ':');

		if (n++ == BACKENDS_SHOWN && all > BACKENDS_SHOWN + 1) {
			text_addf(&text, ", and %d more", all - BACKENDS_SHOWN);
			break;
		}
		text_addf(&text, "%s%s%s%s:%.0f", n > 1 ? ", " : "", v6 ? "[" : "", addr, v6 ? "]" : "",
			  number_in(backend, "port"));
		if (*pod)
			text_addf(&text, " %s", pod);
	}
	table->failed |= text.failed;
	table_add(table, STYLE_PLAIN, text.data ? text.data : "-");
}

static enum style state_style(const char *state)
{
	if (strcmp(state, "refused") == 0)
		return STYLE_BAD;
	return strcmp(state, "no endpoints") == 0 ? STYLE_WARN : STYLE_PLAIN;
}

static void name_add(struct table *table, const cJSON *service)
{
	auto_text struct text text = { 0 };

	text_addf(&text, "%s/%s", text_in(service, "namespace"), text_in(service, "name"));
	table->failed |= text.failed;
	table_add(table, STYLE_PLAIN, text.data ? text.data : "");
}

static void row_add(struct table *table, const cJSON *service, const cJSON *port)
{
	const char *addr = text_in(port, "address"), *state = text_in(service, "state");
	const char *why = text_in(service, "why");
	auto_text struct text front = { 0 };

	if (port && strcmp(state, "ok") == 0)
		state = text_in(port, "state");
	name_add(table, service);
	if (port)
		text_addf(&front, strchr(addr, ':') ? "[%s]:%.0f/%s" : "%s:%.0f/%s", addr,
			  number_in(port, "port"), text_in(port, "protocol"));
	table->failed |= front.failed;
	table_add(table, STYLE_PLAIN, front.data ? front.data : "-");
	table_add(table, state_style(state), state);
	if (*why)
		table_add(table, STYLE_BAD, why);
	else
		backends_add(table, json_get(port, "backends"));
}

static int run(const struct cli_options *options, struct screen *screen)
{
	static const char *const head[] = { "SERVICE", "ADDRESS", "STATE", "BACKENDS" };
	auto_table struct table table = { .columns = sizeof(head) / sizeof(*head) };
	auto_json cJSON *answer = NULL;
	struct offline offline = { 0 };
	const cJSON *service, *port;
	int code;

	if (options->manifests) {
		code = offline_open(&offline, options, screen, false);
		if (code == CLI_OK)
			code = ask_world(&offline, &answer);
	} else {
		code = answer_from_daemon(options, screen, "/v1/services", ANSWER_MS, &answer);
	}
	if (code == CLI_OK && options->json) {
		screen_json(screen, answer);
	} else if (code == CLI_OK) {
		table_head(&table, head);
		cJSON_ArrayForEach (service, json_get(answer, "services")) {
			cJSON_ArrayForEach (port, json_get(service, "ports"))
				row_add(&table, service, port);
			if (!json_get(service, "ports")->child)
				row_add(&table, service, NULL);
		}
		table_print(&table, screen);
	}
	if (code == CLI_OK && number_in(json_get(answer, "tables"), "refused") > 0)
		code = CLI_UNWELL;
	code = offline_exit(&offline, code);
	offline_done(&offline);
	return code;
}

const struct command cmd_services = {
	.name = "services",
	.args = "",
	.options = OPT_EVERYWHERE | OPT_OFFLINE,
	.summary = "addresses that clients dial, and the pods behind them",
	.help = "One line per address and port of each Service: whether this node translates it, and\n"
		"the backends that new connections of pods go to. A Service is refused when it does not\n"
		"fit or another one has its address; it then keeps the backends it had. Exit 1 when any\n"
		"is refused.\n\n"
		"Example: bulkheadctl services",
	.run = run,
};
