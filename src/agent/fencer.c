// SPDX-License-Identifier: Apache-2.0
#include "agent/fencer.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/fence.h"

#define ASK_FENCE 1
#define ASK_STOP  2
#define DONE	  1

/* An answer is DONE, or DONE and the errno. */
static void *serve(void *data)
{
	const struct fencer *fencer = data;
	uint64_t asked, answer;

	while (read(fencer->ask, &asked, sizeof(asked)) == sizeof(asked) && asked == ASK_FENCE) {
		answer = DONE + (uint64_t)-fence();
		if (write(fencer->answer, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	return NULL;
}

static int thread_start(struct fencer *fencer)
{
	sigset_t all, before;
	int r;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&fencer->thread, NULL, serve, fencer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	fencer->is_running = r == 0;
	return r;
}

int fencer_start(struct fencer *fencer, struct err *err)
{
	int r;

	*fencer = (struct fencer){ .ask = eventfd(0, EFD_CLOEXEC),
				   .answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	r = fencer->ask < 0 || fencer->answer < 0 ? errno : thread_start(fencer);
	if (r == 0)
		return 0;
	fencer_stop(fencer);
	return err_set(err, r, "thread for fences: %s", strerror(r));
}

static void say(const struct fencer *fencer, uint64_t word)
{
	/* the counter is read before it is written again, so this cannot block */
	(void)!write(fencer->ask, &word, sizeof(word));
}

void fencer_stop(struct fencer *fencer)
{
	if (fencer->is_running) {
		say(fencer, ASK_STOP);
		pthread_join(fencer->thread, NULL);
	}
	if (fencer->ask >= 0)
		close(fencer->ask);
	if (fencer->answer >= 0)
		close(fencer->answer);
	*fencer = (struct fencer){ .ask = -1, .answer = -1 };
}

void fencer_ask(struct fencer *fencer)
{
	say(fencer, ASK_FENCE);
}

int fencer_answer(struct fencer *fencer)
{
	uint64_t answer;

	if (read(fencer->answer, &answer, sizeof(answer)) != sizeof(answer))
		return -EAGAIN;
	return -(int)(answer - DONE);
}
