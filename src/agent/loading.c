// SPDX-License-Identifier: Apache-2.0
#include "agent/loading.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/loader.h"

/* What the child says; nothing when it is killed. */
struct outcome {
	int r;
	struct err err;
};

/* A daemon that dies takes its child along, whose settings may be older than those of the
 * next; and the next one's locks are not to wait for that. */
static void __attribute__((noreturn)) child_run(const struct config *config, pid_t parent, int told)
{
	struct outcome outcome = { 0 };
	int fd = dup2(told, STDERR_FILENO + 1);

	close_range(STDERR_FILENO + 2, ~0u, 0);
	if (fd >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent) {
		outcome.r = loader_run(config->pin_root, &config->kernel, &outcome.err);
		if (write(fd, &outcome, sizeof(outcome)) == sizeof(outcome))
			_exit(0);
	}
	_exit(1);
}

int loading_start(struct loading *loading, const struct config *config, struct err *err)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, errno, "pipe to the loader: %s", strerror(errno));
	loading->child = fork();
	if (loading->child == 0)
		child_run(config, parent, fds[1]);
	close(fds[1]);
	loading->fd = fds[0];
	if (loading->child > 0)
		return 0;
	close(fds[0]);
	return err_set(err, errno, "process of the loader: %s", strerror(errno));
}

int loading_end(struct loading *loading, struct err *err)
{
	auto_close int fd = loading->fd;
	struct outcome outcome;
	ssize_t n;

	do
		n = read(fd, &outcome, sizeof(outcome));
	while (n < 0 && errno == EINTR);
	while (waitpid(loading->child, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (n != sizeof(outcome))
		return err_set(err, ECHILD, "loading the programs: the loader was killed");
	if (outcome.r < 0 && err)
		*err = outcome.err;
	return outcome.r;
}
