// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"

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
	int r = pin_path(path, root, PINS_MAPS, map, err);

	return r < 0 ? r : pin_open(path, err);
}

int pin_open_prog(const char *root, const char *prog, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, PINS_PROGS, prog, err);

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

int pins_current(const char *root, uint32_t *ret_abi, struct err *err)
{
	char path[PATH_MAX], target[32], rest;
	int r = pin_path(path, root, "current", "", err);
	ssize_t n;

	if (r < 0)
		return r;
	path[strlen(path) - 1] = '\0'; /* the link itself, not what it leads to */
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return err_set(err, errno, "%s: %s", path, strerror(errno));
	target[n] = '\0';
	if (sscanf(target, "abi_%u%c", ret_abi, &rest) != 1)
		return err_set(err, EPROTO, "%s leads to %s, which is no layout's folder", path, target);
	return 0;
}

int pins_current_set(const char *root, uint32_t abi, struct err *err)
{
	char path[PATH_MAX], temp[PATH_MAX], target[32];
	int r = pin_path(path, root, "current", "", err);

	if (r < 0 || (r = pin_path(temp, root, "current_new", "", err)) < 0)
		return r;
	path[strlen(path) - 1] = temp[strlen(temp) - 1] = '\0';
	snprintf(target, sizeof(target), "abi_%u", abi);
	if (unlink(temp) < 0 && errno != ENOENT)
		return err_set(err, errno, "removing the leftover link %s: %s", temp, strerror(errno));
	if (symlink(target, temp) < 0)
		return err_set(err, errno, "link %s: %s", temp, strerror(errno));
	if (rename(temp, path) < 0)
		return err_set(err, errno, "renaming the link %s: %s", temp, strerror(errno));
	return 0;
}

int pins_current_check(const char *root, struct err *err)
{
	uint32_t abi;
	int r = pins_current(root, &abi, err);

	if (r < 0)
		return r;
	if (abi != BH_ABI)
		return err_set(err, EPROTO, "the tables under %s have layout %u, this program needs %u", root,
			       abi, BH_ABI);
	return 0;
}

int pins_lock(const char *root, int *ret_fd, struct err *err)
{
	auto_close int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "open %s: %s", root, strerror(errno));
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_set(err, errno, "lock %s: %s", root, strerror(errno));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
