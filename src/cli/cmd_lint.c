// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"
#include "report/report.h"

static int ask_world(const struct offline *offline, cJSON **ret)
{
	struct err err = { 0 };

	if (report_lint(&offline->world, ret, &err) == 0)
		return CLI_OK;
	screen_complain(offline->screen, "%s", err.msg);
	return CLI_CANNOT_SAY;
}

static enum style level_style(const char *level)
{
	if (strcmp(level, "error") == 0)
		return STYLE_BAD;
	return strcmp(level, "warning") == 0 ? STYLE_WARN : STYLE_DIM;
}

static size_t findings_count(const cJSON *answer, const char *level)
{
	const cJSON *finding;
	size_t n = 0;

	cJSON_ArrayForEach (finding, json_get(answer, "findings"))
		n += strcmp(text_in(finding, "level"), level) == 0;
	return n;
}

static void findings_print(const struct screen *screen, const cJSON *answer)
{
	const cJSON *finding;

	cJSON_ArrayForEach (finding, json_get(answer, "findings")) {
		screen_put(screen, level_style(text_in(finding, "level")), text_in(finding, "level"));
		screen_putf(screen, STYLE_PLAIN, ": %s: %s: %s", text_in(finding, "object"),
			    text_in(finding, "field"), text_in(finding, "message"));
		putc('\n', screen->out);
	}
	fprintf(screen->out, "%zu errors, %zu warnings, %zu notes\n", findings_count(answer, "error"),
		findings_count(answer, "warning"), findings_count(answer, "note"));
}

static int run(const struct cli_options *options, struct screen *screen)
{
	auto_json cJSON *answer = NULL;
	struct offline offline = { 0 };
	int code;

	if (options->manifests) {
		code = offline_open(&offline, options, screen, true);
		if (code == CLI_OK)
			code = ask_world(&offline, &answer);
	} else {
		code = answer_from_daemon(options, screen, "/v1/lint", ANSWER_MS, &answer);
	}
	if (code == CLI_OK && options->json)
		screen_json(screen, answer);
	else if (code == CLI_OK)
		findings_print(screen, answer);
	if (code == CLI_OK && findings_count(answer, "error") + findings_count(answer, "warning") > 0)
		code = CLI_UNWELL;
	code = offline_exit(&offline, code);
	offline_done(&offline);
	return code;
}

const struct command cmd_lint = {
	.name = "lint",
	.args = "",
	.options = OPT_EVERYWHERE | OPT_OFFLINE,
	.summary = "what the policies say that they hardly mean",
	.help = "Errors: invalid parts of policies (they isolate and allow nothing). Warnings: named\n"
		"ports that nobody serves, ports that are a Service's and not its pods', sections\n"
		"without effect. Notes: policies and peers that match no pod now. With --manifests,\n"
		"files and objects that are not read are named on stderr.\n\n"
		"Exits 0 without errors and warnings, 1 with them, 2 when it cannot say.\n\n"
		"Example: bulkheadctl lint --manifests ./manifests",
	.run = run,
};
