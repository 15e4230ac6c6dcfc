// SPDX-License-Identifier: Apache-2.0
#include "cni/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define RETRY_MS 2

static int lock_file_open(const char *run_dir, const char *name, int *ret_fd, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	*ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd < 0 ? err_set(err, errno, "open %s: %s", path, strerror(errno)) : 0;
}

/* The container's byte in one shared file: a record lock needs no file of its
 * own, so a killed plugin leaves nothing to clean up. Two ids meeting on one of
 * 2^62 bytes would only wait for each other. */
static off_t container_byte(const char *container_id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (const char *p = container_id; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
	return (off_t)(hash >> 2);
}

int lock_container(const char *run_dir, const char *container_id, unsigned int timeout_ms, int *ret_fd,
		   struct err *err)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = container_byte(container_id), .l_len = 1
	};
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000 };
	auto_close int fd = -1;
	int r = lock_file_open(run_dir, "containers.lock", &fd, err);

	if (r < 0)
		return r;
	/* Polled, because F_OFD_SETLKW has no timeout. */
	for (unsigned int waited = 0; fcntl(fd, F_OFD_SETLK, &lock) < 0; waited += RETRY_MS) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_set(err, errno, "lock of container %s: %s", container_id, strerror(errno));
		if (waited >= timeout_ms)
			return err_set(err, EBUSY, "another command for container %s is running",
				       container_id);
		nanosleep(&pause, NULL);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
