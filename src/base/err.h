/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error idiom for all of src: functions return 0 or a negative errno and
 * fill `err` when it is not null. Positive returns are outcomes that the
 * header documents. The message reads outside-in: what was tried, on which
 * object, why it failed. No allocation on the error path.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MSG_MAX 512

struct err {
	int code; /* positive errno; 0: none */
	char msg[ERR_MSG_MAX];
};

/* Fills `err` (may be null) and returns -code. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts context before the message that is there: "context: message". Returns
 * `code`, a negative errno, so a null err never turns failure into success. */
int err_wrap(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
