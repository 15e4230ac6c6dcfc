/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world the daemon compiles: what the source knows, joined with what is
 * attached here. What differs from the source's own world:
 *   - a pod that only a workload's template describes becomes a pod of its own,
 *     with the attachment's name, uid and addresses;
 *   - a pod object gets the addresses of its attachment (CNI ADD is the
 *     authority for local pods, not the API);
 *   - an address that is attached here belongs to that pod alone, whatever an
 *     older object still says (THREATS C6).
 * And policies of a namespace that terminates stay until its pods are gone (R24).
 * Everything else is borrowed: rebuild after every read of the source.
 */
#ifndef AGENT_STORE_H
#define AGENT_STORE_H

#include "agent/attachments.h"
#include "agent/keeper.h"
#include "base/err.h"
#include "policy/model.h"

/* Where the objects come from. */
struct source {
	const struct world *world;
	/* The object or template that describes a pod; null: none. */
	const struct pod *(*pod_for)(const void *data, const char *namespace, const char *name);
	const void *data;
};

struct store {
	struct world
		world;	  /* .pods and .netpols are ours; elements are borrowed, or among `own` and `kept` */
	struct pod **own; /* sorted by namespace, name */
	size_t n_own;
	struct keeper kept; /* R24; outlives a build */
};

/* Replaces the store's content. On failure the store is empty: the source may
 * have freed what the old content borrowed. */
int store_build(struct store *store, const struct source *source, const struct attachments *attachments,
		const struct posture_config *posture, struct err *err);
void store_done(struct store *store);

/* The pod an attachment is of, or null. */
const struct pod *store_pod(const struct store *store, const struct endpoint *endpoint);

#endif
