/* SPDX-License-Identifier: Apache-2.0 */
/* Taking an attachment apart: DEL, and GC for each stale one. */
#ifndef CNI_LEAVE_H
#define CNI_LEAVE_H

#include "cni/ipam.h"

/* Removes whatever there is of this attachment: interface, programs, row,
 * addresses, state, in an order that a kill at any point leaves to be found
 * again. Nothing there is success. Works without daemon, network namespace,
 * state file and prevResult. */
int leave_attachment(const struct ipam_request *request, struct failure *failure);

#endif
