/* SPDX-License-Identifier: Apache-2.0 */
/* The files' objects together as one world, each object once. */
#ifndef KUBE_MANIFEST_WORLD_H
#define KUBE_MANIFEST_WORLD_H

#include "kube/feed.h"
#include "kube/manifest_file.h"

/* `files` sorted by name: of objects that are defined twice the later file's
 * counts, which is reported once. Makes the arrays of `world`, which is empty, each
 * sorted by name; on -ENOMEM it may have some. */
int manifest_world_build(struct manifest_file *const *files, size_t n_files,
			 const struct manifest_reader *reader, struct world *world, struct err *err);

/* What leads from one such world to another, appended to `changes`, which owns no body
 * (feed_clear() would free them). 0 or -ENOMEM. */
int manifest_world_compare(const struct world *old, const struct world *now, struct feed *changes);
void manifest_world_free(struct world *world); /* the arrays only */

#endif
