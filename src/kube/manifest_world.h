/* SPDX-License-Identifier: Apache-2.0 */
/* The files' objects together as one world, each object once. */
#ifndef KUBE_MANIFEST_WORLD_H
#define KUBE_MANIFEST_WORLD_H

#include "kube/manifest_file.h"

/* `files` sorted by name: of objects that are defined twice the later file's
 * counts, which is reported once. The arrays of `world` are made anew, its posture
 * is left alone. On -ENOMEM the world is empty: its arrays may have held objects
 * that are gone by now. */
int manifest_world_build(struct manifest_file *const *files, size_t n_files,
			 const struct manifest_reader *reader, struct world *world, struct err *err);

#endif
