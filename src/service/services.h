/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services as the kernel translates them. Objects come one change at a time; a change
 * marks the Service it is about, and only that one is looked at again. What differs
 * from the kernel's rows becomes writes in an order in which a new connection always
 * finds the old backends or the new ones (service_plan.h).
 *
 * A Service that does not fit its limits or its tables keeps the rows it has and says
 * why (C13); others are not held up by it. Two Services with the same address and port:
 * the one that was there first keeps it.
 *
 * Objects are borrowed: each stays readable until the change that has it as `old`.
 */
#ifndef SERVICE_SERVICES_H
#define SERVICE_SERVICES_H

#include <bulkhead/service_plan.h>

#include "base/err.h"
#include "policy/change.h"
#include "service/backends.h"

struct services;

struct service_plan {
	struct bh_service_write *v;
	size_t n, cap;
};
void service_plan_done(struct service_plan *plan);

struct services *services_new(void); /* null: out of memory */
struct services *services_free(struct services *services);

/* The kernel's rows, at start and after a write failed; every Service is looked at
 * again. 0 or -ENOMEM. */
int services_adopt(struct services *services, const struct bh_service_snapshot *snapshot);

/* Other kinds than CHANGE_SERVICE and CHANGE_SLICE are passed over. -ENOMEM: it does
 * not count; call services_reset() when there is memory again. */
int services_change(struct services *services, const struct change *change);
/* Forgets the objects and takes those of `world`; null: none, translation is off. */
int services_reset(struct services *services, const struct world *world);
/* Pods or addresses of this node changed: Services that depend on them are looked at
 * again. */
void services_touch(struct services *services, bool has_slices);

/* Appends the writes for some of the marked Services and counts them as made. 1: there
 * are more, apply these first; 0: all done; -ENOMEM: adopt again. */
int services_plan(struct services *services, const struct service_view *view, struct service_plan *plan);

/* Appends what erases the sets that no front has any more, behind a fence that takes
 * milliseconds: now and then. 0 or -ENOMEM: adopt again. */
int services_tidy(struct services *services, struct service_plan *plan);

/* For answers. */
struct service_state {
	const struct service *service;
	const struct endpoint_slice *const *slices;
	size_t n_slices;
	const char *problem; /* why its rows are not what it says; empty: they are */
	uint32_t revision;   /* grows with every change of any Service's rows; 0: it has none */
};
void services_each(const struct services *services, void (*each)(const struct service_state *, void *data),
		   void *data);

struct services_counts {
	size_t services; /* that are translated */
	size_t fronts;
	size_t groups;
	size_t backends;
	size_t refused;
};
struct services_counts services_counts(const struct services *services);

#endif
