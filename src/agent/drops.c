// SPDX-License-Identifier: Apache-2.0
#include "agent/drops.h"

#include <stdlib.h>

void drops_done(struct drops *drops)
{
	for (size_t i = 0; i < DROPS_KEPT; i++)
		free(drops->line[i]);
	*drops = (struct drops){ 0 };
}

bool drops_admit(struct drops *drops, int64_t second)
{
	if (drops->second != second) {
		drops->second = second;
		drops->used = 0;
	}
	if (drops->used == DROPS_PER_SECOND)
		return false;
	drops->used++;
	return true;
}

void drops_keep(struct drops *drops, char *line)
{
	free(drops->line[drops->next]);
	drops->line[drops->next] = line;
	drops->next = (drops->next + 1) % DROPS_KEPT;
	if (drops->n < DROPS_KEPT)
		drops->n++;
}

const char *drops_line(const struct drops *drops, size_t i)
{
	return drops->line[(drops->next + DROPS_KEPT - drops->n + i) % DROPS_KEPT];
}
