/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: bounded reads, and writes that are never seen half done. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Reads a regular file of at most `max` bytes into a terminated buffer that
 * the caller frees. -EFBIG over the limit. ret_len may be null. */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err *err);

/* The same from a descriptor (a pipe too). */
int file_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len, struct err *err);

/* Writes by temporary file, fsync and rename in the same directory. */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err);

/* Removes temporary files beside `path` that a writer left who was killed. Only for
 * whoever is its only writer. */
void file_sweep_temps(const char *path);

/* mkdir -p; an existing directory is success. */
int dir_make(const char *path, mode_t mode, struct err *err);

/* Writes a short value to a sysctl or similar file. */
int file_put(const char *path, const char *value, struct err *err);

#endif
