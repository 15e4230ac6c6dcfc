// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

int file_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len, struct err *err)
{
	size_t cap = 4096, len = 0;
	auto_free char *data = malloc(cap);

	if (!data)
		return err_set(err, ENOMEM, "%s: out of memory", name);
	for (;;) {
		ssize_t n = read(fd, data + len, cap - len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read %s: %s", name, strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return err_set(err, EFBIG, "%s is larger than %zu bytes", name, max);
		if (cap - len < 2) {
			char *more = realloc(data, cap * 2);

			if (!more)
				return err_set(err, ENOMEM, "%s: out of memory", name);
			data = more;
			cap *= 2;
		}
	}
	data[len] = '\0';
	if (ret_len)
		*ret_len = len;
	*ret_data = TAKE(data);
	return 0;
}

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct err *err)
{
	/* O_NONBLOCK: a FIFO put in the place of a file must not hang us. */
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_set(err, errno, "open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "stat %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s is not a regular file", path);
	return file_read_fd(fd, path, max, ret_data, ret_len, err);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int dir_sync(const char *path)
{
	char dir[4096];
	char *slash;
	auto_close int fd = -1;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	char temp[4096];
	auto_close int fd = -1;
	int r;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return err_set(err, ENAMETOOLONG, "%s: path too long", path);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "create %s: %s", temp, strerror(errno));
	r = write_all(fd, data, len);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temp, path) < 0))
		r = -errno;
	if (r < 0) {
		unlink(temp);
		return err_set(err, -r, "write %s: %s", path, strerror(-r));
	}
	r = dir_sync(path);
	if (r < 0)
		return err_set(err, -r, "sync the folder of %s: %s", path, strerror(-r));
	return 0;
}

void file_sweep_temps(const char *path)
{
	char pattern[4096];
	glob_t found = { 0 };

	snprintf(pattern, sizeof(pattern),
		 "%s.[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]", path);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
	globfree(&found);
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
	char part[4096];
	struct stat st;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return err_set(err, ENAMETOOLONG, "%s: path too long", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_set(err, errno, "mkdir %s: %s", part, strerror(errno));
		*p = '/';
	}
	if (mkdir(part, mode) == 0)
		return 0;
	if (errno != EEXIST || stat(part, &st) < 0)
		return err_set(err, errno, "mkdir %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "%s is not a folder", path);
	return 0;
}

int file_put(const char *path, const char *value, struct err *err)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, errno, "open %s: %s", path, strerror(errno));
	r = write_all(fd, value, strlen(value));
	if (r < 0)
		return err_set(err, -r, "write %s to %s: %s", value, path, strerror(-r));
	return 0;
}
