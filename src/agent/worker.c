// SPDX-License-Identifier: Apache-2.0
#include "agent/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ASK_RUN	 1
#define ASK_STOP 2

static void *serve(void *data)
{
	const struct worker *worker = data;
	const uint64_t over = 1;
	uint64_t asked;

	while (read(worker->ask, &asked, sizeof(asked)) == sizeof(asked) && asked == ASK_RUN) {
		worker->run(worker->data);
		if (write(worker->answer, &over, sizeof(over)) != sizeof(over))
			break;
	}
	return NULL;
}

static int thread_start(struct worker *worker)
{
	sigset_t all, before;
	int r;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&worker->thread, NULL, serve, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->is_running = r == 0;
	return r;
}

int worker_start(struct worker *worker, const char *what, void (*run)(void *data), void *data,
		 struct err *err)
{
	int r;

	*worker = (struct worker){ .run = run,
				   .data = data,
				   .ask = eventfd(0, EFD_CLOEXEC),
				   .answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	r = worker->ask < 0 || worker->answer < 0 ? errno : thread_start(worker);
	if (r == 0)
		return 0;
	worker_stop(worker);
	return err_set(err, r, "thread for %s: %s", what, strerror(r));
}

static void say(const struct worker *worker, uint64_t word)
{
	/* the counter is read before it is written again, so this cannot block */
	(void)!write(worker->ask, &word, sizeof(word));
}

void worker_stop(struct worker *worker)
{
	if (worker->is_running) {
		say(worker, ASK_STOP);
		pthread_join(worker->thread, NULL);
	}
	if (worker->ask >= 0)
		close(worker->ask);
	if (worker->answer >= 0)
		close(worker->answer);
	*worker = (struct worker)WORKER_NONE;
}

void worker_ask(struct worker *worker)
{
	say(worker, ASK_RUN);
}

bool worker_is_over(struct worker *worker)
{
	uint64_t answer;

	return read(worker->answer, &answer, sizeof(answer)) == sizeof(answer);
}
