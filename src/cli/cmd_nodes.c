// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"

static void list_add(struct table *table, const cJSON *list, const char *member)
{
	auto_text struct text text = { 0 };
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		text_addf(&text, "%s%s", text.len ? "," : "",
			  member		 ? text_in(item, member)
			  : cJSON_IsString(item) ? item->valuestring
						 : "?");
	table->failed |= text.failed;
	table_add(table, STYLE_PLAIN, text.data ? text.data : "-");
}

static void node_add(struct table *table, const cJSON *node)
{
	const char *state = text_in(node, "state"), *via = text_in(node, "via");
	bool good = strcmp(state, "ready") == 0 || strcmp(state, "self") == 0;

	table_add(table, STYLE_PLAIN, text_in(node, "name"));
	list_add(table, json_get(node, "internal"), NULL);
	list_add(table, json_get(node, "podRanges"), "range");
	table_add(table, STYLE_PLAIN, *via ? via : "-");
	table_add(table, good ? STYLE_GOOD : STYLE_BAD, state);
	table_add(table, STYLE_PLAIN, text_in(node, "why"));
}

static void mode_print(const struct screen *screen, const cJSON *answer)
{
	screen_putf(screen, STYLE_PLAIN, "mode %s", text_in(answer, "mode"));
	if (*text_in(answer, "device"))
		screen_putf(screen, STYLE_PLAIN, ", device %s, UDP port %.0f, VNI %.0f",
			    text_in(answer, "device"), number_in(answer, "port"), number_in(answer, "vni"));
	if (number_in(answer, "mtu") > 0)
		screen_putf(screen, STYLE_PLAIN, ", mtu %.0f", number_in(answer, "mtu"));
	screen_putf(screen, STYLE_PLAIN, ", masquerade %s", flag_in(answer, "masquerade") ? "on" : "off");
	fprintf(screen->out, "\n");
	if (*text_in(answer, "problem")) {
		screen_put(screen, STYLE_BAD, text_in(answer, "problem"));
		fprintf(screen->out, "\n");
	}
}

static bool all_are_well(const cJSON *answer)
{
	const cJSON *node;

	cJSON_ArrayForEach (node, json_get(answer, "nodes"))
		if (*text_in(node, "why") || strcmp(text_in(node, "state"), "no route") == 0)
			return false;
	return !*text_in(answer, "problem");
}

static int run(const struct cli_options *options, struct screen *screen)
{
	static const char *const head[] = { "NODE", "ADDRESSES", "POD RANGES", "VIA", "STATE", "WHY" };
	auto_table struct table table = { .columns = sizeof(head) / sizeof(*head) };
	auto_json cJSON *answer = NULL;
	const cJSON *node;
	int code = answer_from_daemon(options, screen, "/v1/nodes", ANSWER_MS, &answer);

	if (code != CLI_OK)
		return code;
	code = all_are_well(answer) ? CLI_OK : CLI_UNWELL;
	if (options->json) {
		screen_json(screen, answer);
		return code;
	}
	mode_print(screen, answer);
	table_head(&table, head);
	cJSON_ArrayForEach (node, json_get(answer, "nodes"))
		node_add(&table, node);
	if (json_get(answer, "nodes")->child)
		table_print(&table, screen);
	return code;
}

const struct command cmd_nodes = {
	.name = "nodes",
	.args = "",
	.options = OPT_EVERYWHERE,
	.summary = "the network between nodes: ranges, routes, and why not",
	.help = "How this node's pods reach those of other nodes: the mode and what it needs, then\n"
		"one line per node. A node is ready when the kernel has a route to each of its pod\n"
		"ranges; one that is refused, or in part, says why. Exit 1 when any is not as it\n"
		"should be.\n\n"
		"Example: bulkheadctl nodes",
	.run = run,
};
