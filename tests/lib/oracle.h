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

/* What a pod dials is a Service's address and port (R25): what becomes of it with any of
 * those who serve it, found as src/service/backends.h says but by code of its own. EXPLAIN_UNKNOWN
 * if that is not the same with all of them, or no Service has that port. CASE_NO_BACKEND: nobody serves it.
 */
enum explain_verdict oracle_service_verdict(const struct world *world, const struct explain_query *query);

/* One side alone: what the pod at that end says (the other end may be remote). */
enum explain_verdict oracle_side(const struct world *world, const struct explain_query *query,
				 enum bh_direction direction);

#endif
