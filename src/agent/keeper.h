/* SPDX-License-Identifier: Apache-2.0 */
/*
 * R24: a namespace that is Terminating keeps its isolation until its pods are
 * gone, but its policies are deleted before that. So the policies of namespaces
 * that have pods here are remembered, and while a namespace terminates those that
 * vanish still count.
 *
 * The memory outlives the daemon in a file, written before what it says reaches the
 * kernel: it never allows more than was enforced last. Where the file cannot be read,
 * the pods of a namespace that terminates are isolated and allowed nothing: what they
 * were allowed is not known.
 */
#ifndef AGENT_KEEPER_H
#define AGENT_KEEPER_H

#include "agent/attachments.h"
#include "base/err.h"
#include "policy/model.h"

struct kept {
	struct netpol *netpol; /* a copy of our own */
	uint64_t fingerprint;
	bool missing; /* the source no longer has it */
	bool fresh;   /* during an update: copied in it */
	bool moved;   /* during an update: taken over into the next memory */
};

struct keeper {
	struct kept *v; /* sorted by namespace, name */
	size_t n;
	char *path;	  /* of the file; null: memory only */
	uint64_t written; /* what stands there; 0: nothing of ours */
	bool blind;	  /* the file could not be read, and no update has come since */
};

/* What an earlier daemon remembered; call before the first update. 0, also when there
 * is no file; -EBADMSG: it cannot be read, see above; -ENOMEM. */
int keeper_load(struct keeper *keeper, const char *path, struct err *err);

/* Brings the memory up to date with the source's world, and the file with the memory
 * (what cannot be written is logged: only a restart would miss it). 0 or -ENOMEM (the
 * memory stays as it was). */
int keeper_update(struct keeper *keeper, const struct world *world, const struct attachments *attachments,
		  struct err *err);
void keeper_done(struct keeper *keeper);

#endif
