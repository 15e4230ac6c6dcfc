/* SPDX-License-Identifier: Apache-2.0 */
/* Says when the manifest folder should be read again: inotify and a timer behind
 * one descriptor. */
#ifndef KUBE_MANIFEST_WATCH_H
#define KUBE_MANIFEST_WATCH_H

#include <sys/stat.h>

#include "base/err.h"

struct manifest_watch {
	int epoll; /* -1: not watching */
	int inotify;
	int timer;
	int wd;
	dev_t dev; /* of the folder that is watched */
	ino_t ino;
};
#define MANIFEST_WATCH_NONE                                                                                  \
	{                                                                                                    \
		.epoll = -1, .inotify = -1, .timer = -1, .wd = -1                                            \
	}

int manifest_watch_open(struct manifest_watch *watch, struct err *err);
void manifest_watch_close(struct manifest_watch *watch);

/* Watches the folder that now stands at `path`; it may be another than before. */
void manifest_watch_follow(struct manifest_watch *watch, const char *path, const struct stat *folder);

/* Makes the descriptor readable after that time, whatever happens to the files. */
void manifest_watch_again_in(struct manifest_watch *watch, unsigned int ms);
void manifest_watch_drain(struct manifest_watch *watch);

#endif
