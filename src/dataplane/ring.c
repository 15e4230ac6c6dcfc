// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ring.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ring {
	struct ring_buffer *buffer;
	ring_event_fn each;
	void *data;
};

/* A record of another size is another version's: not for this reader. */
static int ring_sample(void *ctx, void *data, size_t size)
{
	struct ring *ring = ctx;
	struct bh_event event;

	if (size != sizeof(event))
		return 0;
	memcpy(&event, data, sizeof(event));
	ring->each(&event, ring->data);
	return 0;
}

int ring_open(struct maps *maps, ring_event_fn each, void *data, struct ring **ret_ring, struct err *err)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return err_set(err, ENOMEM, "event ring");
	ring->each = each;
	ring->data = data;
	ring->buffer = ring_buffer__new(maps_events_fd(maps), ring_sample, ring, NULL);
	if (!ring->buffer) {
		int code = errno;

		free(ring);
		return err_set(err, code, "event ring: %s", strerror(code));
	}
	*ret_ring = ring;
	return 0;
}

struct ring *ring_free(struct ring *ring)
{
	if (ring) {
		ring_buffer__free(ring->buffer);
		free(ring);
	}
	return NULL;
}

int ring_fd(const struct ring *ring)
{
	return ring_buffer__epoll_fd(ring->buffer);
}

int ring_consume(struct ring *ring)
{
	return ring_buffer__consume(ring->buffer);
}
