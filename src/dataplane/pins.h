/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the kernel's objects are pinned. One bpffs folder per node (per test):
 *
 *	<root>/current			a link to the set that judges packets
 *	<root>/abi_<N>/maps/<map>	a set: the tables of one layout (BH_ABI)
 *	<root>/abi_<N>/progs/<prog>	and the programs that know it
 *	<root>/links/<ifindex>-<from|to>
 *
 * A program of this project touches the set of its own layout only, and asks
 * `current` whether that is the one. Two sets are there only while a daemon hands
 * over from one to the other (handover.h).
 */
#ifndef DATAPLANE_PINS_H
#define DATAPLANE_PINS_H

#include <bulkhead/abi.h>
#include <limits.h>
#include <stdint.h>

#include "base/err.h"
#include "base/version.h"

#define PINS_DEFAULT_ROOT "/sys/fs/bpf/bulkhead"

#define PINS_TEXT_(x) #x
#define PINS_TEXT(x)  PINS_TEXT_(x)
#define PINS_SET      "abi_" PINS_TEXT(BH_ABI)
#define PINS_MAPS     PINS_SET "/maps"
#define PINS_PROGS    PINS_SET "/progs"
#define PINS_LINKS    "links"

/* What a binary that opens these pins says of itself to be compared. */
#define PINS_VERSION_LINE(name) name " " BULKHEAD_VERSION " layout " PINS_TEXT(BH_ABI)

/* Opens a pinned map or program; returns a descriptor or -ENOENT, -errno. */
int pin_open_map(const char *root, const char *map, struct err *err);
int pin_open_prog(const char *root, const char *prog, struct err *err);

/* Opens any pin by path: a descriptor or -errno. */
int pin_open(const char *path, struct err *err);

/* Pins fd at path, over an older pin if there is one: readers find either. */
int pin_replace(int fd, const char *path, struct err *err);

/* "<root>/<folder>/<name>" into out; -ENAMETOOLONG. */
int pin_path(char out[PATH_MAX], const char *root, const char *folder, const char *name, struct err *err);

/* The layout that judges packets. -ENOENT: none, the daemon has never run here. */
int pins_current(const char *root, uint32_t *ret_abi, struct err *err);
/* Names it: readers find the old one or the new one. */
int pins_current_set(const char *root, uint32_t abi, struct err *err);
/* 0 when it is this program's own, -EPROTO saying both, -ENOENT. */
int pins_current_check(const char *root, struct err *err);

/* Held while an endpoint row is claimed or cleared, and by the daemon while sets are
 * made and changed. Goes with the descriptor, which the caller closes. */
int pins_lock(const char *root, int *ret_fd, struct err *err);

#endif
