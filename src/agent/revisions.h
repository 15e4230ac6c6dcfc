/* SPDX-License-Identifier: Apache-2.0 */
/* Since when each policy, as it reads now, is in the kernel, and with which
 * revision it came. For operators only: nothing is decided by it. */
#ifndef AGENT_REVISIONS_H
#define AGENT_REVISIONS_H

#include <stdint.h>
#include <time.h>

#include "policy/model.h"

struct revision {
	char *namespace;
	char *name;
	uint64_t fingerprint;
	uint32_t revision;
	time_t since;
};

struct revisions {
	struct revision *v; /* sorted by namespace, name */
	size_t n;
};

/* After a commit: policies that are new or read differently get `revision` and
 * `now`, those that are gone are forgotten. 0 or -ENOMEM (nothing changed). */
int revisions_update(struct revisions *revisions, const struct world *world, uint32_t revision, time_t now);
const struct revision *revisions_find(const struct revisions *revisions, const char *namespace,
				      const char *name);
void revisions_done(struct revisions *revisions);

/* The same for equal content, and for different content almost surely not. */
uint64_t netpol_fingerprint(const struct netpol *netpol);

#endif
