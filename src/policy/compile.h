/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the world wants: the subjects of each local endpoint and the signature of
 * each address, without regard to what the kernel holds now.
 */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/regions.h"
#include "policy/subject.h"
#include "policy/tables.h"

struct wanted_endpoint {
	uint32_t slot;
	uint32_t ifindex;
	uint32_t flags;		    /* within BH_EP_POLICY_FLAGS; without OPEN: closed */
	struct subject *subject[2]; /* by direction; null: not isolated */
	const struct pod *pod;	    /* null: not known, closed */
	const struct endpoint *source;
};

/* An address that live pods hold. */
struct claim {
	struct bh_addr addr;
	uint32_t signature; /* of what selectors and port names answer for it */
};

#define SIGNATURE_EMPTY 1 /* nothing answers: the first that compile() interns */

struct compiled {
	struct wanted_endpoint *endpoints; /* by slot */
	size_t n_endpoints;
	struct claim *claims; /* by address, once each */
	size_t n_claims;
	size_t cap_claims;
	struct pool signatures; /* arrays of answer_t, sorted */
};

/* The registries that outlive an update. */
struct compile_pools {
	struct pool *subjects;
	struct pool *matchers;
	struct port_lists *lists;
	uint64_t update;
};

/* 0, -ENOMEM, -ENOSPC, -EINVAL. compiled_done() in any case. */
int compile(const struct compile_pools *pools, const struct world *world, const struct endpoint *endpoints,
	    size_t n_endpoints, struct compiled *ret_compiled, struct err *err);
void compiled_done(struct compiled *compiled);

/* The signature of both together; 0: out of memory. */
uint32_t signature_join(struct pool *signatures, uint32_t a, uint32_t b);

#endif
