// SPDX-License-Identifier: Apache-2.0
/* The daemon's binary looks, whether or not a daemon runs: it alone may ask the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/answer.h"

#define ANSWER_MAX (1u << 20)
#define ARGV_MAX   16

extern char **environ;

/* Beside this program, or where installing puts the two; else PATH finds it. */
static void daemon_find(char out[PATH_MAX])
{
	static const char *const places[] = { "", "/../sbin" };
	const char *named = getenv("BULKHEADD");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

	for (size_t i = 0; slash && !named && i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(out, PATH_MAX, "%.*s%s/bulkheadd", (int)(slash - self), self, places[i]);

		if (len < PATH_MAX && access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_MAX, "%s", named ? named : "bulkheadd");
}

static void argv_fill(const char **argv, const char *daemon, const struct cli_options *options)
{
	const struct {
		enum cli_option option;
		const char *flag, *value;
	} pairs[] = {
		{ OPT_CONFIG, "--config", options->config },
		{ OPT_KUBECONFIG, "--kubeconfig", options->kubeconfig },
		{ OPT_MANIFESTS, "--manifests", options->manifests },
		{ OPT_SOCKET, "--socket", options->socket },
		{ OPT_PLUGINS, "--plugins", options->plugins },
	};
	size_t n = 0;

	argv[n++] = daemon;
	argv[n++] = "--check-node";
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!(options->given & pairs[i].option))
			continue;
		argv[n++] = pairs[i].flag;
		argv[n++] = pairs[i].value;
	}
	argv[n] = NULL;
}

static int spawn_reading(const char **argv, pid_t *ret_child, int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		if (r == 0)
			r = posix_spawnp(ret_child, argv[0], &actions, NULL, (char **)argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return -r;
	}
	*ret_fd = ends[0];
	return 0;
}

/* It says on stderr itself why it gave no answer. */
static int ask(const struct cli_options *options, const struct screen *screen, cJSON **ret)
{
	const char *argv[ARGV_MAX];
	char daemon[PATH_MAX];
	auto_free char *text = NULL;
	auto_close int fd = -1;
	struct err err = { 0 };
	int status = 0, r;
	size_t len = 0;
	pid_t child;

	daemon_find(daemon);
	argv_fill(argv, daemon, options);
	r = spawn_reading(argv, &child, &fd);
	if (r < 0) {
		screen_complain(screen, "%s: %s (BULKHEADD names the daemon's program)", daemon,
				strerror(-r));
		return CLI_CANNOT_SAY;
	}
	r = file_read_fd(fd, daemon, ANSWER_MAX, &text, &len, &err);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) > 1))
		r = err_set(&err, EIO, "%s --check-node gave no answer", daemon);
	if (r == 0)
		r = json_parse(text, len, ret, &err);
	if (r < 0)
		screen_complain(screen, "%s", err.msg);
	return r < 0 ? CLI_CANNOT_SAY : CLI_OK;
}

static void check_print(const struct screen *screen, const cJSON *check)
{
	const char *level = text_in(check, "level"), *todo = text_in(check, "todo");
	bool fine = strcmp(level, "ok") == 0;

	screen_putf(screen,
		    fine			    ? STYLE_GOOD
		    : strcmp(level, "warning") == 0 ? STYLE_WARN
						    : STYLE_BAD,
		    "%-8s", level);
	screen_putf(screen, STYLE_PLAIN, " %-12s %s", text_in(check, "name"), text_in(check, "found"));
	if (*todo)
		screen_putf(screen, STYLE_HEAD, " -> %s", todo);
	fprintf(screen->out, "\n");
}

static int run(const struct cli_options *options, struct screen *screen)
{
	auto_json cJSON *answer = NULL;
	const cJSON *check;
	int code = ask(options, screen, &answer);

	if (code != CLI_OK)
		return code;
	code = cJSON_IsTrue(json_get(answer, "ok")) ? CLI_OK : CLI_UNWELL;
	if (options->json) {
		screen_json(screen, answer);
		return code;
	}
	cJSON_ArrayForEach (check, json_get(answer, "checks"))
		check_print(screen, check);
	return code;
}

const struct command cmd_check = {
	.name = "check",
	.args = "",
	.options = OPT_EVERYWHERE | OPT_CONFIG | OPT_KUBECONFIG | OPT_MANIFESTS | OPT_PLUGINS,
	.summary = "is this node fit, and is what is installed in order?",
	.help = "One line per check, with what to do: kernel, hooks, bpffs, layout of the tables, plugin,\n"
		"the runtime's configuration, the daemon, other networks, MTU, forwarding; with an API\n"
		"server as the source also its answer, certificate, clock and what it lets us read.\n"
		"Works before the installation and beside a running daemon, and changes nothing; needs\n"
		"root. Give the daemon's own --config. Exit 1 when a check failed; warnings are none.\n\n"
		"Example: bulkheadctl check --config /etc/bulkhead/bulkheadd.yaml",
	.run = run,
};
