/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for a grace period: every program that started before it has ended. */
#ifndef DATAPLANE_FENCE_H
#define DATAPLANE_FENCE_H

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int fence(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}

#endif
