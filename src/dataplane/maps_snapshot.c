// SPDX-License-Identifier: Apache-2.0
/* Everything that policy put into the kernel, read back after a restart. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/maps_room.h"

/* Rows grow in one buffer: key and value behind each other. */
struct rows {
	char *data;
	size_t n, cap;
	size_t row_size, key_size;
};

static int row_collect(int fd, const void *key, void *data)
{
	struct rows *rows = data;
	char *row;

	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 256;
		char *grown = realloc(rows->data, cap * rows->row_size);

		if (!grown)
			return -ENOMEM;
		rows->data = grown;
		rows->cap = cap;
	}
	row = rows->data + rows->n * rows->row_size;
	memcpy(row, key, rows->key_size);
	if (bpf_map_lookup_elem(fd, key, row + rows->key_size) == 0)
		rows->n++;
	return 0;
}

int rows_read(int fd, const char *name, size_t key_size, size_t row_size, void *ret_rows, __u32 *ret_n,
	      struct err *err)
{
	struct rows rows = { .row_size = row_size, .key_size = key_size };
	int r = map_walk(fd, key_size, row_collect, &rows, err);

	if (r < 0) {
		free(rows.data);
		return r == -ENOMEM ? err_set(err, ENOMEM, "reading %s", name)
				    : err_wrap(err, r, "reading %s", name);
	}
	memcpy(ret_rows, &rows.data, sizeof(rows.data));
	*ret_n = (__u32)rows.n;
	return 0;
}

static int array_copy(const void *array, size_t bytes, void *ret_copy, struct err *err)
{
	void *copy = malloc(bytes);

	if (!copy)
		return err_set(err, ENOMEM, "copy of a table");
	memcpy(copy, array, bytes);
	memcpy(ret_copy, &copy, sizeof(copy));
	return 0;
}

/* A crash between the two writes of a prefix leaves it in the list only: finish
 * it, so that what the caller adopts is what packets meet. */
static int prefixes_finish(struct maps *maps, const struct bh_snapshot *snapshot, struct err *err)
{
	for (__u32 i = 0; i < snapshot->n_prefixes; i++) {
		const struct bh_prefix_row *row = &snapshot->prefixes[i];

		if (bpf_map_update_elem(maps->fd[MAP_PREFIXES], &row->prefix, &row->class, BPF_ANY) < 0)
			return err_set(err, errno, "writing %s: %s", BH_MAP_PREFIXES, strerror(errno));
	}
	return 0;
}

static int snapshot_read(struct maps *maps, struct bh_snapshot *s, struct err *err)
{
	int r;

	r = rows_read(maps->fd[MAP_PEERS], BH_MAP_PEERS, sizeof(struct bh_addr), sizeof(*s->peers), &s->peers,
		      &s->n_peers, err);
	if (r < 0)
		return r;
	r = rows_read(maps->fd[MAP_PREFIX_LIST], BH_MAP_PREFIX_LIST, sizeof(struct bh_prefix_key),
		      sizeof(*s->prefixes), &s->prefixes, &s->n_prefixes, err);
	if (r < 0)
		return r;
	r = rows_read(maps->fd[MAP_VERDICTS], BH_MAP_VERDICTS, sizeof(struct bh_verdict_key),
		      sizeof(*s->verdicts), &s->verdicts, &s->n_verdicts, err);
	if (r < 0)
		return r;
	r = array_copy(maps->ports, BH_PORTS_MAX * sizeof(*s->ports), &s->ports, err);
	if (r < 0)
		return r;
	r = array_copy(maps->endpoints, BH_ENDPOINTS_MAX * sizeof(*s->endpoints), &s->endpoints, err);
	if (r < 0)
		return r;
	return prefixes_finish(maps, s, err);
}

int maps_snapshot(struct maps *maps, struct bh_snapshot *ret_snapshot, struct err *err)
{
	int r;

	memset(ret_snapshot, 0, sizeof(*ret_snapshot));
	r = snapshot_read(maps, ret_snapshot, err);
	if (r < 0)
		maps_snapshot_done(ret_snapshot);
	return r;
}

void maps_snapshot_done(struct bh_snapshot *snapshot)
{
	free(snapshot->peers);
	free(snapshot->prefixes);
	free(snapshot->verdicts);
	free(snapshot->ports);
	free(snapshot->endpoints);
	memset(snapshot, 0, sizeof(*snapshot));
}
