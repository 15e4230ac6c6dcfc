/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this node fit for Bulkhead, and is what is installed in order? Each question is
 * answered by trying or by looking, never by version numbers alone, and changes
 * nothing. Works before the installation, and beside a running daemon.
 */
#ifndef AGENT_NODECHECK_H
#define AGENT_NODECHECK_H

#include <stdio.h>

#include "agent/config.h"

/* Writes {"ok": bool, "checks": [{"name", "level", "found", "todo"}]} for
 * `bulkheadctl check`; `plugins` is the runtime's folder. 1: a check failed, 0: none
 * did, -ENOMEM or -EIO. */
int nodecheck_run(const struct config *config, const char *plugins, FILE *out, struct err *err);

#endif
