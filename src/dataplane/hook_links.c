// SPDX-License-Identifier: Apache-2.0
/* All links of endpoints, by their pins. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/fence.h"
#include "dataplane/hook.h"
#include "dataplane/hook_room.h"
#include "dataplane/maps.h"
#include "dataplane/pins.h"

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_of_endpoint(const char *rest)
{
	return strcmp(rest, "-from") == 0 || strcmp(rest, "-to") == 0;
}

int links_each(const char *root, int (*each)(const char *root, uint32_t ifindex, void *data, struct err *err),
	       void *data, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, PINS_LINKS, "", err);

	if (r < 0)
		return r;

	cleanup(dir_close) DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return err_set(err, errno, "reading %s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		char *rest;
		unsigned long ifindex = strtoul(entry->d_name, &rest, 10);

		if (ifindex == 0 || !is_of_endpoint(rest))
			continue;
		r = each(root, (uint32_t)ifindex, data, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int one_settle(const char *root, uint32_t ifindex, void *data, struct err *err)
{
	return hook_settle(root, ifindex, data, err);
}

int hook_settle_all(const char *root, struct err *err)
{
	bool found = false;
	int r = links_each(root, one_settle, &found, err);

	if (r < 0 || !found)
		return r;
	r = fence();
	return r < 0 ? err_set(err, -r, "waiting for the programs: %s", strerror(-r)) : 0;
}

static int one_sweep(const char *root, uint32_t ifindex, void *data, struct err *err)
{
	uint32_t slot;

	return maps_endpoint_find(data, ifindex, &slot, NULL) == -ENOENT ? hook_detach(root, ifindex, err)
									 : 0;
}

int hook_sweep(const char *root, struct maps *maps, struct err *err)
{
	return links_each(root, one_sweep, maps, err);
}
