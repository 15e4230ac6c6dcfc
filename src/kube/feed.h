/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changed in a source since its reader looked last, in order. A change owns its
 * old body: the reader still points at it, and lets go when it has read the change,
 * so feed_clear() is the only place where a body that was ever shown is freed.
 */
#ifndef KUBE_FEED_H
#define KUBE_FEED_H

#include "policy/change.h"

struct feed {
	struct change *v;
	size_t n, cap;
	int64_t heard_us; /* what changes from now on are stamped with */
};

/* Room for `more` changes, so that adding them cannot fail. 0 or -ENOMEM. */
int feed_reserve(struct feed *feed, size_t more);
/* Takes the old body over. One of the two may be null; room was reserved. */
void feed_add(struct feed *feed, enum change_kind kind, void *old, const void *now);
/* The reader has read them all. */
void feed_clear(struct feed *feed);
void feed_done(struct feed *feed);

#endif
