/* SPDX-License-Identifier: Apache-2.0 */
/* The lock under runDir. It goes when the process goes, and leaves no file per
 * container behind. The holder closes the descriptor. */
#ifndef CNI_LOCK_H
#define CNI_LOCK_H

#include "base/err.h"

/* One command at a time for one container; different containers do not meet. */
int lock_container(const char *run_dir, const char *container_id, unsigned int timeout_ms, int *ret_fd,
		   struct err *err);

#endif
