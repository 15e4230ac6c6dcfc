/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold before the daemon may touch the kernel: it is alone, and there
 * is a bpffs to pin in. */
#ifndef AGENT_INSTANCE_H
#define AGENT_INSTANCE_H

#include <stdbool.h>

#include "base/err.h"

/* Makes run_dir and takes <run_dir>/daemon.lock for this process's life. Returns
 * the descriptor, or -EBUSY: another daemon runs (THREATS F27). */
int instance_lock(const char *run_dir, struct err *err);

/* The pin root must lie on a bpffs. Under /sys/fs/bpf an absent one is mounted;
 * elsewhere the operator chose the place and -ENOTSUP says what is missing. */
int instance_bpffs(const char *pin_root, struct err *err);
/* Is it so already? */
bool instance_on_bpffs(const char *path);

#endif
