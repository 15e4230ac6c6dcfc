// SPDX-License-Identifier: Apache-2.0
/* The tunnel's settings, and whose pods are in which range. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/maps_room.h"

static int lens_add(uint8_t lens[BH_RANGE_LENS], uint32_t len)
{
	size_t n = 0;

	while (n < BH_RANGE_LENS && lens[n] > len)
		n++;
	if (n < BH_RANGE_LENS && lens[n] == len)
		return 0;
	if (n == BH_RANGE_LENS || lens[BH_RANGE_LENS - 1])
		return -ENOSPC;
	memmove(lens + n + 1, lens + n, BH_RANGE_LENS - n - 1);
	lens[n] = (uint8_t)len;
	return 0;
}

static int key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct bh_prefix_key));
}

struct keys {
	struct bh_prefix_key *v; /* sorted */
	size_t n;
};

static int range_prune(int fd, const void *key, void *data)
{
	const struct keys *keys = data;

	if (!keys->n || !bsearch(key, keys->v, keys->n, sizeof(*keys->v), key_compare))
		bpf_map_delete_elem(fd, key);
	return 0;
}

static int ranges_write(struct maps *maps, const struct maps_range *ranges, size_t n, struct err *err)
{
	auto_free struct bh_prefix_key *sorted = calloc(n + 1, sizeof(*sorted));
	struct keys keys = { sorted, n };

	if (!sorted)
		return err_set(err, ENOMEM, "ranges of the nodes");
	for (size_t i = 0; i < n; i++) {
		sorted[i] = ranges[i].key;
		if (bpf_map_update_elem(maps->fd[MAP_RANGES], &ranges[i].key, &ranges[i].range, BPF_ANY) < 0)
			return err_set(err, errno, "writing %s: %s", BH_MAP_RANGES, strerror(errno));
	}
	qsort(sorted, n, sizeof(*sorted), key_compare);
	return map_walk(maps->fd[MAP_RANGES], sizeof(struct bh_prefix_key), range_prune, &keys, err);
}

static int tunnel_write(struct maps *maps, const struct bh_tunnel *tunnel, struct err *err)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(maps->fd[MAP_TUNNEL], &zero, tunnel, BPF_ANY) < 0)
		return err_set(err, errno, "writing %s: %s", BH_MAP_TUNNEL, strerror(errno));
	return 0;
}

int maps_tunnel_set(struct maps *maps, const struct bh_tunnel *tunnel, const struct maps_range *ranges,
		    size_t n, struct err *err)
{
	struct bh_tunnel now = *tunnel, between, old = { 0 };
	__u32 zero = 0;
	int r;

	memset(now.lens, 0, sizeof(now.lens));
	if (n > BH_RANGES_MAX)
		return err_set(err, ENOSPC, "%zu pod ranges, at most %d fit", n, BH_RANGES_MAX);
	for (size_t i = 0; i < n; i++)
		if (lens_add(now.lens, ranges[i].key.len) < 0)
			return err_set(err, ENOSPC, "pod ranges have more than %d different lengths",
				       BH_RANGE_LENS);
	if (bpf_map_lookup_elem(maps->fd[MAP_TUNNEL], &zero, &old) < 0)
		return err_set(err, errno, "reading %s: %s", BH_MAP_TUNNEL, strerror(errno));
	/* Old rows must be found until the new ones are there. When not all lengths fit
	 * at once, the new ones count. */
	between = now;
	for (size_t i = 0; i < BH_RANGE_LENS && old.lens[i]; i++)
		(void)lens_add(between.lens, old.lens[i]);
	r = tunnel_write(maps, &between, err);
	if (r == 0)
		r = ranges_write(maps, ranges, n, err);
	return r < 0 ? r : tunnel_write(maps, &now, err);
}
