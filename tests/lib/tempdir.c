// SPDX-License-Identifier: Apache-2.0
#include "lib/tempdir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int tempdir_make(char ret_path[TEMPDIR_MAX])
{
	snprintf(ret_path, TEMPDIR_MAX, "/tmp/bulkhead-test-XXXXXX");
	return mkdtemp(ret_path) ? 0 : -1;
}

int tempdir_remove(const char *path)
{
	char command[TEMPDIR_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	return system(command) == 0 ? 0 : -1;
}

void tempdir_put(const char *path, const char *name, const char *content)
{
	char file_path[256];
	FILE *file;

	snprintf(file_path, sizeof(file_path), "%s/%s", path, name);
	file = fopen(file_path, "w");
	assert_non_null(file);
	fputs(content, file);
	assert_int_equal(fclose(file), 0);
}
