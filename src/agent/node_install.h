/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node itself must hold before the first pod and must not hold after the
 * last: the plugins that the runtime starts, and everything that the daemon and
 * the plugin leave in the kernel and on disk. Neither needs a running daemon.
 */
#ifndef AGENT_NODE_INSTALL_H
#define AGENT_NODE_INSTALL_H

#include "agent/config.h"
#include "base/err.h"

/* Copies the plugins in `from` to the runtime's folder `to`. Ours is replaced when
 * it differs, by temporary file and rename: the runtime may be running it (C23).
 * The reference plugins that ours needs are only put where none is. Mounts a
 * bpffs where the pins go if there is none. Logs what it changed. */
int node_install(const struct config *config, const char *from, const char *to, struct err *err);

/* Removes, in this order: the runtime's configuration, so that no pod starts any
 * more; the interfaces that the plugin made, while the programs still guard
 * them; hooks and pins; state; our plugin in `plugins`. What is gone already is
 * success, so it can be repeated. Goes on after an error and returns the first.
 * -EBUSY: a daemon runs, and would bring all of it back. */
int node_uninstall(const struct config *config, const char *plugins, struct err *err);

#endif
