/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to stdout when a command fails. Functions of this room that can
 * fail for the runtime to see take a struct failure and return 0 or -1; only
 * dispatch.c prints one. */
#ifndef CNI_FAILURE_H
#define CNI_FAILURE_H

#include "base/err.h"
#include "cni/code.h"

struct failure {
	int code; /* enum cni_code, or an IPAM plugin's own below 100 */
	char msg[ERR_MSG_MAX];
	char details[ERR_MSG_MAX];
};

/* Fills msg, clears details; returns -1. */
int failure_set(struct failure *failure, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with err's message as the details. A shortage that may pass (memory,
 * space, descriptors) turns any code into CODE_TRY_LATER. */
int failure_from(struct failure *failure, int code, const struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
