/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the programs, creates or reuses the pinned maps, pins. The daemon's node
 * part only. */
#ifndef DATAPLANE_LOADER_H
#define DATAPLANE_LOADER_H

#include "base/err.h"
#include <bulkhead/abi.h>

/* Fills the defaults: quotas, timeouts, hz as the kernel has it. */
void loader_config_default(struct bh_config *ret_config);

/* Checks what the kernel must have, one line naming the first missing feature
 * (-ENOTSUP), before anything is changed. */
int loader_probe(struct err *err);

/* Does the kernel take the programs? Loads them on tables of their own and drops both. */
int loader_try(struct err *err);

/* Creates the maps under root (or takes over the pinned ones; from an older layout
 * by a handover, see handover.h; -EPROTO names the map where that cannot be), loads
 * the programs, writes the configuration, pins the programs (atomically replacing
 * older pins), and replaces the programs of every hook already attached, without a
 * gap. Holds pins_lock(). bpffs must be mounted at or above root. */
int loader_run(const char *root, const struct bh_config *config, struct err *err);

/* Removes every pin: programs, maps, links. Endpoints become unprotected: for
 * uninstall and tests. */
int loader_unpin_all(const char *root, struct err *err);

/* How large a pinned program is, and how much of it the verifier looked at: what a
 * newer kernel must still accept (its limit is a million). */
struct loader_prog_info {
	unsigned int insns;
	unsigned int insns_verified;
};
int loader_prog_info(const char *root, const char *prog, struct loader_prog_info *ret_info, struct err *err);

#endif
