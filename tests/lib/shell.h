/* SPDX-License-Identifier: Apache-2.0 */
/* bulkheadctl as a user meets it: lines are run, and what they print is looked at. */
#ifndef LIB_SHELL_H
#define LIB_SHELL_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/tempdir.h"

/* A folder for manifests and for a pretended daemon's socket, and what the last
 * run printed. */
struct shell {
	char folder[TEMPDIR_MAX];
	char socket[80];
	char *out;
	char *err;
	int code;
	bool colour;
	pid_t daemon;
};

int shell_setup(void **state);
int shell_teardown(void **state);

void shell_put(const struct shell *shell, const char *name, const char *content);
/* `line` is split at spaces; DIR and SOCK stand for the shell's own. */
void shell_run(struct shell *shell, const char *line);

void shell_printed(const struct shell *shell, int code, const char *part);
/* A failure is one line on stderr and nothing on stdout. */
void shell_complained(const struct shell *shell, const char *part);

#define DEPLOYMENT(name, port)                                                                               \
	"---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: " name ", namespace: shop}\n"          \
	"spec: {template: {metadata: {labels: {app: " name                                                   \
	"}}, spec: {containers: [{ports: [{containerPort: " port ", name: main}]}]}}}\n"

/* Manifests of web, job and db, where only web may go to db. */
extern const char shell_shop[];

#endif
