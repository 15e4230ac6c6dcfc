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
 *
 * It follows the source change by change, and tells its own changes on as they are
 * made. Everything else is borrowed from the source.
 */
#ifndef AGENT_STORE_H
#define AGENT_STORE_H

#include "agent/attachments.h"
#include "agent/bag.h"
#include "agent/keeper.h"
#include "base/err.h"
#include "policy/change.h"

/* Where the objects come from. */
struct source {
	const struct change *changes; /* since they were read last */
	size_t n;
	/* Calls `each` for every object, as new. */
	void (*whole)(const void *data, void (*each)(const struct change *change, void *each_data),
		      void *each_data);
	/* The object or template that describes a pod; null: none. */
	const struct pod *(*pod_for)(const void *data, const char *namespace, const char *name);
	const void *data;
};

/* A pod of the source that does not stand in the world as it is. */
struct exception {
	const struct pod *source;
	struct pod *copy; /* without the addresses it lost; null: an own pod stands there */
};

/* Which attached pod holds an address. */
struct held {
	struct bh_addr addr;
	const struct endpoint *endpoint;
};

struct store {
	struct world world; /* for everybody; arrays are the bags' */
	struct bag bags[CHANGE_KINDS];
	struct pod **own; /* of attachments */
	size_t n_own, cap_own;
	struct exception *exceptions;
	size_t n_exceptions, cap_exceptions;
	struct pod **graves; /* own pods and copies that somebody may still point at */
	size_t n_graves, cap_graves;
	const struct endpoint **by_name; /* the attachments' */
	struct held *held;		 /* by address */
	size_t n_endpoints, n_held;
	uint64_t attachments_serial; /* of the attachments that are joined */
	uint64_t endpoints_serial;   /* grows when an endpoint or its pod is another */
	struct keeper kept;	     /* R24 */
	bool policies_due;	     /* what is kept must be looked at */
	bool is_lost;		     /* out of memory half way: begin anew */
	/* Of each change; null: all that was told before is void. May be null itself. */
	void (*tell)(const struct change *change, void *data);
	void *data;
};

void store_init(struct store *store, void (*tell)(const struct change *change, void *data), void *data);
void store_done(struct store *store);

/* Takes the source's changes and the attachments' in. On failure it begins anew the
 * next time, and until then the world is what was taken in so far. */
int store_read(struct store *store, const struct source *source, const struct attachments *attachments,
	       struct err *err);
/* Nobody points any more at what was replaced since. */
void store_bury(struct store *store);

/* The pod an attachment is of, or null. */
const struct pod *store_pod(const struct store *store, const struct endpoint *endpoint);

/* --- between store.c and store_pods.c */

/* One object of the world becomes another, and that is told. 0 or -ENOMEM. */
int store_put(struct store *store, const struct change *change);
int store_put_pod(struct store *store, const struct pod *old, const struct pod *now, int64_t heard_us);
/* A pod of the source became another. */
int store_pod_changed(struct store *store, const struct source *source, const struct change *change);
bool store_has_endpoints(const struct store *store, const char *namespace);
/* Finds endpoints by name and by address from now on. 0 or -ENOMEM. */
int store_endpoints_index(struct store *store, const struct attachments *attachments);
/* Endpoints came and went. */
int store_attachments_changed(struct store *store, const struct source *source,
			      const struct attachments *attachments);
void store_pods_done(struct store *store);

#endif
