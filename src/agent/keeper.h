/* SPDX-License-Identifier: Apache-2.0 */
/*
 * R24: a namespace that is Terminating keeps its isolation until its pods are
 * gone, but its policies are deleted before that. So the policies of namespaces
 * that have pods here are remembered, and while a namespace terminates those that
 * vanish still count.
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
};

/* Brings the memory up to date with the source's world. 0 or -ENOMEM (the memory
 * stays as it was). */
int keeper_update(struct keeper *keeper, const struct world *world, const struct attachments *attachments,
		  struct err *err);
void keeper_done(struct keeper *keeper);

#endif
