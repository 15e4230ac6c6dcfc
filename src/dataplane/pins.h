/* SPDX-License-Identifier: Apache-2.0 */
/* Where the kernel's objects are pinned. One bpffs folder per node (per test):
 *   <root>/maps/<map>   <root>/progs/<prog>   <root>/links/<ifindex>-<from|to>
 */
#ifndef DATAPLANE_PINS_H
#define DATAPLANE_PINS_H

#include "base/err.h"

#define PINS_DEFAULT_ROOT "/sys/fs/bpf/bulkhead"

/* Opens a pinned map or program; returns a descriptor or -ENOENT, -errno. */
int pin_open_map(const char *root, const char *map, struct err *err);
int pin_open_prog(const char *root, const char *prog, struct err *err);

#endif
