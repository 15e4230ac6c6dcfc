// SPDX-License-Identifier: Apache-2.0
#include "agent/node_install.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/instance.h"
#include "agent/network.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#define PLUGIN_MAX  (256u << 20)
#define PLUGIN_NAME "bulkhead"

static int is_plugin(const struct dirent *item)
{
	return item->d_name[0] != '.' && (item->d_type == DT_REG || item->d_type == DT_UNKNOWN);
}

/* 1: copied, 0: right already. */
static int plugin_copy(const char *from, const char *to, struct err *err)
{
	auto_free char *new = NULL;
	auto_free char *old = NULL;
	size_t new_len, old_len;
	struct stat st;
	int r = file_read(from, PLUGIN_MAX, &new, &new_len, err);

	if (r < 0)
		return r;
	if (stat(to, &st) == 0 && (st.st_mode & 07777) == 0755 &&
	    file_read(to, PLUGIN_MAX, &old, &old_len, NULL) == 0 && old_len == new_len &&
	    memcmp(old, new, new_len) == 0)
		return 0;
	r = file_write_atomic(to, new, new_len, 0755, err);
	return r < 0 ? r : 1;
}

static int plugin_install(const char *from, const char *to, const char *name, struct err *err)
{
	char source[4096], target[4096];
	int r;

	snprintf(source, sizeof(source), "%s/%s", from, name);
	snprintf(target, sizeof(target), "%s/%s", to, name);
	/* Theirs may be newer, or patched for their distribution. */
	if (strcmp(name, PLUGIN_NAME) != 0 && access(target, F_OK) == 0)
		return 0;
	file_sweep_temps(target);
	r = plugin_copy(source, target, err);
	if (r == 1)
		log_info("installed %s", target);
	return r < 0 ? r : 0;
}

/* Ours goes last: where it is, all that it calls is. */
static int plugins_install(const char *from, const char *to, struct err *err)
{
	struct dirent **items = NULL;
	int n = scandir(from, &items, is_plugin, alphasort);
	int r = n < 0 ? err_set(err, errno, "open %s: %s", from, strerror(errno)) : 0;

	for (int i = 0; i < n; i++) {
		if (r == 0 && strcmp(items[i]->d_name, PLUGIN_NAME) != 0)
			r = plugin_install(from, to, items[i]->d_name, err);
		free(items[i]);
	}
	free(items);
	return r < 0 ? r : plugin_install(from, to, PLUGIN_NAME, err);
}

int node_install(const struct config *config, const char *from, const char *to, struct err *err)
{
	int r = dir_make(to, 0755, err);

	if (r == 0)
		r = plugins_install(from, to, err);
	if (r < 0)
		return err_wrap(err, r, "plugins");
	r = network_prepare(config, err);
	return r < 0 ? r : instance_bpffs(config->pin_root, err);
}
