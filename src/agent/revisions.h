/* SPDX-License-Identifier: Apache-2.0 */
/* Since when each policy, as it reads now, is in the kernel, and with which revision
 * it came; and with which it will, while it is not. For operators only: nothing is
 * decided by it. */
#ifndef AGENT_REVISIONS_H
#define AGENT_REVISIONS_H

#include <stdint.h>
#include <time.h>

#include "policy/change.h"
#include "policy/pool.h"

struct revision {
	struct pool_entry entry; /* key: "namespace/name" */
	uint64_t fingerprint;
	uint32_t revision; /* in the kernel; 0: never was */
	uint32_t wanted;   /* the same, or the one that it waits for */
	time_t since;	   /* it reads so */
	uint64_t round;
	bool is_pending;
	struct revision *next; /* pending */
};

struct revisions {
	struct pool pool;
	struct revision *pending;
	uint32_t last;	/* committed */
	uint64_t round; /* grows when everything is told anew */
	bool is_swept;	/* of what was not told in this round */
	bool failed;	/* out of memory: some are missing */
};

void revisions_init(struct revisions *revisions);
void revisions_done(struct revisions *revisions);

/* For store_init(): policies that are new or read differently wait for the next commit,
 * those that are gone are forgotten. Null: everything is told anew. */
void revisions_tell(struct revisions *revisions, const struct change *change, time_t now);
/* What waited is in the kernel. 0, or -ENOMEM: some policies are missing here. */
int revisions_commit(struct revisions *revisions, uint32_t revision);
const struct revision *revisions_find(const struct revisions *revisions, const char *namespace,
				      const char *name);

/* The same for equal content, and for different content almost surely not. */
uint64_t netpol_fingerprint(const struct netpol *netpol);

#endif
