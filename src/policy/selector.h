/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors by their parts, for who must name the part that failed. */
#ifndef POLICY_SELECTOR_H
#define POLICY_SELECTOR_H

#include "policy/model.h"

/* R2: NotIn and DoesNotExist hold for objects without the key. */
bool requirement_holds(const struct requirement *requirement, const struct labels *labels);

/* The first requirement that `labels` do not meet, or null. */
const struct requirement *selector_unmet(const struct selector *selector, const struct labels *labels);

/* R8, R23: an item that is invalid, names nothing, or combines ipBlock with
 * selectors. */
bool peer_matches_nothing(const struct peer *peer);

#endif
