/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's memory on disk, so that it outlives the daemon. */
#ifndef AGENT_KEPT_FILE_H
#define AGENT_KEPT_FILE_H

#include <stddef.h>

#include "base/err.h"
#include "policy/model.h"

/* Written whole, by temporary file and rename. */
int kept_file_write(const char *path, const struct netpol *const *netpols, size_t n, struct err *err);

/* The caller frees the policies and the array. -ENOENT: there is none; -EBADMSG: what
 * stands there is not ours or not whole, and none of it is used. */
int kept_file_read(const char *path, struct netpol ***ret_netpols, size_t *ret_n, struct err *err);

#endif
