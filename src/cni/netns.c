// SPDX-License-Identifier: Apache-2.0
#include "cni/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/text.h"

static int refuse(struct failure *failure, int code, const char *path, const char *why)
{
	char safe[256];

	text_escape(path, safe, sizeof(safe));
	return failure_set(failure, code, "CNI_NETNS %s: %s", safe, why);
}

/* 1 own, 0 another one, -errno. */
static int netns_is_own(int fd)
{
	struct stat mine, theirs;

	if (stat("/proc/thread-self/ns/net", &mine) < 0 || fstat(fd, &theirs) < 0)
		return -errno;
	return mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino;
}

/* What O_PATH shows is looked at before the object itself is opened: opening a
 * FIFO or a device has effects. */
static int nsfs_open(const char *path)
{
	auto_close int look = open(path, O_PATH | O_CLOEXEC);
	struct statfs fs;
	char self[32];
	int fd;

	if (look < 0)
		return -errno;
	if (fstatfs(look, &fs) < 0)
		return -errno;
	if (fs.f_type != NSFS_MAGIC)
		return -EMEDIUMTYPE;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", look);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int netns_open(const struct cni_env *env, int *ret_fd, struct failure *failure)
{
	auto_close int fd = nsfs_open(env->netns);
	int own;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return refuse(failure, CODE_UNKNOWN_CONTAINER, env->netns, "does not exist");
	if (fd == -EMEDIUMTYPE)
		return refuse(failure, CODE_NETNS, env->netns, "is not a namespace");
	if (fd < 0) {
		struct err err = { .code = -fd };

		snprintf(err.msg, sizeof(err.msg), "%s", strerror(-fd));
		return failure_from(failure, CODE_NETNS, &err, "CNI_NETNS cannot be opened");
	}
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return refuse(failure, CODE_NETNS, env->netns, "is not a network namespace");
	own = netns_is_own(fd);
	if (own < 0)
		return refuse(failure, CODE_IO, env->netns, strerror(-own));
	if (own && !env->netns_override)
		return refuse(failure, CODE_NETNS, env->netns, "is the plugin's own namespace");
	*ret_fd = TAKE_FD(fd);
	return 0;
}
