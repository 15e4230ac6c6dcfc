// SPDX-License-Identifier: Apache-2.0
#include "dataplane/handover_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/maps_room.h"

bool table_has_grown(const struct bpf_map *map, const struct bpf_map_info *old)
{
	bool hash = old->type == BPF_MAP_TYPE_HASH, array = old->type == BPF_MAP_TYPE_ARRAY;

	if (old->type != (__u32)bpf_map__type(map) || old->key_size != bpf_map__key_size(map) ||
	    old->map_flags != bpf_map__map_flags(map) || old->value_size > bpf_map__value_size(map))
		return false;
	/* An index of an array means what it meant; a hash may get more room. */
	return (hash && old->max_entries <= bpf_map__max_entries(map)) ||
	       (array && old->max_entries == bpf_map__max_entries(map));
}

struct row_copy {
	int to;
	bool moves;
	char *value; /* zero behind what an old record has */
};

static int row_put(int fd, const void *key, void *data)
{
	struct row_copy *copy = data;

	if (bpf_map_lookup_elem(fd, key, copy->value) < 0)
		return 0; /* a packet has fetched it */
	if (bpf_map_update_elem(copy->to, key, copy->value, BPF_NOEXIST) < 0 && errno != EEXIST)
		return -errno;
	if (copy->moves)
		bpf_map_delete_elem(fd, key);
	return 0;
}

static int array_copy(const struct old_table *from, struct row_copy *copy, size_t value_size)
{
	auto_free char *zeros = calloc(1, value_size);

	if (!zeros)
		return -ENOMEM;
	for (__u32 i = 0; i < from->info.max_entries; i++) {
		if (bpf_map_lookup_elem(from->fd, &i, copy->value) < 0)
			return -errno;
		if (memcmp(copy->value, zeros, value_size) != 0 &&
		    bpf_map_update_elem(copy->to, &i, copy->value, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int rows_carry(const struct old_table *from, struct row_copy *copy, struct err *err)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	int r;

	if (bpf_obj_get_info_by_fd(copy->to, &info, &size) < 0)
		return err_set(err, errno, "asking the map %s: %s", from->info.name, strerror(errno));
	if (info.id == from->info.id)
		return 0; /* the two sets share it */

	auto_free char *value = calloc(1, info.value_size);

	copy->value = value;
	if (!value)
		r = -ENOMEM;
	else if (info.type == BPF_MAP_TYPE_ARRAY)
		r = array_copy(from, copy, info.value_size);
	else
		r = map_walk(from->fd, info.key_size, row_put, copy, err);
	return r < 0 ? err_set(err, -r, "carrying the rows of %s over: %s", from->info.name, strerror(-r))
		     : 0;
}

int rows_copy(const struct old_table *from, int to, struct err *err)
{
	struct row_copy copy = { .to = to };

	return rows_carry(from, &copy, err);
}

int rows_move(const struct old_table *from, int to, struct err *err)
{
	struct row_copy copy = { .to = to, .moves = true };

	return rows_carry(from, &copy, err);
}
