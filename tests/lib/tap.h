/* SPDX-License-Identifier: Apache-2.0 */
/* TAP lines for test programs whose tests are rows of a table. */
#ifndef LIB_TAP_H
#define LIB_TAP_H

#include <stdbool.h>

/* Prints "ok N - name" or "not ok N - name" and counts. Returns `passed`. */
bool tap_result(bool passed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tap_skip(const char *name, const char *why);
/* "# ..." below a result. */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints the plan; the exit status of main: 0 when all passed and something ran. */
int tap_done(void);

#endif
