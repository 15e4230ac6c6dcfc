// SPDX-License-Identifier: Apache-2.0
/* Everything that policy put into the kernel, read back after a restart. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "dataplane/maps_room.h"

/* Rows are read many at a time: two system calls for each would take longer than all the
 * rest of a start. A bucket of a hash comes as a whole, and none is so long. */
#define BATCH_BYTES (64u << 10)
#define BATCH_MIN   64u

/* Rows grow in one buffer: key and value behind each other. */
struct rows {
	char *data;
	size_t n, cap;
	size_t key_size, value_size;
};

static int rows_add(struct rows *rows, const char *keys, const char *values, size_t n)
{
	size_t row_size = rows->key_size + rows->value_size;

	if (rows->n + n > rows->cap) {
		size_t cap = 2 * rows->cap > rows->n + n ? 2 * rows->cap : rows->n + n;
		char *grown = realloc(rows->data, cap * row_size);

		if (!grown)
			return -ENOMEM;
		rows->data = grown;
		rows->cap = cap;
	}
	for (size_t i = 0; i < n; i++) {
		char *row = rows->data + rows->n++ * row_size;

		memcpy(row, keys + i * rows->key_size, rows->key_size);
		memcpy(row + rows->key_size, values + i * rows->value_size, rows->value_size);
	}
	return 0;
}

static int rows_collect(int fd, struct rows *rows)
{
	__u32 fit = BATCH_BYTES / (__u32)(rows->key_size + rows->value_size);
	__u32 most = fit > BATCH_MIN ? fit : BATCH_MIN, at = 0, next; /* where the kernel is in the table */
	auto_free char *keys = malloc(most * rows->key_size), *values = malloc(most * rows->value_size);
	bool has_more = true;

	if (!keys || !values)
		return -ENOMEM;
	for (bool first = true; has_more; first = false, at = next) {
		__u32 n = most;
		int r = bpf_map_lookup_batch(fd, first ? NULL : &at, &next, keys, values, &n, NULL);

		has_more = r == 0;
		if (r < 0 && r != -ENOENT)
			return r;
		if (rows_add(rows, keys, values, n) < 0)
			return -ENOMEM;
	}
	return 0;
}

int rows_read(int fd, const char *name, size_t key_size, size_t row_size, void *ret_rows, __u32 *ret_n,
	      struct err *err)
{
	struct rows rows = { .key_size = key_size, .value_size = row_size - key_size };
	int r = rows_collect(fd, &rows);

	if (r < 0) {
		free(rows.data);
		return err_set(err, -r, "reading %s: %s", name, strerror(-r));
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

/* Mapped for the moment: afterwards they are only written. */
static int ports_copy(struct maps *maps, struct bh_port **ret, struct err *err)
{
	size_t bytes = BH_PORTS_MAX * sizeof(**ret);
	void *ports = mmap(NULL, bytes, PROT_READ, MAP_SHARED, maps->fd[MAP_PORTS], 0);
	int r;

	if (ports == MAP_FAILED)
		return err_set(err, errno, "mapping the table %s: %s", BH_MAP_PORTS, strerror(errno));
	r = array_copy(ports, bytes, ret, err);
	munmap(ports, bytes);
	return r;
}

static int peer_compare(const void *a, const void *b)
{
	return addr_compare(&((const struct bh_peer_row *)a)->addr, &((const struct bh_peer_row *)b)->addr);
}

/* In order, which whoever takes them in is much faster at. */
static int peers_read(struct maps *maps, struct bh_snapshot *s, struct err *err)
{
	int r = rows_read(maps->fd[MAP_PEERS], BH_MAP_PEERS, sizeof(struct bh_addr), sizeof(*s->peers),
			  &s->peers, &s->n_peers, err);

	if (r == 0 && s->n_peers)
		qsort(s->peers, s->n_peers, sizeof(*s->peers), peer_compare);
	return r;
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
	int r = peers_read(maps, s, err);

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
	r = ports_copy(maps, &s->ports, err);
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
