// SPDX-License-Identifier: Apache-2.0
#include "cni/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static bool errno_may_pass(int code)
{
	switch (code) {
	case EAGAIN:
	case EBUSY:
	case EDQUOT:
	case EINTR:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:
	case EROFS:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

int failure_set(struct failure *failure, int code, const char *fmt, ...)
{
	va_list args;

	failure->code = code;
	failure->details[0] = '\0';
	va_start(args, fmt);
	vsnprintf(failure->msg, sizeof(failure->msg), fmt, args);
	va_end(args);
	return -1;
}

int failure_from(struct failure *failure, int code, const struct err *err, const char *fmt, ...)
{
	va_list args;

	failure->code = errno_may_pass(err->code) ? CODE_TRY_LATER : code;
	snprintf(failure->details, sizeof(failure->details), "%s", err->msg);
	va_start(args, fmt);
	vsnprintf(failure->msg, sizeof(failure->msg), fmt, args);
	va_end(args);
	return -1;
}
