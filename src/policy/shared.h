/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hundred thousand pods say alike is kept once: names of namespaces and
 * nodes, labels, ports. Equal bytes give the same pointer, so shared things are
 * compared by pointer. Counted, because they truly have many owners; one table
 * for the process, because they come and go with single objects. Not for more than
 * one thread.
 */
#ifndef POLICY_SHARED_H
#define POLICY_SHARED_H

#include <stdbool.h>
#include <stddef.h>

/* The one copy of these bytes, aligned for pointers. Null: out of memory. Every
 * call is answered by one shared_drop(). */
const void *shared_get(const void *bytes, size_t len);
/* The same for a string, its end included. */
const char *shared_text(const char *text);
/* One more drop will come. Takes null. */
void shared_hold(const void *shared);
/* Takes null. */
void shared_drop(const void *shared);
/* Would a drop free it? What it points at is then the caller's to drop. */
bool shared_is_last(const void *shared);

/* How many there are, for tests. */
size_t shared_count(void);

#endif
