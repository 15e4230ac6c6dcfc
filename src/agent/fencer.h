/* SPDX-License-Identifier: Apache-2.0 */
/* A fence takes milliseconds, and a policy must not wait for the last one's: a thread
 * of its own stands there. It touches nothing else. */
#ifndef AGENT_FENCER_H
#define AGENT_FENCER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

struct fencer {
	pthread_t thread;
	bool is_running;
	int ask, answer; /* eventfds; -1: none */
};

int fencer_start(struct fencer *fencer, struct err *err);
void fencer_stop(struct fencer *fencer);
/* Begins a fence; `answer` is readable when it is over. */
void fencer_ask(struct fencer *fencer);
/* 0: it is over. Negative: it could not be made. -EAGAIN: not yet. */
int fencer_answer(struct fencer *fencer);

#endif
