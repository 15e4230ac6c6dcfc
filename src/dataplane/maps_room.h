/* SPDX-License-Identifier: Apache-2.0 */
/* The handle behind maps.h, shared by the maps_*.c files only. */
#ifndef DATAPLANE_MAPS_ROOM_H
#define DATAPLANE_MAPS_ROOM_H

#include "dataplane/maps.h"

enum map_id {
	MAP_CONFIG,
	MAP_ENDPOINTS,
	MAP_LOCALS,
	MAP_PEERS,
	MAP_PREFIXES,
	MAP_PREFIX_LIST,
	MAP_VERDICTS,
	MAP_PORTS,
	MAP_FLOWS,
	MAP_FRAGS,
	MAP_USAGE,
	MAP_EVENTS,
	MAP_COUNTERS,
	MAP_TUNNEL,
	MAP_RANGES,
	MAP_SERVICES,
	MAP_BACKENDS,
	MAP_SERVICE_GEN,
	MAP_COUNT,
};

struct maps {
	char *root;
	int fd[MAP_COUNT];
	int sweep_fd;		       /* the program that expires flows */
	struct bh_endpoint *endpoints; /* the kernel's array itself */
	int n_cpus;		       /* possible CPUs: the width of a per-CPU value */
};

/* 0 or a negative errno; what is not there is erased. */
int map_put(int fd, const void *key, const void *value);
int map_erase(int fd, const void *key);

/* Calls `each` with every key of a hash map; deleting the current key is
 * allowed. Stops at the first non-zero answer and returns it. */
int map_walk(int fd, size_t key_size, int (*each)(int fd, const void *key, void *data), void *data,
	     struct err *err);

/* All rows of a hash map, key and value behind each other, in a new array. */
int rows_read(int fd, const char *name, size_t key_size, size_t row_size, void *ret_rows, __u32 *ret_n,
	      struct err *err);

#endif
