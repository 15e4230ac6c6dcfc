// SPDX-License-Identifier: Apache-2.0
/* One set of pins: the tables of a layout and the programs that know it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "dataplane/loader_room.h"
#include "dataplane/object.h"

static const char *const prog_names[] = { BH_PROG_FROM_POD, BH_PROG_TO_POD, BH_PROG_SWEEP, BH_PROG_DECAP,
					  BH_PROG_ENCAP };
#define N_PROGS (sizeof(prog_names) / sizeof(prog_names[0]))

struct bpf_object *object_open(struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "bulkhead");
	size_t size;
	const void *data = object_data(&size);
	struct bpf_object *object = bpf_object__open_mem(data, size, &opts);
	int r;

	if (!object) {
		err_set(err, errno, "opening the embedded programs: %s", strerror(errno));
		return NULL;
	}
	/* Only a handover needs it, and says so. */
	r = bpf_map__set_autocreate(bpf_object__find_map_by_name(object, BH_MAP_FLOWS_PREV), false);
	if (r < 0) {
		err_set(err, -r, "the embedded programs' %s: %s", BH_MAP_FLOWS_PREV, strerror(-r));
		bpf_object__close(object);
		return NULL;
	}
	return object;
}

bool map_is_table(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && strcmp(bpf_map__name(map), BH_MAP_FLOWS_PREV) != 0;
}

int map_pin_open(const char *path, struct bpf_map_info *ret_info, struct err *err)
{
	auto_close int fd = bpf_obj_get(path);
	__u32 size = sizeof(*ret_info);

	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return err_set(err, -fd, "pin %s: %s", path, strerror(-fd));
	memset(ret_info, 0, sizeof(*ret_info));
	if (bpf_obj_get_info_by_fd(fd, ret_info, &size) < 0)
		return err_set(err, errno, "asking the map %s: %s", path, strerror(errno));
	return TAKE_FD(fd);
}

bool map_is_same(const struct bpf_map *map, const struct bpf_map_info *found)
{
	return found->type == (__u32)bpf_map__type(map) && found->key_size == bpf_map__key_size(map) &&
	       found->value_size == bpf_map__value_size(map) &&
	       found->max_entries == bpf_map__max_entries(map) && found->map_flags == bpf_map__map_flags(map);
}

int map_refuse(const struct bpf_map *map, const struct bpf_map_info *found, const char *path, struct err *err)
{
	return err_set(err, EPROTO,
		       "the map %s has another layout (type %u, key %u, value %u, %u entries, flags %#x) "
		       "than this program needs (%u, %u, %u, %u, %#x)",
		       path, found->type, found->key_size, found->value_size, found->max_entries,
		       found->map_flags, (__u32)bpf_map__type(map), bpf_map__key_size(map),
		       bpf_map__value_size(map), bpf_map__max_entries(map), bpf_map__map_flags(map));
}

static int map_reuse(struct bpf_map *map, const char *root, struct err *err)
{
	struct bpf_map_info found;
	char path[PATH_MAX];
	int r = pin_path(path, root, PINS_MAPS, bpf_map__name(map), err);

	if (r < 0)
		return r;

	auto_close int fd = map_pin_open(path, &found, err);

	if (fd == -ENOENT)
		return 0; /* created by the load */
	if (fd < 0)
		return fd;
	if (!map_is_same(map, &found))
		return map_refuse(map, &found, path, err);
	r = bpf_map__reuse_fd(map, fd);
	return r < 0 ? err_set(err, -r, "taking over the map %s: %s", path, strerror(-r)) : 0;
}

static int map_pin(struct bpf_map *map, const char *root, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, PINS_MAPS, bpf_map__name(map), err);

	if (r < 0)
		return r;
	if (bpf_obj_pin(bpf_map__fd(map), path) < 0 && errno != EEXIST)
		return err_set(err, errno, "pinning the map %s: %s", path, strerror(errno));
	return 0;
}

static int maps_each(const char *root, struct bpf_object *object,
		     int (*each)(struct bpf_map *map, const char *root, struct err *err), struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object) {
		int r = map_is_table(map) ? each(map, root, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int config_write(struct bpf_object *object, const struct bh_config *config, struct err *err)
{
	int fd = bpf_object__find_map_fd_by_name(object, BH_MAP_CONFIG);
	__u32 zero = 0;

	if (fd < 0)
		return err_set(err, ENOENT, "the programs carry no map %s", BH_MAP_CONFIG);
	if (bpf_map_update_elem(fd, &zero, config, BPF_ANY) < 0)
		return err_set(err, errno, "writing %s: %s", BH_MAP_CONFIG, strerror(errno));
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
		r = pin_path(path, root, PINS_PROGS, prog_names[i], err);
		if (r < 0)
			return r;
		r = pin_replace(bpf_program__fd(prog), path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A fresh secret for each load: see bpf/moving.h. */
static int marks_draw(struct bpf_object *object, struct err *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.marks");
	__u64 marks[2];
	int r;

	if (getrandom(marks, sizeof(marks), 0) != sizeof(marks))
		return err_set(err, EIO, "no random numbers for marks");
	r = bpf_map__set_initial_value(map, marks, sizeof(marks));
	return r < 0 ? err_set(err, -r, "setting the marks: %s", strerror(-r)) : 0;
}

int set_build(const char *root, struct bpf_object *object, const struct bh_config *config, struct err *err)
{
	int r = maps_each(root, object, map_reuse, err);

	if (r < 0 || (r = marks_draw(object, err)) < 0)
		return r;
	r = bpf_object__load(object);
	if (r < 0)
		return err_set(err, -r, "loading the programs: %s", strerror(-r));
	if ((r = maps_each(root, object, map_pin, err)) < 0 || (r = config_write(object, config, err)) < 0)
		return r;
	return progs_pin(root, object, err);
}

int set_folders_make(const char *root, struct err *err)
{
	static const char *const folders[] = { PINS_MAPS, PINS_PROGS };

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

int folder_remove(const char *root, const char *folder, struct err *err)
{
	char path[PATH_MAX];
	int r = pin_path(path, root, folder, "", err);

	if (r < 0)
		return r;

	cleanup(pin_dir_close) DIR *dir = opendir(path);
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

int set_remove(const char *root, uint32_t abi, struct err *err)
{
	static const char *const folders[] = { "progs", "maps", "" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char folder[64];
		int r;

		snprintf(folder, sizeof(folder), "abi_%u/%s", abi, folders[i]);
		r = folder_remove(root, folder, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int sets_each(const char *root, uint32_t but, int (*each)(const char *root, uint32_t abi, void *data),
	      void *data, struct err *err)
{
	cleanup(pin_dir_close) DIR *dir = opendir(root);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : err_set(err, errno, "reading %s: %s", root, strerror(errno));
	while ((entry = readdir(dir))) {
		uint32_t abi;
		char rest;
		int r;

		if (sscanf(entry->d_name, "abi_%u%c", &abi, &rest) != 1 || abi == but)
			continue;
		r = each(root, abi, data);
		if (r)
			return r;
	}
	return 0;
}

static int one_remove(const char *root, uint32_t abi, void *data)
{
	return set_remove(root, abi, data);
}

int sets_remove(const char *root, uint32_t but, struct err *err)
{
	return sets_each(root, but, one_remove, err, err);
}
