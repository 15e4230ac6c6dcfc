// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"

static double dropped_sum(const cJSON *endpoint, const char *direction)
{
	const cJSON *reason;
	double sum = 0;

	cJSON_ArrayForEach (reason, json_get(json_get(endpoint, direction), "dropped"))
		sum += cJSON_IsNumber(reason) ? reason->valuedouble : 0;
	return sum;
}

static void addresses_add(struct table *table, const cJSON *addresses)
{
	auto_text struct text text = { 0 };
	const cJSON *address;

	cJSON_ArrayForEach (address, addresses)
		text_addf(&text, "%s%s", text.len ? "," : "",
			  cJSON_IsString(address) ? address->valuestring : "?");
	table->failed |= text.failed;
	table_add(table, STYLE_PLAIN, text.data ? text.data : "-");
}

static void isolated_add(struct table *table, const cJSON *isolated)
{
	bool egress = flag_in(isolated, "egress"), ingress = flag_in(isolated, "ingress");

	if (egress && ingress)
		table_add(table, STYLE_PLAIN, "both");
	else
		table_add(table, egress || ingress ? STYLE_PLAIN : STYLE_DIM,
			  egress    ? "egress"
			  : ingress ? "ingress"
				    : "no");
}

static void endpoint_add(struct table *table, const cJSON *endpoint)
{
	bool open = strcmp(text_in(endpoint, "state"), "open") == 0;
	double passed = number_in(json_get(endpoint, "egress"), "passed") +
			number_in(json_get(endpoint, "ingress"), "passed");
	double dropped = dropped_sum(endpoint, "egress") + dropped_sum(endpoint, "ingress");

	table_addf(table, STYLE_PLAIN, "%s/%s", text_in(endpoint, "namespace"), text_in(endpoint, "pod"));
	addresses_add(table, json_get(endpoint, "addresses"));
	table_add(table, open ? STYLE_GOOD : STYLE_BAD, text_in(endpoint, "state"));
	isolated_add(table, json_get(endpoint, "isolated"));
	table_addf(table, STYLE_PLAIN, "%.0f", number_in(endpoint, "revision"));
	table_addf(table, STYLE_PLAIN, "%.0f", passed);
	table_addf(table, dropped > 0 ? STYLE_WARN : STYLE_PLAIN, "%.0f", dropped);
	table_add(table, STYLE_PLAIN, text_in(endpoint, "hook"));
	table_addf(table, STYLE_PLAIN, "%.0f", number_in(endpoint, "ifindex"));
}

static int run(const struct cli_options *options, struct screen *screen)
{
	static const char *const head[] = { "POD",    "ADDRESSES", "STATE", "ISOLATED", "REVISION",
					    "PASSED", "DROPPED",   "HOOK",  "IFINDEX" };
	auto_table struct table table = { .columns = sizeof(head) / sizeof(*head) };
	auto_json cJSON *answer = NULL;
	const cJSON *endpoint;
	int code = answer_from_daemon(options, screen, "/v1/endpoints", ANSWER_MS, &answer);

	if (code != CLI_OK)
		return code;
	if (options->json) {
		screen_json(screen, answer);
		return CLI_OK;
	}
	table_head(&table, head);
	cJSON_ArrayForEach (endpoint, json_get(answer, "endpoints"))
		endpoint_add(&table, endpoint);
	table_print(&table, screen);
	return CLI_OK;
}

const struct command cmd_endpoints = {
	.name = "endpoints",
	.args = "",
	.options = OPT_EVERYWHERE,
	.summary = "the pods of this node: state, isolation, packets",
	.help = "One line per pod interface of this node. A closed endpoint passes nothing yet: its\n"
		"pod's policy is not in place. PASSED and DROPPED count packets of both directions;\n"
		"-o json has them by direction and reason.\n\n"
		"Example: bulkheadctl endpoints",
	.run = run,
};
