// SPDX-License-Identifier: Apache-2.0
#include "agent/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"

#define BPFFS "/sys/fs/bpf"

int instance_lock(const char *run_dir, struct err *err)
{
	auto_close int fd = -1;
	char path[4096];
	int r = dir_make(run_dir, 0755, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/daemon.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, errno, "open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, EBUSY, "another bulkheadd holds %s", path);
		return err_set(err, errno, "lock %s: %s", path, strerror(errno));
	}
	return TAKE_FD(fd);
}

/* The nearest existing folder at or above `path` counts. */
bool instance_on_bpffs(const char *path)
{
	char part[4096];
	struct statfs fs;

	snprintf(part, sizeof(part), "%s", path);
	while (statfs(part, &fs) < 0) {
		char *slash = strrchr(part, '/');

		if (errno != ENOENT || !slash || slash == part)
			return false;
		*slash = '\0';
	}
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int instance_bpffs(const char *pin_root, struct err *err)
{
	size_t len = strlen(BPFFS);

	if (instance_on_bpffs(pin_root))
		return 0;
	if (strncmp(pin_root, BPFFS, len) != 0 || (pin_root[len] != '/' && pin_root[len] != '\0'))
		return err_set(err, ENOTSUP, "pin root %s is not on a bpffs: mount one there", pin_root);
	if (mount("bpffs", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return err_set(err, errno, "mount a bpffs on %s: %s", BPFFS, strerror(errno));
	return 0;
}
