/* SPDX-License-Identifier: Apache-2.0 */
/*
 * World -> tables -> kernel. One run compiles everything and applies the
 * difference. The writes up to the last endpoint row (the commit) are done at
 * once; what follows only tidies up behind a fence that takes milliseconds, so
 * it waits for enforce_tidy() and a pod's ADD is answered before it.
 *
 * When a write fails the tables no longer know what the kernel holds: they are
 * read back from the kernel as after a restart, and the caller tries again.
 */
#ifndef AGENT_ENFORCE_H
#define AGENT_ENFORCE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/attachments.h"
#include "base/err.h"
#include "dataplane/maps.h"
#include "policy/tables.h"

struct enforce {
	struct maps *maps; /* not ours */
	struct tables *tables;
	bool adopted; /* the tables know what the kernel holds */
	bool synced;  /* a first compile is applied */
	struct plan plan;
	size_t done;	   /* writes of the plan that are applied */
	bool tidying;	   /* the plan's rest waits for enforce_tidy */
	uint32_t revision; /* newest that an endpoint row carries */
	uint64_t updates;  /* commits so far */
	int64_t last_us;   /* duration of the last compile and commit */
};

int enforce_init(struct enforce *enforce, struct maps *maps, struct err *err);
void enforce_done(struct enforce *enforce);

/* Compiles and commits. 1: nothing to change, 0: committed (call enforce_tidy
 * soon), negative: the last good state stays, try again. */
int enforce_run(struct enforce *enforce, const struct world *world, const struct attachments *attachments,
		struct err *err);
int enforce_tidy(struct enforce *enforce, struct err *err);

/* Closes one endpoint whatever its policy. */
int enforce_close(struct enforce *enforce, uint32_t slot, const struct bh_endpoint *row, struct err *err);

#endif
