/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of an older layout's table, copied into ours. */
#ifndef DATAPLANE_HANDOVER_ROWS_H
#define DATAPLANE_HANDOVER_ROWS_H

#include "dataplane/loader_room.h"

/* A table as an older set has it. */
struct old_table {
	int fd;
	struct bpf_map_info info;
};

/* Is our table the old one with longer records or more room? */
bool table_has_grown(const struct bpf_map *map, const struct bpf_map_info *old);

/* All rows; what a record has gained is zero. Rows that are there already stay. */
int rows_copy(const struct old_table *from, int to, struct err *err);

/* The same while packets use both tables: each record goes from the old one as soon
 * as it is in the new one, for it must not come back when it has expired there. */
int rows_move(const struct old_table *from, int to, struct err *err);

#endif
