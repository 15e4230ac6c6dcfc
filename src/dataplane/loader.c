// SPDX-License-Identifier: Apache-2.0
/*
 * Order matters: probe before anything is changed, maps before programs,
 * configuration before programs are pinned, hooks last. A crash at any point
 * leaves the older programs running on the same maps.
 */
#include "dataplane/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "dataplane/bpflog.h"
#include "dataplane/hook.h"
#include "dataplane/maps.h"
#include "dataplane/object.h"
#include "dataplane/pins.h"

static const char *const prog_names[] = { BH_PROG_FROM_POD, BH_PROG_TO_POD, BH_PROG_SWEEP, BH_PROG_DECAP,
					  BH_PROG_ENCAP };
#define N_PROGS (sizeof(prog_names) / sizeof(prog_names[0]))

static void object_close(struct bpf_object **object)
{
	bpf_object__close(*object);
}

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The kernel's tick as user space can see it: the coarse clock advances by one
 * tick, and 1e9 / hz nanoseconds are its resolution. */
static __u32 kernel_hz(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec != 0 || tick.tv_nsec <= 0)
		return 0;
	return (__u32)((1000000000L + tick.tv_nsec / 2) / tick.tv_nsec);
}

void loader_config_default(struct bh_config *ret_config)
{
	*ret_config = (struct bh_config){
		.abi = BH_ABI,
		.hz = kernel_hz(),
		.flow_quota = 16384,
		.event_rate = 100,
		.tcp_syn_s = 30,
		.tcp_established_s = 7440,
		.tcp_closing_s = 60,
		.udp_s = 120,
		.other_s = 60,
		.frag_s = 5,
	};
}

/* A pinned map must be what this program would create. */
static int map_compare(struct bpf_map *map, int fd, const char *path, struct err *err)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return err_set(err, errno, "asking the map %s: %s", path, strerror(errno));
	if (info.type != (__u32)bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map) || info.max_entries != bpf_map__max_entries(map) ||
	    info.map_flags != bpf_map__map_flags(map))
		return err_set(
			err, EPROTO,
			"the map %s has another layout (type %u, key %u, value %u, %u entries, flags %#x) "
			"than this program needs (%u, %u, %u, %u, %#x)",
			path, info.type, info.key_size, info.value_size, info.max_entries, info.map_flags,
			(__u32)bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
			bpf_map__max_entries(map), bpf_map__map_flags(map));
	return 0;
}

static int map_reuse(struct bpf_map *map, const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "maps", bpf_map__name(map), err);

	if (r < 0)
		return r;

	auto_close int fd = bpf_obj_get(path);

	if (fd == -ENOENT)
		return 0; /* created by the load */
	if (fd < 0)
		return err_set(err, -fd, "pin %s: %s", path, strerror(-fd));
	r = map_compare(map, fd, path, err);
	if (r < 0)
		return r;
	r = bpf_map__reuse_fd(map, fd);
	return r < 0 ? err_set(err, -r, "taking over the map %s: %s", path, strerror(-r)) : 0;
}

static int map_pin(struct bpf_map *map, const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "maps", bpf_map__name(map), err);

	if (r < 0)
		return r;
	if (bpf_obj_pin(bpf_map__fd(map), path) < 0 && errno != EEXIST)
		return err_set(err, errno, "pinning the map %s: %s", path, strerror(errno));
	return 0;
}

static int config_write(struct bpf_object *object, const struct bh_config *config, struct err *err)
{
	int fd = bpf_object__find_map_fd_by_name(object, BH_MAP_CONFIG);
	struct bh_config old;
	__u32 zero = 0;

	if (fd < 0)
		return err_set(err, ENOENT, "the programs carry no map %s", BH_MAP_CONFIG);
	if (bpf_map_lookup_elem(fd, &zero, &old) < 0)
		return err_set(err, errno, "reading %s: %s", BH_MAP_CONFIG, strerror(errno));
	if (old.abi != 0 && old.abi != BH_ABI)
		return err_set(err, EPROTO, "the pinned tables have layout %u, this program needs %u",
			       old.abi, BH_ABI);
	if (bpf_map_update_elem(fd, &zero, config, BPF_ANY) < 0)
		return err_set(err, errno, "writing %s: %s", BH_MAP_CONFIG, strerror(errno));
	return 0;
}

