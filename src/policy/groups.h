/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of a transition: see transition.h. */
#ifndef POLICY_GROUPS_H
#define POLICY_GROUPS_H

#include "policy/transition.h"

/* The wanted subject of that number, or null. */
struct subject *transition_wanted(const struct transition *transition, uint32_t id);
bool transition_retires(const struct transition *transition, uint32_t subject);

/* All 0 or -ENOMEM. */
int groups_init(struct transition *transition);
int group_of(struct transition *transition, uint32_t class, uint32_t signature, uint32_t *ret_group);
/* Once every address and region has its group: which class numbers they get. */
int groups_number(struct transition *transition, uint32_t *last_class);
/* The rows of staying and new subjects, and which staying subjects see a change.
 * -ENOSPC too. */
int groups_fill(struct transition *transition, struct port_lists *lists, struct err *err);

#endif
