/* SPDX-License-Identifier: Apache-2.0 */
/* Many descriptors and timers behind one descriptor, so that any event loop can
 * drive this room without the room knowing which loop it is. Timers are
 * monotonic; wall time never decides. */
#ifndef KUBE_POLLSET_H
#define KUBE_POLLSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Embedded in its owner; zero-initialise but for `run` and `data`. */
struct pollset_timer {
	void (*run)(void *data);
	void *data;
	int64_t due_ms; /* when `is_set` */
	bool is_set;
	struct pollset_timer *next;
};

struct pollset {
	int epoll;
	int timerfd;
	struct pollset_timer *timers; /* set ones; there are few */
	int64_t armed_ms;	      /* what the timerfd waits for; 0: nothing */
	void (*on_fd)(int fd, bool is_readable, bool is_writable, void *data);
	void *data;
};
#define POLLSET_NONE                                                                                         \
	{                                                                                                    \
		.epoll = -1, .timerfd = -1                                                                   \
	}

int pollset_open(struct pollset *set, struct err *err);
void pollset_close(struct pollset *set);

/* Waits for `fd` to become readable, writable or both; neither: forgets it. */
void pollset_watch(struct pollset *set, int fd, bool is_known, bool read, bool write);

void pollset_timer_set(struct pollset *set, struct pollset_timer *timer, int64_t after_ms);
void pollset_timer_stop(struct pollset *set, struct pollset_timer *timer);

/* Runs what is due; call when `epoll` is readable. Never blocks. */
void pollset_turn(struct pollset *set);

int64_t pollset_now_ms(void);
int64_t pollset_now_us(void);

#endif
