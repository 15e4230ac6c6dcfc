/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's programs, loaded while the objects come in. The kernel takes most of a
 * second to verify them and the API server as long to list a large cluster. A child
 * does it: what is loaded is pinned and found again there, and the memory that libbpf
 * needs for it goes with the child.
 */
#ifndef AGENT_LOADING_H
#define AGENT_LOADING_H

#include <sys/types.h>

#include "agent/config.h"
#include "base/err.h"

struct loading {
	pid_t child;
	int fd; /* readable when the child is done */
};

int loading_start(struct loading *loading, const struct config *config, struct err *err);
/* Waits for the child, and says what it said. */
int loading_end(struct loading *loading, struct err *err);

#endif
