/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one program with bytes on its stdin and takes what it prints. The only
 * programs the plugin ever starts are IPAM plugins. */
#ifndef CNI_EXEC_H
#define CNI_EXEC_H

#include <stddef.h>

#include "base/err.h"

#define EXEC_OUTPUT_MAX (1u << 20)

struct exec_output {
	char *text; /* terminated; owned */
	size_t len;
	int exit_code; /* 128 + N when signal N ended it */
};

/* stderr is ours. -ETIMEDOUT kills the program; -EFBIG when it prints too much. */
int exec_run(const char *path, char *const envp[], const char *input, unsigned int timeout_ms,
	     struct exec_output *ret_output, struct err *err);

#endif
