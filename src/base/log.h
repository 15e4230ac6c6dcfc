/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on stderr per event: "level message key=value ...". Only main.c
 * files, agent/ and cni/cmd_*.c log above debug; rooms return errors. Control
 * bytes in a message are escaped, so text from a cluster cannot forge a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);

/* "error", "warn", "info" or "debug"; -EINVAL otherwise. */
int log_level_parse(const char *text, enum log_level *ret_level);

void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
