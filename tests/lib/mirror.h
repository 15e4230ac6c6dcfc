/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody knows who only hears of changes: applied in order they must make the
 * world that the source has. Ends the test where they do not.
 */
#ifndef LIB_MIRROR_H
#define LIB_MIRROR_H

#include "policy/change.h"

struct mirror {
	const void **v; /* all kinds */
	size_t n, cap;
	struct world world; /* the same by kind, in no order */
	size_t n_told;	    /* changes so far */
};

void mirror_apply(struct mirror *mirror, const struct change *changes, size_t n);
void mirror_check(const struct mirror *mirror, const struct world *world);
/* All that was told is void. */
void mirror_forget(struct mirror *mirror);
void mirror_done(struct mirror *mirror);

#endif
