/* SPDX-License-Identifier: Apache-2.0 */
/* A folder under /tmp for one test. Each: 0, or -1 as set-ups return it. */
#ifndef LIB_TEMPDIR_H
#define LIB_TEMPDIR_H

#define TEMPDIR_MAX 64

int tempdir_make(char ret_path[TEMPDIR_MAX]);
/* With all that is in it. */
int tempdir_remove(const char *path);
/* A file in it, written anew; a failure ends the test. */
void tempdir_put(const char *path, const char *name, const char *content);

#endif
