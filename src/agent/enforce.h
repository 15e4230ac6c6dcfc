/* SPDX-License-Identifier: Apache-2.0 */
/*
 * World -> tables -> kernel. Changes of the world are told as they are made; a run
 * brings what they mean into the kernel at once. What a run leaves behind is erased
 * behind a fence, which a thread waits for: runs go on meanwhile.
 *
 * When a write fails the tables no longer know what the kernel holds: they are read
 * back from the kernel as after a restart, the world is told anew, and the caller
 * tries again.
 */
#ifndef AGENT_ENFORCE_H
#define AGENT_ENFORCE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/attachments.h"
#include "agent/store.h"
#include "agent/worker.h"
#include "base/err.h"
#include "dataplane/maps.h"
#include "policy/tables.h"

/* An endpoint as it was told. */
struct told {
	uint64_t serial; /* of the round that told it last */
	uint32_t ifindex;
	const struct pod *pod;
};

struct enforce {
	struct maps *maps; /* not ours */
	struct tables *tables;
	struct worker fencer; /* a policy must not wait for the last one's fence */
	int fence_result;     /* its answer */
	bool adopted;	      /* the tables know what the kernel holds */
	bool is_told;	      /* and the world */
	bool synced;	      /* a first world is in the kernel */
	bool is_fencing;
	uint64_t fence;		   /* the number of the one that is out */
	uint64_t endpoints_serial; /* of the store's endpoints that were told */
	uint64_t round;
	struct told told[BH_ENDPOINTS_MAX];
	struct plan plan;
	uint32_t revision; /* newest that an endpoint row carries */
	uint64_t updates;  /* commits so far */
	int64_t last_us;   /* duration of the last run that changed something */
	/* By kind: when the oldest change that is not in the kernel was heard of; 0: none. */
	int64_t heard_us[CHANGE_KINDS];
};

int enforce_init(struct enforce *enforce, struct maps *maps, struct err *err);
void enforce_done(struct enforce *enforce);

/* For store_init(): one change of the store's world. */
void enforce_tell(const struct change *change, void *enforce);

/* Brings the world into the kernel. 1: nothing to write, 0: committed, negative: the
 * last good state stays, try again. */
int enforce_run(struct enforce *enforce, const struct store *store, const struct attachments *attachments,
		struct err *err);

/* enforce->fencer.answer is readable: a fence is over. Erases what it ended, as much as
 * does not hold up the loop. 1: and begins the next one where that is needed, 0: there is
 * more, call again soon. */
int enforce_fenced(struct enforce *enforce, struct err *err);
/* Does a fence have to begin, or is one out? */
bool enforce_is_tidy(const struct enforce *enforce);

/* Closes one endpoint whatever its policy. */
int enforce_close(struct enforce *enforce, uint32_t slot, const struct bh_endpoint *row, struct err *err);

#endif
