/* SPDX-License-Identifier: Apache-2.0 */
/* Text made wrong in a way that can be had again: for parsers that must not be
 * fooled. $BULKHEAD_SEED starts it elsewhere, $BULKHEAD_ROUNDS makes it longer. */
#ifndef LIB_MUTATE_H
#define LIB_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct mutate {
	uint64_t state;
};

void mutate_begin(struct mutate *mutate);
size_t mutate_rounds(size_t usual);
size_t mutate_below(struct mutate *mutate, size_t limit);
/* One to four changes: bytes, parts twice or gone, tokens that matter to JSON, an
 * early end. */
void mutate_text(struct mutate *mutate, struct text *text);

#endif
