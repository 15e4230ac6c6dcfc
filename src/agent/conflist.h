/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network configuration that the container runtime reads. The runtime takes
 * a node for ready as soon as the file is there, so it appears last: once the
 * daemon has synced (SEMANTICS 2, "Installing"). It is never removed by a daemon
 * that ends, since pods go on under what the kernel holds.
 *
 * Standalone, the file wires pods by itself: addresses by host-local from this
 * node's ranges, host ports by portmap. Chained, it repeats the configuration of
 * the network that is there already and adds Bulkhead behind its plugins.
 */
#ifndef AGENT_CONFLIST_H
#define AGENT_CONFLIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* Sorts before what others call theirs: runtimes take the first. */
#define CONFLIST_NAME	   "05-bulkhead.conflist"
#define CONFLIST_CHAIN_ANY "auto"

struct conflist_settings {
	char *dir;   /* empty: no file is written */
	char *chain; /* empty: standalone; a file in `dir`; CONFLIST_CHAIN_ANY: the first one there */
	struct prefix *pod_cidrs; /* none: the ones of this node's Node object */
	size_t n_pod_cidrs;
	uint32_t pod_mtu; /* 0: as the kernel has it */
};
void conflist_settings_done(struct conflist_settings *settings);

/* What goes into every entry of ours, beside the addresses. */
struct conflist_entry {
	const char *run_dir;
	const char *pin_root;
	uint32_t mtu;
};

/* The file's text; the caller frees it. -ENODATA: no ranges. */
int conflist_standalone(const struct conflist_entry *entry, const struct prefix *ranges, size_t n_ranges,
			char **ret_text, struct err *err);
/* Behind the network whose configuration (a .conf or .conflist) is `base`;
 * `name` is for messages. */
int conflist_chained(const struct conflist_entry *entry, const char *name, const char *base, char **ret_text,
		     struct err *err);

/* Reads what `settings->chain` names. -ENOENT: there is none. */
int conflist_read_base(const struct conflist_settings *settings, char **ret_name, char **ret_text,
		       struct err *err);

/* Brings the file to this text: by a temporary file beside it, whose name no
 * runtime reads, and rename. 1: written, 0: it was so already. */
int conflist_put(const char *dir, const char *text, struct err *err);
/* 1: removed, 0: there was none. */
int conflist_remove(const char *dir, struct err *err);

#endif
