/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writes that take the Services' tables from one state to the next. Made by
 * src/service, applied by src/dataplane in exactly this order; fixed-size records. A
 * crash between any two leaves each front with its old or its new backends.
 */
#ifndef BULKHEAD_SERVICE_PLAN_H
#define BULKHEAD_SERVICE_PLAN_H

#include <bulkhead/abi.h>

enum bh_service_write_kind {
	BH_GROUP_PUT = 1, /* bh_backends[group.key] = group.group */
	BH_FRONT_PUT = 2, /* bh_services[front.key] = front.service: the commit */
	BH_FRONT_ERASE = 3,
	BH_UDP_CHANGED = 4, /* bh_service_gen: live UDP flows ask again */
	BH_SETS_FENCE = 5,  /* wait until no running program can hold an older front */
	BH_GROUP_ERASE = 6,
};

struct bh_service_write {
	__u32 kind; /* enum bh_service_write_kind */
	union {
		struct {
			struct bh_group_key key;
			struct bh_group group;
		} group;
		struct {
			struct bh_front key;
			struct bh_service service;
		} front;
	};
};
BH_ASSERT_SIZE(struct bh_service_write, 172);

/* What the kernel's tables hold, as read at start. Arrays belong to whoever filled
 * it. */
struct bh_front_row {
	struct bh_front front;
	struct bh_service service;
};

struct bh_group_row {
	struct bh_group_key key;
	struct bh_group group;
};

struct bh_service_snapshot {
	struct bh_front_row *fronts;
	__u32 n_fronts;
	struct bh_group_row *groups;
	__u32 n_groups;
};

#endif
