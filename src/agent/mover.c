// SPDX-License-Identifier: Apache-2.0
#include "agent/mover.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/hook.h"

#define ASK_STOP (UINT64_C(1) << 32) /* no interface has such a number */
#define DONE	 1

static void *serve(void *data)
{
	struct mover *mover = data;
	uint64_t asked, answer = DONE;

	while (read(mover->ask, &asked, sizeof(asked)) == sizeof(asked) && asked < ASK_STOP) {
		memset(&mover->err, 0, sizeof(mover->err));
		mover->result = hook_move(mover->pin_root, mover->maps, (uint32_t)asked, &mover->err);
		if (write(mover->answer, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	return NULL;
}

static int thread_start(struct mover *mover)
{
	sigset_t all, before;
	int r;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&mover->thread, NULL, serve, mover);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	mover->is_running = r == 0;
	return r;
}

int mover_start(struct mover *mover, const char *pin_root, struct maps *maps, struct err *err)
{
	int r;

	*mover = (struct mover){ .pin_root = pin_root,
				 .maps = maps,
				 .ask = eventfd(0, EFD_CLOEXEC),
				 .answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	r = mover->ask < 0 || mover->answer < 0 ? errno : thread_start(mover);
	if (r == 0)
		return 0;
	mover_stop(mover);
	return err_set(err, r, "thread for moving hooks: %s", strerror(r));
}

static void say(const struct mover *mover, uint64_t word)
{
	/* the counter is read before it is written again, so this cannot block */
	(void)!write(mover->ask, &word, sizeof(word));
}

void mover_stop(struct mover *mover)
{
	if (mover->is_running) {
		say(mover, ASK_STOP);
		pthread_join(mover->thread, NULL);
	}
	if (mover->ask >= 0)
		close(mover->ask);
	if (mover->answer >= 0)
		close(mover->answer);
	*mover = (struct mover){ .ask = -1, .answer = -1 };
}

void mover_ask(struct mover *mover, uint32_t ifindex)
{
	mover->ifindex = ifindex;
	say(mover, ifindex);
}

int mover_answer(struct mover *mover, uint32_t *ret_ifindex, struct err *err)
{
	uint64_t answer;

	if (read(mover->answer, &answer, sizeof(answer)) != sizeof(answer))
		return -EAGAIN;
	*ret_ifindex = mover->ifindex;
	*err = mover->err;
	mover->ifindex = 0;
	return mover->result;
}
