// SPDX-License-Identifier: Apache-2.0
#include "dataplane/handover.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/fence.h"
#include "dataplane/handover_rows.h"

static void old_table_close(struct old_table *table)
{
	if (table->fd >= 0)
		close(table->fd);
}
#define auto_old_table cleanup(old_table_close)

static int set_path(char out[PATH_MAX], const char *root, uint32_t abi, const char *folder, const char *name)
{
	char set[64];

	snprintf(set, sizeof(set), "abi_%u/%s", abi, folder);
	return pin_path(out, root, set, name, NULL);
}

/* 0, -ENOENT without a message, or -errno. */
static int old_table_open(const char *root, uint32_t abi, const char *name, struct old_table *ret,
			  struct err *err)
{
	char path[PATH_MAX];
	int r = set_path(path, root, abi, "maps", name);

	ret->fd = r < 0 ? r : map_pin_open(path, &ret->info, err);
	return ret->fd < 0 ? ret->fd : 0;
}

/* --- which layout is alive */

/* The configuration of any layout begins with its number and the flags. */
struct config_head {
	__u32 abi;
	__u32 flags;
};
_Static_assert(offsetof(struct bh_config, abi) == offsetof(struct config_head, abi) &&
		       offsetof(struct bh_config, flags) == offsetof(struct config_head, flags),
	       "abi and flags keep their place in every layout");

/* Reads it whole; the caller frees. */
static int config_read(const struct old_table *table, struct config_head **ret_config, struct err *err)
{
	auto_free struct config_head *config = NULL;
	__u32 zero = 0;

	if (table->info.value_size < sizeof(*config))
		return err_set(err, EPROTO, "%s has values of %u bytes", BH_MAP_CONFIG,
			       table->info.value_size);
	config = calloc(1, table->info.value_size);
	if (!config)
		return err_set(err, ENOMEM, "%s: out of memory", BH_MAP_CONFIG);
	if (bpf_map_lookup_elem(table->fd, &zero, config) < 0)
		return err_set(err, errno, "reading %s: %s", BH_MAP_CONFIG, strerror(errno));
	*ret_config = TAKE(config);
	return 0;
}

/* 1, 0 or -errno. */
static int set_has_handed_over(const char *root, uint32_t abi, struct err *err)
{
	auto_old_table struct old_table table = { .fd = -1 };
	auto_free struct config_head *config = NULL;
	int r = old_table_open(root, abi, BH_MAP_CONFIG, &table, err);

	if (r == -ENOENT)
		return 0; /* a folder that was not finished */
	if (r < 0 || (r = config_read(&table, &config, err)) < 0)
		return r;
	return !!(config->flags & BH_CONFIG_HANDED_OVER);
}

static int newest(const char *root, uint32_t abi, void *data)
{
	uint32_t *best = data;

	(void)root;
	if (abi > *best)
		*best = abi;
	return 0;
}

/* Packets follow the flag; `current` follows here if a crash kept it from it. */
static int alive_find(const char *root, uint32_t *ret_abi, struct err *err)
{
	uint32_t next;
	int r = pins_current(root, ret_abi, err);

	if (r < 0)
		return r;
	for (;;) {
		r = set_has_handed_over(root, *ret_abi, err);
		if (r <= 0)
			return r;
		next = *ret_abi;
		r = sets_each(root, *ret_abi, newest, &next, err);
		if (r < 0)
			return r;
		if (next == *ret_abi)
			return err_set(err, EPROTO, "layout %u under %s was handed over to one that is gone",
				       next, root);
		r = pins_current_set(root, next, err);
		if (r < 0)
			return r;
		*ret_abi = next;
	}
}

/* --- what becomes of each table */

enum fate {
	FATE_NEW,   /* the old layout has none, or its rows mean nothing to us */
	FATE_SHARE, /* equal */
	FATE_COPY,  /* grown */
};

/* Ours to judge by, so never the old set's. */
static bool is_made_anew(const char *name)
{
	return strcmp(name, BH_MAP_CONFIG) == 0 || strcmp(name, BH_MAP_NEXT) == 0;
}

static int table_fate(const char *root, uint32_t from, const struct bpf_map *map, struct old_table *ret_old,
		      struct err *err)
{
	const char *name = bpf_map__name(map);
	char path[PATH_MAX];
	int r = old_table_open(root, from, name, ret_old, err);

	if (r == -ENOENT || (r == 0 && is_made_anew(name)))
		return FATE_NEW;
	if (r < 0)
		return r;
	if (map_is_same(map, &ret_old->info))
		return FATE_SHARE;
	if (table_has_grown(map, &ret_old->info))
		return FATE_COPY;
	set_path(path, root, from, "maps", name);
	return map_refuse(map, &ret_old->info, path, err);
}

