// SPDX-License-Identifier: Apache-2.0
#include "kube/feed.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FEED_KEPT 4096 /* room that a list's flood leaves is given back */

static void body_free(enum change_kind kind, void *body)
{
	switch (kind) {
	case CHANGE_POD:
		return (void)pod_free(body);
	case CHANGE_NAMESPACE:
		return (void)namespace_free(body);
	case CHANGE_NETPOL:
		return (void)netpol_free(body);
	case CHANGE_SERVICE:
		return (void)service_free(body);
	case CHANGE_SLICE:
		return (void)endpoint_slice_free(body);
	case CHANGE_NODE:
		return (void)node_free(body);
	case CHANGE_KINDS:
		break;
	}
}

int feed_reserve(struct feed *feed, size_t more)
{
	size_t cap = feed->cap ? feed->cap : 16;
	struct change *grown;

	while (cap - feed->n < more)
		cap *= 2;
	if (cap == feed->cap)
		return 0;
	grown = reallocarray(feed->v, cap, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	feed->v = grown;
	feed->cap = cap;
	return 0;
}

void feed_add(struct feed *feed, enum change_kind kind, void *old, const void *now)
{
	assert(feed->n < feed->cap);
	if (old || now)
		feed->v[feed->n++] = (struct change){ kind, old, now, feed->heard_us };
}

void feed_clear(struct feed *feed)
{
	for (size_t i = 0; i < feed->n; i++)
		body_free(feed->v[i].kind, (void *)(uintptr_t)feed->v[i].old);
	feed->n = 0;
	if (feed->cap > FEED_KEPT) {
		free(feed->v);
		feed->v = NULL;
		feed->cap = 0;
	}
}

void feed_done(struct feed *feed)
{
	feed_clear(feed);
	free(feed->v);
	*feed = (struct feed){ 0 };
}
