/* SPDX-License-Identifier: Apache-2.0 */
/* Where the kernel's objects are pinned. One bpffs folder per node (per test):
 *   <root>/maps/<map>   <root>/progs/<prog>   <root>/links/<ifindex>-<from|to>
 */
#ifndef DATAPLANE_PINS_H
#define DATAPLANE_PINS_H

#include <limits.h>

#include "base/err.h"

#define PINS_DEFAULT_ROOT "/sys/fs/bpf/bulkhead"

/* Opens a pinned map or program; returns a descriptor or -ENOENT, -errno. */
int pin_open_map(const char *root, const char *map, struct err *err);
int pin_open_prog(const char *root, const char *prog, struct err *err);

/* Opens any pin by path: a descriptor or -errno. */
int pin_open(const char *path, struct err *err);

/* Pins fd at path, over an older pin if there is one: readers find either. */
int pin_replace(int fd, const char *path, struct err *err);

/* "<root>/<folder>/<name>" into out; -ENAMETOOLONG. */
int pin_path(char out[PATH_MAX], const char *root, const char *folder, const char *name, struct err *err);

#endif
