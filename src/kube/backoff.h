/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait after a failure: doubling with full jitter, so that a thousand
 * nodes do not come back at once; and a breaker, so that the watches of one node
 * knock one at a time on a server that does not answer. */
#ifndef KUBE_BACKOFF_H
#define KUBE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	int64_t first_ms, last_ms;
	int64_t healthy_ms; /* so long without a failure and it starts over */
	unsigned int failures;
	int64_t healthy_since; /* 0: not healthy */
};

/* The next wait: uniform in [0, first * 2^failures], at most last. `random` is 32
 * random bits. */
int64_t backoff_next_ms(struct backoff *backoff, int64_t now, uint32_t random);
/* All is well from now on, if it was not already. */
void backoff_healthy(struct backoff *backoff, int64_t now);

struct breaker {
	struct backoff backoff;
	bool is_open;
	int64_t closed_until; /* nobody may try before */
	int64_t probe_until;  /* somebody is trying; others wait so long at most */
};

/* 0: try now; else come back after so many milliseconds. */
int64_t breaker_wait_ms(struct breaker *breaker, int64_t now, int64_t probe_ms);
/* The server could not be reached or could not answer. Returns the wait. */
int64_t breaker_failed(struct breaker *breaker, int64_t now, uint32_t random);
void breaker_ok(struct breaker *breaker, int64_t now);

uint32_t random32(void);

#endif
