/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about a tc filter, to whoever asks: looking at the program
 * itself takes CAP_SYS_ADMIN, which the daemon does not have (deploy/bulkhead.yaml). */
#ifndef DATAPLANE_LINK_FILTER_H
#define DATAPLANE_LINK_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LINK_FILTER_NAME_MAX 64

/* The name under which the BPF filter of that handle and priority was attached:
 * libbpf makes it "PROGRAM:[ID]". In this process's network namespace. -ENOENT:
 * there is no such filter. */
int link_filter_name(uint32_t ifindex, bool ingress, uint32_t handle, uint16_t priority,
		     char ret_name[LINK_FILTER_NAME_MAX], struct err *err);

#endif
