// SPDX-License-Identifier: Apache-2.0
#include "dataplane/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "dataplane/maps_room.h"
#include "dataplane/pins.h"

static const char *const map_names[MAP_COUNT] = {
	[MAP_CONFIG] = BH_MAP_CONFIG,	  [MAP_ENDPOINTS] = BH_MAP_ENDPOINTS,
	[MAP_LOCALS] = BH_MAP_LOCALS,	  [MAP_PEERS] = BH_MAP_PEERS,
	[MAP_PREFIXES] = BH_MAP_PREFIXES, [MAP_PREFIX_LIST] = BH_MAP_PREFIX_LIST,
	[MAP_VERDICTS] = BH_MAP_VERDICTS, [MAP_PORTS] = BH_MAP_PORTS,
	[MAP_FLOWS] = BH_MAP_FLOWS,	  [MAP_FRAGS] = BH_MAP_FRAGS,
	[MAP_USAGE] = BH_MAP_USAGE,	  [MAP_EVENTS] = BH_MAP_EVENTS,
	[MAP_COUNTERS] = BH_MAP_COUNTERS, [MAP_TUNNEL] = BH_MAP_TUNNEL,
	[MAP_RANGES] = BH_MAP_RANGES,	  [MAP_SERVICES] = BH_MAP_SERVICES,
	[MAP_BACKENDS] = BH_MAP_BACKENDS, [MAP_SERVICE_GEN] = BH_MAP_SERVICE_GEN,
};

#define ENDPOINTS_BYTES (BH_ENDPOINTS_MAX * sizeof(struct bh_endpoint))

DEFINE_AUTO(struct maps, maps_free)

static struct maps *maps_new(void)
{
	struct maps *maps = calloc(1, sizeof(*maps));

	if (!maps)
		return NULL;
	for (int i = 0; i < MAP_COUNT; i++)
		maps->fd[i] = -1;
	maps->sweep_fd = -1;
	return maps;
}

struct maps *maps_free(struct maps *maps)
{
	if (!maps)
		return NULL;
	if (maps->endpoints)
		munmap(maps->endpoints, ENDPOINTS_BYTES);
	for (int i = 0; i < MAP_COUNT; i++) {
		if (maps->fd[i] >= 0)
			close(maps->fd[i]);
	}
	if (maps->sweep_fd >= 0)
		close(maps->sweep_fd);
	free(maps->root);
	free(maps);
	return NULL;
}

int maps_lock(struct maps *maps, int *ret_fd, struct err *err)
{
	auto_close int fd = -1;
	int r = pins_lock(maps->root, &fd, err);

	if (r < 0)
		return r;
	if (pins_current_check(maps->root, err) < 0)
		return -ESTALE;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int array_map(int fd, size_t bytes, const char *name, void *ret, struct err *err)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return err_set(err, errno, "mapping the table %s: %s", name, strerror(errno));
	memcpy(ret, &at, sizeof(at));
	return 0;
}

int maps_open(const char *root, struct maps **ret_maps, struct err *err)
{
	cleanup(maps_free_auto) struct maps *maps = maps_new();
	int r;

	if (!maps || !(maps->root = strdup(root)))
		return err_set(err, ENOMEM, "table handle");
	r = pins_current_check(root, err);
	if (r < 0)
		return r;
	for (int i = 0; i < MAP_COUNT; i++) {
		maps->fd[i] = pin_open_map(root, map_names[i], err);
		if (maps->fd[i] < 0)
			return maps->fd[i];
	}
	maps->sweep_fd = pin_open_prog(root, BH_PROG_SWEEP, err);
	if (maps->sweep_fd < 0)
		return maps->sweep_fd;
	maps->n_cpus = libbpf_num_possible_cpus();
	if (maps->n_cpus < 0)
		return err_set(err, -maps->n_cpus, "counting the possible CPUs");
	r = array_map(maps->fd[MAP_ENDPOINTS], ENDPOINTS_BYTES, BH_MAP_ENDPOINTS, &maps->endpoints, err);
	if (r < 0)
		return r;
	*ret_maps = TAKE(maps);
	return 0;
}

int maps_counters_get(struct maps *maps, uint32_t slot, uint64_t ret[2][BH_REASONS_MAX], struct err *err)
{
	uint64_t per_cpu[maps->n_cpus];

	if (slot > BH_ENDPOINTS_MAX)
		return err_set(err, EINVAL, "counters of slot %u: no such slot", slot);
	for (int direction = 0; direction < 2; direction++) {
		for (int reason = 0; reason < BH_REASONS_MAX; reason++) {
			__u32 index = bh_counter_index(slot, (__u32)direction, (__u32)reason);

			if (bpf_map_lookup_elem(maps->fd[MAP_COUNTERS], &index, per_cpu) < 0)
				return err_set(err, errno, "counters of slot %u: %s", slot, strerror(errno));
			ret[direction][reason] = 0;
			for (int cpu = 0; cpu < maps->n_cpus; cpu++)
				ret[direction][reason] += per_cpu[cpu];
		}
	}
	return 0;
}

int maps_usage_get(struct maps *maps, uint32_t slot, struct bh_usage *ret, struct err *err)
{
	if (bpf_map_lookup_elem(maps->fd[MAP_USAGE], &slot, ret) < 0)
		return err_set(err, errno, "usage of slot %u: %s", slot, strerror(errno));
	return 0;
}

int maps_config_set(struct maps *maps, const struct bh_config *config, struct err *err)
{
	__u32 zero = 0;

	if (config->abi != BH_ABI || config->hz == 0)
		return err_set(err, EINVAL, "configuration with abi %u and hz %u", config->abi, config->hz);
	if (bpf_map_update_elem(maps->fd[MAP_CONFIG], &zero, config, BPF_ANY) < 0)
		return err_set(err, errno, "writing %s: %s", BH_MAP_CONFIG, strerror(errno));
	return 0;
}

int maps_moving_set(struct maps *maps, bool moving, struct err *err)
{
	struct bh_config config;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(maps->fd[MAP_CONFIG], &zero, &config) < 0)
		return err_set(err, errno, "reading %s: %s", BH_MAP_CONFIG, strerror(errno));
	config.flags &= ~(__u32)BH_CONFIG_MOVING;
	config.flags |= moving ? BH_CONFIG_MOVING : 0;
	return maps_config_set(maps, &config, err);
}

int maps_events_fd(struct maps *maps)
{
	return maps->fd[MAP_EVENTS];
}

int map_put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) < 0 ? -errno : 0;
}

int map_erase(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) < 0 && errno != ENOENT ? -errno : 0;
}

int map_walk(int fd, size_t key_size, int (*each)(int fd, const void *key, void *data), void *data,
	     struct err *err)
{
	unsigned char key[64], next[64];
	bool has_key = bpf_map_get_next_key(fd, NULL, key) == 0;

	while (has_key) {
		int r;

		has_key = bpf_map_get_next_key(fd, key, next) == 0;
		if (!has_key && errno != ENOENT)
			return err_set(err, errno, "walking a table: %s", strerror(errno));
		r = each(fd, key, data);
		if (r)
			return r;
		memcpy(key, next, key_size);
	}
	return 0;
}
