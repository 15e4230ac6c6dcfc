/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of a transition: see transition.h. */
#ifndef POLICY_GROUPS_H
#define POLICY_GROUPS_H

#include "policy/transition.h"

/* The class, its scratch of this plan begun. */
struct class *class_scratch(const struct transition *transition, struct class *class);

/* All 0 or -ENOMEM. */
int groups_init(struct transition *transition);
/* What comes from this class and is to answer so. Takes the use of the signature. */
int group_of(struct transition *transition, struct class *from, struct signature *signature,
	     uint32_t *ret_group);
/* Once every address and region has its group: which classes they get. */
int groups_number(struct transition *transition);
/* The rows that new classes and fresh subjects need, and which live subjects see a
 * change. -ENOSPC too. */
int groups_fill(struct transition *transition, struct err *err);

#endif
