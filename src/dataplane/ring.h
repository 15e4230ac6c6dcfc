/* SPDX-License-Identifier: Apache-2.0 */
/* The event ring's reader. */
#ifndef DATAPLANE_RING_H
#define DATAPLANE_RING_H

#include <bulkhead/abi.h>

#include "base/err.h"
#include "dataplane/maps.h"

struct ring;
typedef void (*ring_event_fn)(const struct bh_event *event, void *data);

int ring_open(struct maps *maps, ring_event_fn each, void *data, struct ring **ret_ring, struct err *err);
struct ring *ring_free(struct ring *ring);
int ring_fd(const struct ring *ring); /* readable when events wait */
int ring_consume(struct ring *ring);  /* calls back for all that wait; count or -errno */

#endif
