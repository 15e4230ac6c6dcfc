/* SPDX-License-Identifier: Apache-2.0 */
/* Moving an interface from filters to links waits for grace periods, and neither a
 * policy nor an ADD may wait with it: a thread of its own stands there. It touches
 * hooks, and one flag of the configuration, which nobody else writes meanwhile. */
#ifndef AGENT_MOVER_H
#define AGENT_MOVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dataplane/maps.h"

struct mover {
	const char *pin_root;
	struct maps *maps;
	pthread_t thread;
	bool is_running;
	int ask, answer;  /* eventfds; -1: none */
	uint32_t ifindex; /* under way; 0: none */
	int result;	  /* of the last one, and why: the thread's until it answers */
	struct err err;
};

int mover_start(struct mover *mover, const char *pin_root, struct maps *maps, struct err *err);
void mover_stop(struct mover *mover); /* waits for what is under way */
/* Begins to move an interface; `answer` is readable when it is over. One at a time. */
void mover_ask(struct mover *mover, uint32_t ifindex);
/* As hook_move(), and which interface; -EAGAIN: not yet. */
int mover_answer(struct mover *mover, uint32_t *ret_ifindex, struct err *err);

#endif
