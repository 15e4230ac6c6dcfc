// SPDX-License-Identifier: Apache-2.0
/* All hooks of the node: by their pinned links, and clsact filters, which carry no
 * pin, by the endpoint rows. */
#include <errno.h>

#include "dataplane/hook.h"
#include "dataplane/hook_room.h"
#include "dataplane/loader_room.h"
#include "dataplane/maps.h"

static void maps_close(struct maps **maps)
{
	maps_free(*maps);
}

/* An interface that went away meanwhile has nothing to replace. */
static int one_replace(const char *root, uint32_t ifindex, void *data, struct err *err)
{
	int r = hook_replace(root, ifindex, err);

	(void)data;
	return r == -ENOENT ? 0 : r;
}

static int endpoint_hooks_replace(const char *root, struct err *err)
{
	cleanup(maps_close) struct maps *maps = NULL;
	struct bh_endpoint row;
	int r = maps_open(root, &maps, err);

	if (r < 0)
		return r;
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		if (maps_endpoint_get(maps, slot, &row, NULL) < 0)
			continue;
		r = one_replace(root, row.ifindex, NULL, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int hooks_replace_all(const char *root, struct err *err)
{
	int r = links_each(root, one_replace, NULL, err);

	return r < 0 ? r : endpoint_hooks_replace(root, err);
}

void hooks_detach_all(const char *root)
{
	cleanup(maps_close) struct maps *maps = NULL;
	struct bh_endpoint row;

	if (maps_open(root, &maps, NULL) < 0)
		return;
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		if (maps_endpoint_get(maps, slot, &row, NULL) == 0)
			hook_detach(root, row.ifindex, NULL);
	}
}
