/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object of the world became another. Sources tell changes in the order in which
 * they learned of them, so applying each in turn leads from one world to the next,
 * and an object may change several times in one batch.
 *
 * A new kind of object is one line here and one in kube/feed.c.
 */
#ifndef POLICY_CHANGE_H
#define POLICY_CHANGE_H

#include "policy/model.h"

enum change_kind {
	CHANGE_POD,
	CHANGE_NAMESPACE,
	CHANGE_NETPOL,
	CHANGE_SERVICE,
	CHANGE_SLICE,
	CHANGE_NODE,
	CHANGE_KINDS,
};

struct change {
	enum change_kind kind;
	const void *old;  /* null: it is new. Readable until the batch is dropped, no longer */
	const void *now;  /* null: it is gone. Readable until a later change has it as `old` */
	int64_t heard_us; /* CLOCK_MONOTONIC, when the source learned of it */
};

#endif
