// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <string.h>

#include "base/version.h"

static const struct command *const commands[] = {
	&cmd_status, &cmd_endpoints, &cmd_nodes,  &cmd_services, &cmd_policies,
	&cmd_drops,  &cmd_explain,   &cmd_matrix, &cmd_lint,	 &cmd_check,
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct {
	enum cli_option option;
	const char *text;
} option_texts[] = {
	{ OPT_MANIFESTS, "-m, --manifests DIR   the objects are those in this folder; needs no daemon" },
	{ OPT_POSTURE, "    --posture WORD    with --manifests: standard (default), deny or audit" },
	{ OPT_NAMESPACE, "-n, --namespace NAME  only the pods of this namespace" },
	{ OPT_FOLLOW, "-f, --follow          go on printing as they come" },
	{ OPT_LIMIT, "    --limit N         at most so many of those remembered" },
	{ OPT_CONFIG, "    --config PATH     the daemon's settings: a file or a folder" },
	{ OPT_KUBECONFIG, "    --kubeconfig FILE of the API server that is the source" },
	{ OPT_PLUGINS, "    --plugins DIR     the runtime's plugins (default /opt/cni/bin)" },
	{ OPT_OUTPUT, "-o, --output FORMAT   text (default) or json" },
	{ OPT_SOCKET, "    --socket PATH     of the daemon (default /run/bulkhead/bulkhead.sock)" },
	{ OPT_HELP, "-h, --help            this text" },
	{ OPT_VERSION, "-V, --version         the version" },
};

const struct command *command_at(size_t index)
{
	return index < N_COMMANDS ? commands[index] : NULL;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void options_print(const struct screen *screen, unsigned int options)
{
	fprintf(screen->out, "\nOptions:\n");
	for (size_t i = 0; i < sizeof(option_texts) / sizeof(*option_texts); i++)
		if (options & option_texts[i].option)
			fprintf(screen->out, "  %s\n", option_texts[i].text);
}

void help_print(struct screen *screen, const struct command *command)
{
	if (command) {
		fprintf(screen->out, "Usage: bulkheadctl %s%s%s [options]\n\n%s\n", command->name,
			*command->args ? " " : "", command->args, command->help);
		options_print(screen, command->options);
		return;
	}
	fprintf(screen->out, "Usage: bulkheadctl [verb] [options]\n\nAsks the Bulkhead daemon of this node, "
			     "or manifests.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(screen->out, "  %-10s %s%s\n", commands[i]->name, commands[i]->summary,
			i == 0 ? " (the default)" : "");
	options_print(screen, OPT_EVERYWHERE | OPT_VERSION);
	fprintf(screen->out, "\n`bulkheadctl VERB --help` has the rest, with an example.\n");
}

/* What the verb cannot use must not be silently without effect. */
static int usage_check(const struct cli_options *options, const struct command *command,
		       struct screen *screen)
{
	unsigned int extra = options->given & ~command->options;

	if (extra) {
		for (size_t i = 0; i < sizeof(option_texts) / sizeof(*option_texts); i++)
			if (extra & option_texts[i].option) {
				const char *name = strstr(option_texts[i].text, "--");

				screen_complain(screen, "%s does not take %.*s", command->name,
						(int)strcspn(name, " "), name);
				break;
			}
		return CLI_CANNOT_SAY;
	}
	if (options->n_args != command->n_args) {
		screen_complain(screen, "usage: bulkheadctl %s%s%s", command->name, *command->args ? " " : "",
				command->args);
		return CLI_CANNOT_SAY;
	}
	if ((options->given & OPT_POSTURE) && !(options->given & OPT_MANIFESTS)) {
		screen_complain(screen, "--posture goes with --manifests; the daemon has its own");
		return CLI_CANNOT_SAY;
	}
	return CLI_OK;
}

int cli_run(int argc, char *const *argv, struct screen *screen)
{
	struct cli_options options;
	const struct command *command;
	struct err err = { 0 };
	bool help;

	if (options_parse(argc, argv, &options, &err) < 0) {
		screen_complain(screen, "%s; try --help", err.msg);
		return CLI_CANNOT_SAY;
	}
	help = options.given & OPT_HELP;
	if (options.given & OPT_VERSION) {
		fprintf(screen->out, "bulkheadctl " BULKHEAD_VERSION "\n");
		return CLI_OK;
	}
	command = command_find(options.verb ? options.verb : "status");
	if (help && (command || !options.verb)) {
		help_print(screen, options.verb ? command : NULL);
		return CLI_OK;
	}
	if (!command) {
		screen_complain(screen, "unknown verb \"%s\"; try --help", options.verb);
		return CLI_CANNOT_SAY;
	}
	return usage_check(&options, command, screen) ? CLI_CANNOT_SAY : command->run(&options, screen);
}
