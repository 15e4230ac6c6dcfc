// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "dataplane/link.h"

#define V6_CONF "/proc/sys/net/ipv6/conf"

static bool sysctl_is(const char *path, char value)
{
	auto_free char *now = NULL;

	return file_read(path, 64, &now, NULL, NULL) == 0 && now[0] == value && now[1] == '\n';
}

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Accept_ra 1 means "unless I forward", 2 means "also then". A node that has its
 * default route from a router would lose it with the first pod. */
static int routers_keep(struct link_ns *ns, struct err *err)
{
	cleanup(dir_close) DIR *dir = opendir(V6_CONF);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_set(err, errno, "reading " V6_CONF ": %s", strerror(errno));
	while (r == 0 && (entry = readdir(dir))) {
		char path[sizeof(V6_CONF) + sizeof(entry->d_name) + 16];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), V6_CONF "/%s/accept_ra", entry->d_name);
		if (!sysctl_is(path, '1'))
			continue;
		snprintf(path, sizeof(path), "ipv6/conf/%s/accept_ra", entry->d_name);
		r = link_sysctl_set(ns, path, "2", err);
		if (r == -ENOENT || r == -ENODEV)
			r = 0; /* the interface went away */
	}
	return r;
}

int link_forwarding_enable(struct link_ns *ns, bool v4, struct err *err)
{
	int r = 0;

	if (v4)
		return link_sysctl_set(ns, "ipv4/ip_forward", "1", err);
	if (sysctl_is(V6_CONF "/all/forwarding", '0'))
		r = routers_keep(ns, err);
	return r < 0 ? r : link_sysctl_set(ns, "ipv6/conf/all/forwarding", "1", err);
}
