/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two hooks of an endpoint: from_pod (tc ingress of the host side) and
 * to_pod (tc egress), in two forms: clsact filters with a fixed handle and priority,
 * which are attached at once, and TCX links, pinned under <root>/links, which run
 * faster but are slow to make. An interface begins with filters and is moved to links
 * later, where the kernel has them: found by trying. Other people's filters and links
 * are left alone.
 */
#ifndef DATAPLANE_HOOK_H
#define DATAPLANE_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct maps;

enum hook_kind { HOOK_NONE, HOOK_TCX, HOOK_CLSACT };

/* Attaches both pinned programs to `ifindex`; attached already is success. On
 * failure neither stays attached. BULKHEAD_HOOK=clsact in the environment of a
 * test forces filters, for ever. */
int hook_attach(const char *root, uint32_t ifindex, enum hook_kind *ret_kind, struct err *err);

/* From filters to links, without a gap and without a packet that is judged twice; also
 * what a killed one left half done. It takes four grace periods, two of them with the
 * lock of all interfaces held. 1: moved; 0: there was nothing to do; -EOPNOTSUPP: this
 * kernel has no links. The caller is the only one who moves, or writes bh_config. */
int hook_move(const char *root, struct maps *maps, uint32_t ifindex, struct err *err);

/* Interfaces that a killed daemon was moving keep their links alone: before the
 * configuration is written or programs are replaced. */
int hook_settle_all(const char *root, struct err *err);

/* Detaches what is pinned for interfaces that have no endpoint row: they went away, or
 * were released, while they were moved. */
int hook_sweep(const char *root, struct maps *maps, struct err *err);

/* Removes ours and their pins; nothing there is success, a vanished interface
 * too. */
int hook_detach(const char *root, uint32_t ifindex, struct err *err);

/* 0 when both hooks run the programs pinned under root; -ENOENT naming the
 * missing direction, -EPROTO when another program sits there. */
int hook_check(const char *root, uint32_t ifindex, struct err *err);

/* Puts the newly pinned programs into hooks already attached to ifindex,
 * without a gap. -ENOENT if nothing is attached. */
int hook_replace(const char *root, uint32_t ifindex, struct err *err);

/* The two programs on the tunnel's interface. Attaching again puts the newly pinned
 * ones in without a gap. */
int hook_attach_tunnel(const char *root, uint32_t ifindex, struct err *err);
/* 0 when both run; -ENOENT naming the missing one, -EPROTO for another program. */
int hook_check_tunnel(const char *root, uint32_t ifindex, struct err *err);
int hook_detach_tunnel(const char *root, uint32_t ifindex, struct err *err);

/* Which form this kernel has, found by trying in a namespace of its own; HOOK_NONE:
 * neither. -EPERM. */
int hook_probe(enum hook_kind *ret_kind, struct err *err);

/* Calls `each` for every TCX program on ifindex that is not ours, until it returns
 * non-zero. 0 also for an interface that is gone. */
int hook_strangers(uint32_t ifindex, int (*each)(const char *prog, bool before_ours, void *data), void *data);

#endif