/* Before anything is changed. */
static int tables_check(const char *root, uint32_t from, struct bpf_object *object, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object) {
		auto_old_table struct old_table old = { .fd = -1 };
		int r = map_is_table(map) ? table_fate(root, from, map, &old, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* A second pin for each equal table: building our set takes it over. */
static int tables_share(const char *root, uint32_t from, struct bpf_object *object, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object) {
		auto_old_table struct old_table old = { .fd = -1 };
		char path[PATH_MAX];

		if (!map_is_table(map) || table_fate(root, from, map, &old, err) != FATE_SHARE)
			continue;
		pin_path(path, root, PINS_MAPS, bpf_map__name(map), NULL);
		if (bpf_obj_pin(old.fd, path) < 0)
			return err_set(err, errno, "pinning the map %s: %s", path, strerror(errno));
	}
	return 0;
}

/* Gives our programs the old flow records, if they are in a table of their own. */
static int flows_offer(const char *root, uint32_t from, struct bpf_object *object, struct err *err)
{
	struct bpf_map *prev = bpf_object__find_map_by_name(object, BH_MAP_FLOWS_PREV);
	struct bpf_map *size = bpf_object__find_map_by_name(object, ".rodata.handover");
	auto_old_table struct old_table old = { .fd = -1 };
	int r = table_fate(root, from, bpf_object__find_map_by_name(object, BH_MAP_FLOWS), &old, err);

	if (r != FATE_COPY)
		return r < 0 ? r : 0;
	if ((r = bpf_map__set_autocreate(prev, true)) < 0 || (r = bpf_map__reuse_fd(prev, old.fd)) < 0 ||
	    (r = bpf_map__set_initial_value(size, &old.info.value_size, sizeof(__u32))) < 0)
		return err_set(err, -r, "offering the old flow records: %s", strerror(-r));
	return 0;
}

static int tables_copy(const char *root, uint32_t from, struct bpf_object *object, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object) {
		auto_old_table struct old_table old = { .fd = -1 };
		int r;

		if (!map_is_table(map) || strcmp(bpf_map__name(map), BH_MAP_FLOWS) == 0)
			continue;
		r = table_fate(root, from, map, &old, err);
		if (r == FATE_COPY)
			r = rows_copy(&old, bpf_map__fd(map), err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the change itself */

/* What has expired is not worth carrying, and a sweep now keeps packets from
 * sweeping for a while (sweep.h). */
static int old_sweep(const char *root, uint32_t from, struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	char path[PATH_MAX];
	int r = set_path(path, root, from, "progs", BH_PROG_SWEEP);
	auto_close int fd = r < 0 ? r : pin_open(path, err);

	if (fd < 0)
		return fd;
	if (bpf_prog_test_run_opts(fd, &opts) < 0)
		return err_set(err, errno, "sweeping the old flow records: %s", strerror(errno));
	return 0;
}

static int next_fill(const char *root, uint32_t from, struct bpf_object *object, struct err *err)
{
	static const char *const names[BH_NEXT_MAX] = {
		[BH_EGRESS] = BH_PROG_FROM_POD, [BH_INGRESS] = BH_PROG_TO_POD
	};
	auto_old_table struct old_table next = { .fd = -1 };
	int r = old_table_open(root, from, BH_MAP_NEXT, &next, err);

	if (r < 0)
		return r == -ENOENT ? err_set(err, EPROTO, "layout %u under %s cannot hand over", from, root)
				    : r;
	for (__u32 i = 0; i < BH_NEXT_MAX; i++) {
		int fd = bpf_program__fd(bpf_object__find_program_by_name(object, names[i]));

		if (bpf_map_update_elem(next.fd, &i, &fd, BPF_ANY) < 0)
			return err_set(err, errno, "offering %s to the old programs: %s", names[i],
				       strerror(errno));
	}
	return 0;
}

/* The old configuration gets one bit; everything follows from it. */
static int flip(const char *root, uint32_t from, struct err *err)
{
	auto_old_table struct old_table table = { .fd = -1 };
	auto_free struct config_head *config = NULL;
	__u32 zero = 0;
	int r = old_table_open(root, from, BH_MAP_CONFIG, &table, err);

	if (r < 0 || (r = config_read(&table, &config, err)) < 0)
		return r;
	config->flags |= BH_CONFIG_HANDED_OVER;
	if (bpf_map_update_elem(table.fd, &zero, config, BPF_ANY) < 0)
		return err_set(err, errno, "handing over: %s", strerror(errno));
	return 0;
}

static int prepare(const char *root, uint32_t from, const struct bh_config *config, struct bpf_object *object,
		   struct err *err)
{
	int r;

	if ((r = set_folders_make(root, err)) < 0 || (r = tables_share(root, from, object, err)) < 0 ||
	    (r = flows_offer(root, from, object, err)) < 0 ||
	    (r = set_build(root, object, config, err)) < 0 || (r = old_sweep(root, from, err)) < 0 ||
	    (r = next_fill(root, from, object, err)) < 0)
		return r;
	return tables_copy(root, from, object, err);
}

/* A handed-over set's flow records, into the living one. */
struct carry {
	uint32_t to;
	struct err *err;
};

static int flows_carry(const char *root, uint32_t from, void *data)
{
	struct carry *carry = data;
	auto_old_table struct old_table old = { .fd = -1 }, now = { .fd = -1 };
	int r = set_has_handed_over(root, from, carry->err);

	if (r <= 0)
		return r;
	r = old_table_open(root, from, BH_MAP_FLOWS, &old, carry->err);
	if (r == -ENOENT)
		return 0; /* carried before: the set was being removed */
	if (r < 0 || (r = old_table_open(root, carry->to, BH_MAP_FLOWS, &now, carry->err)) < 0)
		return r == -ENOENT ? err_set(carry->err, EPROTO, "%s of layout %u is gone", BH_MAP_FLOWS,
					      carry->to)
				    : r;
	return rows_move(&old, now.fd, carry->err);
}

static int all_flows_carry(const char *root, uint32_t to, struct err *err)
{
	struct carry carry = { to, err };

	return sets_each(root, to, flows_carry, &carry, err);
}

static int take_over(const char *root, uint32_t from, const struct bh_config *config, struct err *err)
{
	cleanup(object_close) struct bpf_object *object = object_open(err);
	int r;

	if (!object)
		return -EIO;
	r = tables_check(root, from, object, err);
	if (r < 0)
		return r;
	r = set_remove(root, BH_ABI, err); /* an attempt that was killed */
	if (r < 0)
		return r;
	r = prepare(root, from, config, object, err);
	if (r == 0)
		r = flip(root, from, err);
	if (r < 0) {
		set_remove(root, BH_ABI, NULL);
		return err_wrap(err, r, "taking over from layout %u", from);
	}
	if ((r = fence()) < 0)
		return err_set(err, -r, "waiting for the old programs: %s", strerror(-r));
	if ((r = pins_current_set(root, BH_ABI, err)) < 0 || (r = hooks_replace_all(root, err)) < 0)
		return r;
	return all_flows_carry(root, BH_ABI, err);
}

/* Names the newer layout and the first table that shows it. */
static int refuse_newer(const char *root, uint32_t alive, struct err *err)
{
	cleanup(object_close) struct bpf_object *object = object_open(NULL);
	struct err why = { .msg = "no table of ours differs" };
	struct bpf_map *map;

	if (!object)
		return err_set(err, EIO, "opening the embedded programs");
	bpf_object__for_each_map (map, object) {
		auto_old_table struct old_table found = { .fd = -1 };
		char path[PATH_MAX];

		if (!map_is_table(map) || old_table_open(root, alive, bpf_map__name(map), &found, NULL) < 0 ||
		    map_is_same(map, &found.info))
			continue;
		set_path(path, root, alive, "maps", bpf_map__name(map));
		map_refuse(map, &found.info, path, &why);
		break;
	}
	return err_set(err, EPROTO,
		       "the tables under %s have layout %u, this program needs %u and cannot go back: %s; "
		       "what is enforced stays as it is",
		       root, alive, BH_ABI, why.msg);
}

/* Pins of the time before sets had folders. */
static int refuse_unsorted(const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "maps", "", err);

	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return err_set(err, EPROTO,
			       "%s is of a version that cannot hand over; drain the node and remove %s", path,
			       root);
	return 0;
}

int handover_run(const char *root, const struct bh_config *config, struct err *err)
{
	uint32_t alive;
	int r = alive_find(root, &alive, err);

	if (r == -ENOENT) {
		r = refuse_unsorted(root, err);
		return r < 0 ? r : set_remove(root, BH_ABI, err);
	}
	if (r < 0)
		return r;
	if (alive > BH_ABI)
		return refuse_newer(root, alive, err);
	r = all_flows_carry(root, alive, err);
	if (r < 0 || alive == BH_ABI)
		return r;
	return take_over(root, alive, config, err);
}
