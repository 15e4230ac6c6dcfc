/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkheadctl: one verb per file (cmd_*.c). A verb gets JSON, from the daemon or
 * made here from manifests by the same code (report/), and prints it as it is or
 * as text.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/screen.h"
#include "policy/model.h"

/* explain answers with the first two; every other verb knows 0, 1 for "answered,
 * and something is wrong", and 2. */
enum cli_exit {
	CLI_ALLOWED = 0,
	CLI_OK = 0,
	CLI_DENIED = 1,
	CLI_UNWELL = 1,
	CLI_CANNOT_SAY = 2, /* usage, unknown names, no daemon, broken manifests */
};

enum cli_option {
	OPT_OUTPUT = 1 << 0,
	OPT_SOCKET = 1 << 1,
	OPT_HELP = 1 << 2,
	OPT_MANIFESTS = 1 << 3,
	OPT_POSTURE = 1 << 4,
	OPT_NAMESPACE = 1 << 5,
	OPT_FOLLOW = 1 << 6,
	OPT_LIMIT = 1 << 7,
	OPT_VERSION = 1 << 8,
	OPT_CONFIG = 1 << 9,
	OPT_KUBECONFIG = 1 << 10,
	OPT_PLUGINS = 1 << 11,
};
#define OPT_EVERYWHERE (OPT_OUTPUT | OPT_SOCKET | OPT_HELP)
#define OPT_OFFLINE    (OPT_MANIFESTS | OPT_POSTURE)

#define CLI_ARGS_MAX 3

struct cli_options {
	unsigned int given; /* enum cli_option */
	const char *verb;   /* null: none was named */
	const char *args[CLI_ARGS_MAX];
	size_t n_args;
	bool json;
	bool follow;
	const char *socket;
	const char *manifests;
	const char *namespace;
	const char *limit;
	const char *config;
	const char *kubeconfig;
	const char *plugins;
	enum posture posture;
};

struct command {
	const char *name;
	const char *args; /* as the usage line shows them */
	size_t n_args;
	unsigned int options; /* those it takes, enum cli_option */
	const char *summary;
	const char *help; /* what it prints, exit codes, an example */
	int (*run)(const struct cli_options *options, struct screen *screen);
};

extern const struct command cmd_status, cmd_endpoints, cmd_nodes, cmd_services, cmd_policies, cmd_drops,
	cmd_explain, cmd_matrix, cmd_lint, cmd_check;

/* Null: there is no such verb. `index` counts them all, from 0. */
const struct command *command_find(const char *name);
const struct command *command_at(size_t index);

/* 0 or -EINVAL with one line in err. */
int options_parse(int argc, char *const *argv, struct cli_options *ret, struct err *err);

void help_print(struct screen *screen, const struct command *command);

/* The whole program but for the process: what main() calls and tests too. */
int cli_run(int argc, char *const *argv, struct screen *screen);

#endif
