/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodecheck*.c files share. Nobody else includes this. */
#ifndef AGENT_NODECHECK_ROOM_H
#define AGENT_NODECHECK_ROOM_H

#include "agent/nodecheck.h"
#include "base/json.h"
#include "dataplane/link.h"

enum check_level { CHECK_OK, CHECK_WARNING, CHECK_FAIL };

struct nodecheck {
	const struct config *config;
	const char *plugins;
	struct link_ns *ns;
	bool is_installed; /* something of ours is there: what is missing is an error */
	cJSON *list;
	bool has_failed;
	bool out_of_memory;
};

/* One line. `todo` is null where there is nothing to do. */
void check_say(struct nodecheck *check, enum check_level level, const char *name, const char *todo,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* What is wrong only once Bulkhead is installed. */
static inline enum check_level check_missing(const struct nodecheck *check)
{
	return check->is_installed ? CHECK_FAIL : CHECK_WARNING;
}

void check_kernel(struct nodecheck *check);    /* the kernel: nodecheck_kernel.c */
void check_runtime(struct nodecheck *check);   /* plugin, conflist, daemon: nodecheck_runtime.c */
void check_network(struct nodecheck *check);   /* interfaces, MTU, sysctls: nodecheck_network.c */
void check_apiserver(struct nodecheck *check); /* nodecheck_apiserver.c */

#endif
