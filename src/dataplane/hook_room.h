/* SPDX-License-Identifier: Apache-2.0 */
/* The two forms of a hook, as hook.c knows them. Answers are 0, -ENOENT for
 * "nothing of ours there", or another negative errno. */
#ifndef DATAPLANE_HOOK_ROOM_H
#define DATAPLANE_HOOK_ROOM_H

#include <bpf/libbpf.h>
#include <bulkhead/abi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { HOOK_SIDES = 2 };

struct hook_side {
	const char *name; /* in the pin: <ifindex>-<name> */
	const char *prog;
	enum bpf_tc_attach_point point;
	int attach_type; /* BPF_TCX_INGRESS and _EGRESS, younger than Debian 12's headers */
};
extern const struct hook_side hook_sides[HOOK_SIDES];

int tcx_attach(const char *root, uint32_t ifindex, const struct hook_side *side, int prog, struct err *err);
int tcx_detach(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err);
/* Only the pin, of an interface that is gone. */
int tcx_unpin(const char *root, uint32_t ifindex, const struct hook_side *side, struct err *err);
int tcx_replace(const char *root, uint32_t ifindex, const struct hook_side *side, int prog, struct err *err);
int tcx_query(const char *root, uint32_t ifindex, const struct hook_side *side, uint32_t *ret_prog_id,
	      struct err *err);

int clsact_attach(uint32_t ifindex, const struct hook_side *side, int prog, struct err *err);
int clsact_detach(uint32_t ifindex, const struct hook_side *side, struct err *err);
int clsact_replace(uint32_t ifindex, const struct hook_side *side, int prog, struct err *err);
int clsact_query(uint32_t ifindex, const struct hook_side *side, uint32_t *ret_prog_id, struct err *err);

/* 0 ours, -ENOENT free, -EBUSY someone else's, which we neither replace nor
 * remove. */
int clsact_ours(uint32_t ifindex, const struct hook_side *side, struct err *err);

/* Removes the filter where the link is there too. */
int hook_settle(const char *root, uint32_t ifindex, bool *ret_found, struct err *err);
/* Calls `each` for every pin of an endpoint's link, so twice for most interfaces, until
 * it fails. */
int links_each(const char *root, int (*each)(const char *root, uint32_t ifindex, void *data, struct err *err),
	       void *data, struct err *err);

bool clsact_forced(void);
bool tcx_missing(int r);
/* Has anybody a link there, or a program of that kind without one? */
bool tcx_is_used(uint32_t ifindex, const struct hook_side *side);

int prog_id(int prog_fd, uint32_t *ret_id, struct err *err);

#endif
