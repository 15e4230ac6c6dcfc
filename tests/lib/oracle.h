/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: NetworkPolicy read off SEMANTICS section 1 line by line, slowly and
 * obviously. It shares nothing with src/policy but the structs and the address
 * helpers, so that a mistake there cannot hide here.
 */
#ifndef LIB_ORACLE_H
#define LIB_ORACLE_H

#include "policy/explain.h"

/* EXPLAIN_ALLOW, EXPLAIN_DENY or EXPLAIN_AUDIT. Both ends must have addresses. */
enum explain_verdict oracle_verdict(const struct world *world, const struct explain_query *query);

/* One side alone: what the pod at that end says (the other end may be remote). */
enum explain_verdict oracle_side(const struct world *world, const struct explain_query *query,
				 enum bh_direction direction);

#endif
