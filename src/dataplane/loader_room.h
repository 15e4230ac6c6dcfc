/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader*.c files and the handover share. Nobody else includes this. */
#ifndef DATAPLANE_LOADER_ROOM_H
#define DATAPLANE_LOADER_ROOM_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>

#include "base/cleanup.h"
#include "dataplane/loader.h"
#include "dataplane/pins.h"

/* The embedded object, opened and not loaded; null with err filled. */
struct bpf_object *object_open(struct err *err);
static inline void object_close(struct bpf_object **object)
{
	bpf_object__close(*object); /* takes null */
}

static inline void pin_dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Is this map among those that are pinned? */
bool map_is_table(const struct bpf_map *map);

/* The map's descriptor by path, or -ENOENT without a message, or -errno. */
int map_pin_open(const char *path, struct bpf_map_info *ret_info, struct err *err);
/* Fills err with what was found at path and what the program needs; -EPROTO. */
int map_refuse(const struct bpf_map *map, const struct bpf_map_info *found, const char *path,
	       struct err *err);
bool map_is_same(const struct bpf_map *map, const struct bpf_map_info *found);

/* Creates the set of our layout under root: maps that its folder holds already are
 * taken over, the others created; programs loaded; configuration written; all pinned. */
int set_build(const char *root, struct bpf_object *object, const struct bh_config *config, struct err *err);
int set_folders_make(const char *root, struct err *err);
/* Unpins a whole set, by its layout; each but `but` (0: all). Not there is success. */
int set_remove(const char *root, uint32_t abi, struct err *err);
int sets_remove(const char *root, uint32_t but, struct err *err);
/* Calls each set's layout but `but` (0: all), until one answer is not 0. */
int sets_each(const char *root, uint32_t but, int (*each)(const char *root, uint32_t abi, void *data),
	      void *data, struct err *err);
/* Removes the pins in <root>/<folder>, then the folder. */
int folder_remove(const char *root, const char *folder, struct err *err);

/* Puts the pinned programs of our layout into every hook there is. */
int hooks_replace_all(const char *root, struct err *err);
void hooks_detach_all(const char *root);

#endif
