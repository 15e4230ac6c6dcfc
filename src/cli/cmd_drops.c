// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"

#define auto_reply cleanup(unixhttp_reply_done)

#define LIMIT_MAX 1024 /* the daemon remembers no more */

struct drops_view {
	const struct cli_options *options;
	const struct screen *screen;
	int code;
};

static void drop_print(const struct screen *screen, const cJSON *drop)
{
	bool audit = strcmp(text_in(drop, "action"), "audit") == 0;

	screen_putf(screen, STYLE_DIM, "%s ", text_in(drop, "time"));
	screen_put(screen, audit ? STYLE_WARN : STYLE_BAD, text_in(drop, "sentence"));
	putc('\n', screen->out);
}

/* Non-zero ends the stream. An error in the middle of it comes as a line. */
static int drop_show(char *line, void *data)
{
	struct drops_view *view = data;
	auto_json cJSON *drop = NULL;
	struct err err = { 0 };

	if (!*line)
		return 0;
	if (json_parse(line, strlen(line), &drop, &err) < 0) {
		screen_complain(view->screen, "the daemon's answer: %s", err.msg);
		view->code = CLI_CANNOT_SAY;
		return 1;
	}
	if (json_get(drop, "error")) {
		screen_complain(view->screen, "%s", text_in(drop, "error"));
		view->code = CLI_CANNOT_SAY;
		return 1;
	}
	if (view->options->json)
		screen_json_line(view->screen, line);
	else
		drop_print(view->screen, drop);
	/* Whoever pipes this wants each line when it happens; gone readers end it. */
	return fflush(view->screen->out) != 0;
}

static int drops_follow(struct drops_view *view, const char *path)
{
	auto_reply struct unixhttp_reply refusal = { 0 };
	auto_json cJSON *nothing = NULL;
	struct err err = { 0 };

	if (unixhttp_stream(view->options->socket, path, drop_show, view, &refusal, &err) == 0 ||
	    view->code != CLI_OK)
		return view->code;
	if (refusal.body)
		return reply_read(view->screen, &refusal, &nothing);
	complain_of_daemon(view->screen, view->options->socket, &err);
	return CLI_CANNOT_SAY;
}

static int run(const struct cli_options *options, struct screen *screen)
{
	struct drops_view view = { .options = options, .screen = screen };
	auto_text struct text path = { 0 };
	unsigned long limit;

	if (options->limit && text_to_ulong(options->limit, 0, LIMIT_MAX, &limit) < 0) {
		screen_complain(screen, "--limit is a number from 0 to %d, not \"%s\"", LIMIT_MAX,
				options->limit);
		return CLI_CANNOT_SAY;
	}
	text_addf(&path, "/v1/drops");
	if (options->limit)
		query_add(&path, "limit", options->limit);
	if (options->follow)
		query_add(&path, "follow", "1");
	if (path.failed) {
		screen_complain(screen, "out of memory");
		return CLI_CANNOT_SAY;
	}
	return drops_follow(&view, path.data);
}

const struct command cmd_drops = {
	.name = "drops",
	.args = "",
	.options = OPT_EVERYWHERE | OPT_FOLLOW | OPT_LIMIT,
	.summary = "what was dropped, between whom, and why",
	.help = "Prints the drops that the daemon remembers (the last 1024), oldest first: both pods,\n"
		"the port, the direction, every policy that isolates the pod, the nearest rule and the\n"
		"clause that failed. Where audit lets packets pass, what would have been dropped.\n"
		"With -o json one object per line.\n\n"
		"Example: bulkheadctl drops --follow --limit 0",
	.run = run,
};
