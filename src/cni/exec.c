// SPDX-License-Identifier: Apache-2.0
#include "cni/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

struct child {
	const char *path;
	pid_t pid;
	int out; /* our end of its stdout; -1: closed */
	int64_t deadline_ms;
};

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Nothing that we started outlives us, whatever the way out. */
static void child_done(struct child *child)
{
	fd_close(&child->out);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}
#define auto_child cleanup(child_done)

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int child_fail(const struct child *child, int code, const char *what, struct err *err)
{
	return err_set(err, code, "%s: %s: %s", child->path, what, strerror(code));
}

/* The input as an open file: unlike a pipe it needs no feeding, and a program
 * that does not read it hurts nobody. */
static int input_make(const struct child *child, const char *input, int *ret_fd, struct err *err)
{
	auto_close int fd = memfd_create("cni-stdin", MFD_CLOEXEC);
	size_t left = strlen(input);

	if (fd < 0)
		return child_fail(child, errno, "prepare its input", err);
	while (left > 0) {
		ssize_t n = write(fd, input, left);

		if (n < 0 && errno != EINTR)
			return child_fail(child, errno, "prepare its input", err);
		if (n > 0) {
			input += n;
			left -= (size_t)n;
		}
	}
	if (lseek(fd, 0, SEEK_SET) < 0)
		return child_fail(child, errno, "prepare its input", err);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int child_spawn(struct child *child, char *const envp[], const char *input, struct err *err)
{
	char *const argv[] = { (char *)child->path, NULL };
	auto_close int in = -1;
	int out[2] = { -1, -1 }, r;
	posix_spawn_file_actions_t actions;

	r = input_make(child, input, &in, err);
	if (r < 0)
		return r;
	if (pipe2(out, O_CLOEXEC) < 0)
		return child_fail(child, errno, "prepare its output", err);
	child->out = out[0];
	r = posix_spawn_file_actions_init(&actions);
	if (!r) {
		r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
		if (!r)
			r = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
		if (!r)
			r = posix_spawn(&child->pid, child->path, &actions, NULL, argv, envp);
		posix_spawn_file_actions_destroy(&actions);
	}
	fd_close(&out[1]);
	if (r) {
		child->pid = 0;
		return child_fail(child, r, "start", err);
	}
	return 0;
}

static int output_take(struct child *child, struct text *output, struct err *err)
{
	char chunk[16384];
	ssize_t n = read(child->out, chunk, sizeof(chunk));

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return child_fail(child, errno, "read its answer", err);
	if (n > 0)
		text_add(output, chunk, (size_t)n);
	if (n == 0)
		fd_close(&child->out);
	if (output->failed)
		return child_fail(child, ENOMEM, "read its answer", err);
	return output->len > EXEC_OUTPUT_MAX ? child_fail(child, EFBIG, "its answer", err) : 0;
}

static int child_listen(struct child *child, struct text *output, struct err *err)
{
	int r = 0;

	while (r == 0 && child->out >= 0) {
		struct pollfd p = { .fd = child->out, .events = POLLIN };
		int64_t left = child->deadline_ms - now_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n == 0)
			return child_fail(child, ETIMEDOUT, "answer", err);
		if (n < 0 && errno != EINTR)
			return child_fail(child, errno, "poll", err);
		if (n > 0)
			r = output_take(child, output, err);
	}
	return r;
}

static int child_wait(struct child *child, int *ret_code, struct err *err)
{
	int status;

	while (waitpid(child->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return child_fail(child, errno, "wait", err);
	}
	child->pid = 0;
	*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

int exec_run(const char *path, char *const envp[], const char *input, unsigned int timeout_ms,
	     struct exec_output *ret_output, struct err *err)
{
	auto_child struct child child = { .path = path, .out = -1, .deadline_ms = now_ms() + timeout_ms };
	auto_text struct text output = { 0 };
	int r;

	r = child_spawn(&child, envp, input, err);
	if (r == 0)
		r = child_listen(&child, &output, err);
	if (r == 0)
		r = child_wait(&child, &ret_output->exit_code, err);
	if (r < 0)
		return r;
	ret_output->len = output.len;
	ret_output->text = text_take(&output);
	return ret_output->text ? 0 : child_fail(&child, ENOMEM, "read its answer", err);
}
