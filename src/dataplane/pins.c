// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int pin_path(char out[PATH_MAX], const char *root, const char *folder, const char *name, struct err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/%s/%s", root, folder, name);

	if (n < 0 || n >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "pin root %.64s... is too long", root);
	return 0;
}

int pin_open(const char *path, struct err *err)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return err_set(err, errno, "pin %s: %s", path, strerror(errno));
	return fd;
}

int pin_open_map(const char *root, const char *map, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "maps", map, err);

	return r < 0 ? r : pin_open(path, err);
}

int pin_open_prog(const char *root, const char *prog, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "progs", prog, err);

	return r < 0 ? r : pin_open(path, err);
}

/* bpffs takes no dots in names, hence the suffix. */
int pin_replace(int fd, const char *path, struct err *err)
{
	char temp[PATH_MAX];
	int n = snprintf(temp, sizeof(temp), "%s_new", path);

	if (n < 0 || (size_t)n >= sizeof(temp))
		return err_set(err, ENAMETOOLONG, "pin %.64s... is too long", path);
	if (unlink(temp) < 0 && errno != ENOENT)
		return err_set(err, errno, "removing the leftover pin %s: %s", temp, strerror(errno));
	if (bpf_obj_pin(fd, temp) < 0)
		return err_set(err, errno, "pinning %s: %s", temp, strerror(errno));
	if (rename(temp, path) < 0) {
		int code = errno;

		unlink(temp);
		return err_set(err, code, "renaming the pin %s: %s", temp, strerror(code));
	}
	return 0;
}
