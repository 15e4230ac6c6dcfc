/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event ring's consumer. Each event is explained the moment it arrives,
 * because a pod's address may belong to someone else a second later; the last
 * ones are remembered as lines of JSON. What comes faster than it can be
 * explained is counted (THREATS C15).
 */
#ifndef AGENT_DROPS_H
#define AGENT_DROPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DROPS_KEPT	 1024
#define DROPS_PER_SECOND 1000 /* explained; the rest is counted */

struct drops {
	char *line[DROPS_KEPT]; /* a ring of our own; no newline at the end */
	size_t next;		/* where the next one goes */
	size_t n;
	int64_t second; /* the budget below is for it */
	unsigned int used;
};

void drops_done(struct drops *drops);
/* May another event be explained in this second of the monotonic clock? */
bool drops_admit(struct drops *drops, int64_t second);
/* Takes the line over. */
void drops_keep(struct drops *drops, char *line);
/* The i-th of the remembered lines, oldest first; i < drops->n. */
const char *drops_line(const struct drops *drops, size_t i);

#endif
