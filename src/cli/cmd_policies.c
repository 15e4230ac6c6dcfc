// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/cleanup.h"
#include "cli/answer.h"

#define SELECTS_SHOWN 3

static void joined_add(struct table *table, const cJSON *names, size_t most, const char *none)
{
	size_t n = (size_t)cJSON_GetArraySize(names), i = 0;
	auto_text struct text text = { 0 };
	const cJSON *name;

	cJSON_ArrayForEach (name, names) {
		if (i == most)
			break;
		text_addf(&text, "%s%s", i++ ? "," : "", cJSON_IsString(name) ? name->valuestring : "?");
	}
	if (n > most)
		text_addf(&text, " and %zu more", n - most);
	table->failed |= text.failed;
	table_add(table, n ? STYLE_PLAIN : STYLE_DIM, n && text.data ? text.data : none);
}

/* The revision in the kernel, and the one that the policy waits for. */
static void revision_add(struct table *table, const cJSON *policy)
{
	double revision = number_in(policy, "revision"), wanted = number_in(policy, "wantedRevision");

	if (!json_get(policy, "revision"))
		table_add(table, STYLE_DIM, "-");
	else if (!json_get(policy, "wantedRevision") || wanted == revision)
		table_addf(table, STYLE_PLAIN, "%.0f", revision);
	else
		table_addf(table, STYLE_WARN, "%.0f, wants %.0f", revision, wanted);
}

/* Since the policy reads as it does. */
static void age_add(struct table *table, const cJSON *policy)
{
	double seconds = number_in(policy, "ageSeconds");

	if (!json_get(policy, "ageSeconds"))
		table_add(table, STYLE_DIM, "-");
	else if (seconds < 120)
		table_addf(table, STYLE_PLAIN, "%.0fs", seconds);
	else if (seconds < 120 * 60)
		table_addf(table, STYLE_PLAIN, "%.0fm", floor(seconds / 60));
	else if (seconds < 48 * 3600)
		table_addf(table, STYLE_PLAIN, "%.0fh", floor(seconds / 3600));
	else
		table_addf(table, STYLE_PLAIN, "%.0fd", floor(seconds / 86400));
}

static void policy_add(struct table *table, const cJSON *policy)
{
	size_t problems = (size_t)cJSON_GetArraySize(json_get(policy, "problems"));

	table_addf(table, STYLE_PLAIN, "%s/%s", text_in(policy, "namespace"), text_in(policy, "name"));
	joined_add(table, json_get(policy, "isolates"), 2, "nothing");
	joined_add(table, json_get(policy, "selects"), SELECTS_SHOWN, "no pod");
	revision_add(table, policy);
	age_add(table, policy);
	table_add(table, flag_in(policy, "audit") ? STYLE_WARN : STYLE_DIM,
		  flag_in(policy, "audit") ? "audit" : "-");
	table_addf(table, problems ? STYLE_BAD : STYLE_DIM, problems ? "%zu" : "-", problems);
}

static void problems_print(const struct screen *screen, const cJSON *policy)
{
	const cJSON *problem;

	cJSON_ArrayForEach (problem, json_get(policy, "problems")) {
		screen_putf(screen, STYLE_BAD, "%s/%s: %s", text_in(policy, "namespace"),
			    text_in(policy, "name"), cJSON_IsString(problem) ? problem->valuestring : "?");
		putc('\n', screen->out);
	}
}

static int run(const struct cli_options *options, struct screen *screen)
{
	static const char *const head[] = { "POLICY", "ISOLATES", "SELECTS", "REVISION",
					    "AGE",    "AUDIT",	  "PROBLEMS" };
	auto_table struct table table = { .columns = sizeof(head) / sizeof(*head) };
	auto_json cJSON *answer = NULL;
	const cJSON *policy;
	int code = answer_from_daemon(options, screen, "/v1/policies", ANSWER_MS, &answer);

	if (code != CLI_OK)
		return code;
	if (options->json) {
		screen_json(screen, answer);
		return CLI_OK;
	}
	table_head(&table, head);
	cJSON_ArrayForEach (policy, json_get(answer, "policies"))
		policy_add(&table, policy);
	table_print(&table, screen);
	cJSON_ArrayForEach (policy, json_get(answer, "policies"))
		problems_print(screen, policy);
	return CLI_OK;
}

const struct command cmd_policies = {
	.name = "policies",
	.args = "",
	.options = OPT_EVERYWHERE,
	.summary = "every policy, whom it selects, since which revision it is in force",
	.help = "One line per NetworkPolicy: the directions it isolates, the pods it selects, the\n"
		"revision that put it in force here (and the one that it waits for while the kernel\n"
		"does not have it yet), how long it has read as it does, and its invalid parts by\n"
		"field.\n\n"
		"Example: bulkheadctl policies",
	.run = run,
};
