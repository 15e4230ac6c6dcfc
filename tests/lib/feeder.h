/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells tables how a world changed since it was told last: worlds of tests are changed
 * in place, so it keeps copies to compare with. Out of memory here ends the test.
 */
#ifndef LIB_FEEDER_H
#define LIB_FEEDER_H

#include "policy/tables.h"

struct feeder {
	struct world was;			     /* copies; posture unused */
	struct endpoint endpoints[BH_ENDPOINTS_MAX]; /* by slot; a null name: none */
	const struct pod *pods[BH_ENDPOINTS_MAX];    /* of them, among the copies */
	char *posture;				     /* as told */
	struct posture_config config;		     /* what the tables point at */
	void (*around)(bool is_before);		     /* called around each call of the tables; may be null */
};

/* The tables know nothing (they are new, or have adopted): tell everything again. */
void feeder_forget(struct feeder *feeder);
void feeder_done(struct feeder *feeder);

void feeder_tell(struct feeder *feeder, struct tables *tables, const struct world *world,
		 const struct endpoint *endpoints, size_t n_endpoints);
/* Tells, then tables_update(). */
int feeder_update(struct feeder *feeder, struct tables *tables, const struct world *world,
		  const struct endpoint *endpoints, size_t n_endpoints, struct plan *plan, struct err *err);

#endif
