// SPDX-License-Identifier: Apache-2.0
#include "kube/manifest_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Close-write and move for files that are written and renamed; create for
 * symlinks (a ConfigMap volume swaps "..data"); self events for the folder. */
#define WATCH_MASK                                                                                           \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | \
	 IN_MOVE_SELF | IN_ONLYDIR)

static int epoll_watch(const struct manifest_watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event);
}

int manifest_watch_open(struct manifest_watch *watch, struct err *err)
{
	int code;

	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (watch->epoll >= 0 && watch->inotify >= 0 && watch->timer >= 0 &&
	    epoll_watch(watch, watch->inotify) == 0 && epoll_watch(watch, watch->timer) == 0)
		return 0;
	code = errno;
	manifest_watch_close(watch);
	return err_set(err, code, "watching the manifest folder: %s", strerror(code));
}

void manifest_watch_close(struct manifest_watch *watch)
{
	const int fds[] = { watch->epoll, watch->inotify, watch->timer };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*watch = (struct manifest_watch)MANIFEST_WATCH_NONE;
}

void manifest_watch_follow(struct manifest_watch *watch, const char *path, const struct stat *folder)
{
	if (watch->epoll < 0 ||
	    (watch->wd >= 0 && watch->dev == folder->st_dev && watch->ino == folder->st_ino))
		return;
	if (watch->wd >= 0)
		inotify_rm_watch(watch->inotify, watch->wd); /* fails when the old folder is gone */
	watch->wd = inotify_add_watch(watch->inotify, path, WATCH_MASK);
	watch->dev = folder->st_dev;
	watch->ino = folder->st_ino;
	/* What happened before the watch stood is in no event. */
	manifest_watch_again_in(watch, watch->wd >= 0 ? 1 : 1000);
}

void manifest_watch_again_in(struct manifest_watch *watch, unsigned int ms)
{
	struct itimerspec when = { .it_value = { .tv_sec = ms / 1000,
						 .tv_nsec = (long)(ms % 1000) * 1000000 } };

	if (watch->timer >= 0)
		timerfd_settime(watch->timer, 0, &when, NULL);
}

void manifest_watch_drain(struct manifest_watch *watch)
{
	char events[4096] __attribute__((aligned(8)));

	/* Every event means the same: look again. Which file it names does not matter. */
	while (watch->inotify >= 0 && read(watch->inotify, events, sizeof(events)) > 0)
		continue;
	if (watch->timer >= 0 && read(watch->timer, events, sizeof(uint64_t)) < 0)
		return; /* it had not run out */
}
