// SPDX-License-Identifier: Apache-2.0
#include "lib/shell.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "cli/command.h"
#include "lib/text_has.h"

#define ARGV_MAX 12

const char shell_shop[] = DEPLOYMENT("web", "80") DEPLOYMENT("db", "5432")
	DEPLOYMENT("job", "1") "---\n"
			       "kind: NetworkPolicy\n"
			       "apiVersion: networking.k8s.io/v1\n"
			       "metadata: {name: db, namespace: shop}\n"
			       "spec:\n"
			       "  podSelector: {matchLabels: {app: db}}\n"
			       "  ingress:\n"
			       "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
			       "    ports: [{port: main}]\n";

void shell_put(const struct shell *shell, const char *name, const char *content)
{
	tempdir_put(shell->folder, name, content);
}

int shell_setup(void **state)
{
	struct shell *shell = calloc(1, sizeof(*shell));

	if (tempdir_make(shell->folder) < 0)
		return -1;
	snprintf(shell->socket, sizeof(shell->socket), "%s/sock", shell->folder);
	*state = shell;
	return 0;
}

int shell_teardown(void **state)
{
	struct shell *shell = *state;
	int r;

	if (shell->daemon > 0) {
		kill(shell->daemon, SIGKILL);
		waitpid(shell->daemon, NULL, 0);
	}
	r = tempdir_remove(shell->folder);
	free(shell->out);
	free(shell->err);
	free(shell);
	return r;
}

void shell_run(struct shell *shell, const char *line)
{
	char copy[512], *argv[ARGV_MAX + 1] = { (char *)"bulkheadctl" }, *save = NULL;
	size_t out_len, err_len;
	struct screen screen = { .colour = shell->colour };
	int argc = 1;

	free(shell->out);
	free(shell->err);
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(argc < ARGV_MAX);
		argv[argc++] = strcmp(word, "DIR") == 0	   ? shell->folder
			       : strcmp(word, "SOCK") == 0 ? shell->socket
							   : word;
	}
	screen.out = open_memstream(&shell->out, &out_len);
	screen.err = open_memstream(&shell->err, &err_len);
	shell->code = cli_run(argc, argv, &screen);
	fclose(screen.out);
	fclose(screen.err);
}

void shell_printed(const struct shell *shell, int code, const char *part)
{
	if (shell->code != code)
		fail_msg("exit %d, not %d\n%s%s", shell->code, code, shell->out, shell->err);
	text_has(shell->out, part);
}

void shell_complained(const struct shell *shell, const char *part)
{
	assert_int_equal(shell->code, 2);
	assert_string_equal(shell->out, "");
	text_has(shell->err, part);
	assert_int_equal(strncmp(shell->err, "bulkheadctl: ", 13), 0);
	assert_ptr_equal(strchr(shell->err, '\n'), shell->err + strlen(shell->err) - 1);
}
