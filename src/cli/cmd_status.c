// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"

static void uptime_put(const struct screen *screen, double seconds)
{
	unsigned long s = (unsigned long)seconds;

	if (s < 120)
		fprintf(screen->out, "up %lu s", s);
	else if (s < 7200)
		fprintf(screen->out, "up %lu min", s / 60);
	else if (s < 172800)
		fprintf(screen->out, "up %lu h", s / 3600);
	else
		fprintf(screen->out, "up %lu days", s / 86400);
}

static void label_put(const struct screen *screen, const char *label)
{
	screen_putf(screen, STYLE_HEAD, "%-10s", label);
}

static void daemon_print(const struct screen *screen, const cJSON *status)
{
	label_put(screen, "daemon");
	if (flag_in(status, "ready"))
		screen_put(screen, STYLE_GOOD, "ready");
	else
		screen_putf(screen, STYLE_BAD, "not ready: %s", text_in(status, "notReady"));
	screen_putf(screen, STYLE_PLAIN, ", version %s on %s, ", text_in(status, "version"),
		    text_in(status, "node"));
	uptime_put(screen, number_in(status, "uptimeSeconds"));
	putc('\n', screen->out);
}

static void policy_print(const struct screen *screen, const cJSON *status)
{
	const cJSON *update = json_get(status, "lastUpdate");

	label_put(screen, "policy");
	screen_putf(screen, STYLE_PLAIN,
		    "%.0f policies, %.0f pods known, posture %s, revision %.0f, last update %.0f us",
		    number_in(status, "policies"), number_in(status, "pods"), text_in(status, "posture"),
		    number_in(update, "revision"), number_in(update, "microseconds"));
	putc('\n', screen->out);
}

static void endpoints_print(const struct screen *screen, const cJSON *status)
{
	label_put(screen, "endpoints");
	screen_putf(screen, STYLE_PLAIN, "%.0f on this node, hook %s, %.0f subjects, %.0f peer classes",
		    number_in(status, "endpoints"), text_in(status, "hook"), number_in(status, "subjects"),
		    number_in(status, "classes"));
	putc('\n', screen->out);
}

/* The fullest table is the one that will refuse first. */
static void tables_print(const struct screen *screen, const cJSON *status)
{
	const cJSON *table, *fullest = NULL;
	double most = -1;

	cJSON_ArrayForEach (table, json_get(status, "tables")) {
		double limit = number_in(table, "limit"),
		       part = limit > 0 ? number_in(table, "used") / limit : 0;

		if (part > most) {
			most = part;
			fullest = table;
		}
	}
	label_put(screen, "tables");
	if (fullest)
		screen_putf(screen, most > 0.8 ? STYLE_WARN : STYLE_PLAIN,
			    "fullest is %s: %.0f of %.0f (%.1f%%)", fullest->string,
			    number_in(fullest, "used"), number_in(fullest, "limit"), most * 100);
	putc('\n', screen->out);
}

static bool problems_print(const struct screen *screen, const cJSON *status)
{
	double broken = number_in(status, "brokenManifests");
	const cJSON *degraded = json_get(status, "degraded"), *reason;
	bool some = broken > 0 || degraded;

	label_put(screen, "problems");
	if (!some)
		screen_put(screen, STYLE_GOOD, "none");
	if (broken > 0)
		screen_putf(screen, STYLE_BAD, "%.0f broken manifests%s", broken, degraded ? "; " : "");
	cJSON_ArrayForEach (reason, json_get(degraded, "reasons"))
		screen_putf(screen, STYLE_BAD, "%s since %s: %s%s", text_in(reason, "part"),
			    text_in(reason, "since"), text_in(reason, "message"), reason->next ? "; " : "");
	putc('\n', screen->out);
	return some;
}

static int run(const struct cli_options *options, struct screen *screen)
{
	auto_json cJSON *status = NULL;
	int code = answer_from_daemon(options, screen, "/v1/status", ANSWER_MS, &status);
	bool troubled;

	if (code != CLI_OK)
		return code;
	if (options->json) {
		screen_json(screen, status);
		troubled = number_in(status, "brokenManifests") > 0 || json_get(status, "degraded");
	} else {
		daemon_print(screen, status);
		policy_print(screen, status);
		endpoints_print(screen, status);
		tables_print(screen, status);
		troubled = problems_print(screen, status);
	}
	return flag_in(status, "ready") && !troubled ? CLI_OK : CLI_UNWELL;
}

const struct command cmd_status = {
	.name = "status",
	.args = "",
	.options = OPT_EVERYWHERE,
	.summary = "health in five lines",
	.help = "Is the daemon ready, what policy is in force, how many pods it guards, how full the\n"
		"kernel's tables are, and what is wrong.\n\n"
		"Exits 0 when ready and nothing is wrong, 1 when something is, 2 without a daemon.\n\n"
		"Example: bulkheadctl status",
	.run = run,
};
