/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for what waits for the kernel's grace periods, so that the loop does not: one
 * piece of work at a time, asked for and answered by eventfds. */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"

struct worker {
	void (*run)(void *data); /* in the thread; what it reads and writes is its own until it answers */
	void *data;
	pthread_t thread;
	bool is_running;
	int ask, answer; /* eventfds; -1: none */
};
#define WORKER_NONE                                                                                          \
	{                                                                                                    \
		.ask = -1, .answer = -1                                                                      \
	}

/* `what` it is for, for the error's words. */
int worker_start(struct worker *worker, const char *what, void (*run)(void *data), void *data,
		 struct err *err);
void worker_stop(struct worker *worker); /* waits for what is under way */
/* Runs once; `answer` is readable when it is over. Not again before that. */
void worker_ask(struct worker *worker);
/* Is what was asked for over? */
bool worker_is_over(struct worker *worker);

#endif
