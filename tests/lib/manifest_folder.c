// SPDX-License-Identifier: Apache-2.0
#include "lib/manifest_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void note(enum manifest_news news, const char *message, void *data)
{
	struct folder *folder = data;

	text_addf(&folder->reports, "%s\n", message);
	folder->errors += news != MANIFEST_SKIPPED;
	folder->broken += news == MANIFEST_BROKEN;
}

void put(const struct folder *folder, const char *name, const char *content)
{
	tempdir_put(folder->path, name, content);
}

void drop(const struct folder *folder, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(unlink(path), 0);
}

int folder_setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	if (tempdir_make(folder->path) < 0)
		return -1;
	*state = folder;
	return manifests_new(folder->path, "default", note, folder, &folder->manifests, NULL);
}

int folder_teardown(void **state)
{
	struct folder *folder = *state;
	int r;

	manifests_free(folder->manifests);
	text_done(&folder->reports);
	mirror_done(&folder->mirror);
	r = tempdir_remove(folder->path);
	free(folder);
	return r;
}

int read_now(struct folder *folder)
{
	struct err err = { 0 };
	int r = manifests_read(folder->manifests, &err);
	const struct change *changes;
	size_t n;

	if (r < 0)
		fail_msg("%s", err.msg);
	changes = manifests_changes(folder->manifests, &n);
	mirror_apply(&folder->mirror, changes, n);
	mirror_check(&folder->mirror, manifests_world(folder->manifests));
	assert_int_equal(r, n > 0);
	return r;
}

const struct world *world_of(const struct folder *folder)
{
	return manifests_world(folder->manifests);
}