static int object_load(const char *root, struct bpf_object *object, struct err *err)
{
	struct bpf_map *map;
	int r;

	bpf_object__for_each_map (map, object) {
		r = map_reuse(map, root, err);
		if (r < 0)
			return r;
	}
	r = bpf_object__load(object);
	if (r < 0)
		return err_set(err, -r, "loading the programs: %s", strerror(-r));
	bpf_object__for_each_map (map, object) {
		r = map_pin(map, root, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int progs_pin(const char *root, struct bpf_object *object, struct err *err)
{
	for (size_t i = 0; i < N_PROGS; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(object, prog_names[i]);
		char path[PATH_MAX];
		int r;

		if (!prog)
			return err_set(err, ENOENT, "the object has no program %s", prog_names[i]);
		r = pin_path(path, root, "progs", prog_names[i], err);
		if (r < 0)
			return r;
		r = pin_replace(bpf_program__fd(prog), path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Hooks by their pinned links, then clsact filters by the endpoint rows. An
 * interface that went away meanwhile has nothing to replace. */
static int linked_hooks_replace(const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, "links", "", err);

	if (r < 0)
		return r;

	cleanup(dir_close) DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return err_set(err, errno, "reading %s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		unsigned long ifindex = strtoul(entry->d_name, NULL, 10);

		if (ifindex == 0)
			continue;
		r = hook_replace(root, (uint32_t)ifindex, err);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static void maps_close(struct maps **maps)
{
	maps_free(*maps);
}

static int endpoint_hooks_replace(const char *root, struct err *err)
{
	cleanup(maps_close) struct maps *maps = NULL;
	struct bh_endpoint row;
	int r = maps_open(root, &maps, err);

	if (r < 0)
		return r;
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		if (maps_endpoint_get(maps, slot, &row, NULL) < 0)
			continue;
		r = hook_replace(root, row.ifindex, err);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int folders_make(const char *root, struct err *err)
{
	static const char *const folders[] = { "maps", "progs", "links" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[PATH_MAX];
		int r = pin_path(path, root, folders[i], "", err);

		if (r < 0)
			return r;
		r = dir_make(path, 0755, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int loader_run(const char *root, const struct bh_config *config, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "bulkhead");
	size_t size;
	const void *data = object_data(&size);
	int r;

	bpflog_demote();
	if (config->abi != BH_ABI || config->hz == 0)
		return err_set(err, EINVAL, "configuration with abi %u and hz %u", config->abi, config->hz);
	r = loader_probe(err);
	if (r < 0)
		return r;

	cleanup(object_close) struct bpf_object *object = bpf_object__open_mem(data, size, &opts);

	if (!object)
		return err_set(err, errno, "opening the embedded programs: %s", strerror(errno));
	r = folders_make(root, err);
	if (r < 0)
		return r;
	r = object_load(root, object, err);
	if (r < 0)
		return r;
	r = config_write(object, config, err);
	if (r < 0)
		return r;
	r = progs_pin(root, object, err);
	if (r < 0)
		return r;
	r = linked_hooks_replace(root, err);
	return r < 0 ? r : endpoint_hooks_replace(root, err);
}

static int folder_empty(const char *root, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, name, "", err);

	if (r < 0)
		return r;

	cleanup(dir_close) DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : err_set(err, errno, "reading %s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			return err_set(err, errno, "removing the pin %s%s: %s", path, entry->d_name,
				       strerror(errno));
	}
	rmdir(path);
	return 0;
}

/* clsact filters carry no pin: an interface's go by its endpoint row. */
static void hooks_detach_all(const char *root)
{
	cleanup(maps_close) struct maps *maps = NULL;
	struct bh_endpoint row;

	if (maps_open(root, &maps, NULL) < 0)
		return;
	for (uint32_t slot = 0; slot < BH_ENDPOINTS_MAX; slot++) {
		if (maps_endpoint_get(maps, slot, &row, NULL) == 0)
			hook_detach(root, row.ifindex, NULL);
	}
}

int loader_unpin_all(const char *root, struct err *err)
{
	static const char *const folders[] = { "links", "progs", "maps" };

	hooks_detach_all(root);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int r = folder_empty(root, folders[i], err);

		if (r < 0)
			return r;
	}
	rmdir(root);
	return 0;
}

int loader_prog_info(const char *root, const char *prog, struct loader_prog_info *ret_info, struct err *err)
{
	auto_close int fd = pin_open_prog(root, prog, err);
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return err_set(err, errno, "asking the program %s: %s", prog, strerror(errno));
	ret_info->insns = info.xlated_prog_len / 8;
	ret_info->insns_verified = info.verified_insns;
	return 0;
}
