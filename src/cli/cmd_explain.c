// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"
#include "report/report.h"

static int ask_daemon(const struct cli_options *options, const struct screen *screen, cJSON **ret)
{
	auto_text struct text path = { 0 };

	text_addf(&path, "/v1/explain");
	query_add(&path, "from", options->args[0]);
	query_add(&path, "to", options->args[1]);
	query_add(&path, "port", options->args[2]);
	if (path.failed) {
		screen_complain(screen, "out of memory");
		return CLI_CANNOT_SAY;
	}
	return answer_from_daemon(options, screen, path.data, ANSWER_MS, ret);
}

static int ask_world(const struct cli_options *options, const struct offline *offline, cJSON **ret)
{
	struct explain_query query = { 0 };
	struct err err = { 0 };
	int r = report_resolve(&offline->world, NULL, options->args[0], &query.from, &err);

	if (r == 0)
		r = report_resolve(&offline->world, NULL, options->args[1], &query.to, &err);
	if (r == 0)
		r = report_resolve_port(&query.to, options->args[2], &query.proto, &query.port, &err);
	if (r == 0)
		r = report_explain(&offline->world, &query, ret, &err);
	if (r == 0)
		return CLI_OK;
	screen_complain(offline->screen, "%s", err.msg);
	return CLI_CANNOT_SAY;
}

static int verdict_exit(const char *verdict)
{
	if (strcmp(verdict, "allow") == 0 || strcmp(verdict, "audit") == 0)
		return CLI_ALLOWED;
	return strcmp(verdict, "deny") == 0 ? CLI_DENIED : CLI_CANNOT_SAY;
}

static enum style verdict_style(const char *verdict)
{
	if (strcmp(verdict, "allow") == 0)
		return STYLE_GOOD;
	return strcmp(verdict, "deny") == 0 ? STYLE_BAD : STYLE_WARN;
}

/* The headline, then the two sides indented. */
static void answer_print(const struct screen *screen, const cJSON *answer)
{
	const char *line = text_in(answer, "sentence");
	enum style style = verdict_style(text_in(answer, "verdict"));

	for (bool first = true; *line; first = false) {
		size_t len = strcspn(line, "\n");

		screen_putf(screen, first ? style : STYLE_PLAIN, "%s%.*s", first ? "" : "  ", (int)len, line);
		putc('\n', screen->out);
		line += len + (line[len] == '\n');
	}
}

static int run(const struct cli_options *options, struct screen *screen)
{
	auto_json cJSON *answer = NULL;
	struct offline offline = { 0 };
	int code = CLI_OK;

	if (options->manifests) {
		code = offline_open(&offline, options, screen, false);
		if (code == CLI_OK)
			code = ask_world(options, &offline, &answer);
	} else {
		code = ask_daemon(options, screen, &answer);
	}
	if (code == CLI_OK && options->json)
		screen_json(screen, answer);
	else if (code == CLI_OK)
		answer_print(screen, answer);
	if (code == CLI_OK)
		code = verdict_exit(text_in(answer, "verdict"));
	code = offline_exit(&offline, code);
	offline_done(&offline);
	return code;
}

const struct command cmd_explain = {
	.name = "explain",
	.args = "FROM TO PORT[/PROTO]",
	.n_args = 3,
	.options = OPT_EVERYWHERE | OPT_OFFLINE,
	.summary = "may FROM open a connection to TO, and why",
	.help = "Judges one connection: which policies isolate each end, which rule allows it or\n"
		"came nearest, and the clause that failed.\n\n"
		"FROM and TO are NAMESPACE/POD, NAMESPACE/WORKLOAD, POD (of namespace default) or\n"
		"an IP address. PORT is a number, the name of a port of TO, or icmp; PROTO is TCP\n"
		"(the default), UDP or SCTP.\n\n"
		"Exits 0 when allowed, 1 when denied, 2 when it cannot say.\n\n"
		"Example: bulkheadctl explain shop/web shop/db 5432",
	.run = run,
};
