/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the world wants: the subjects of each local endpoint and the answers of each
 * address, without regard to what the kernel holds now. It is kept between updates
 * and follows the world change by change; what a change touches becomes dirty, and
 * only that is looked at again.
 *
 * Only policies that select a local endpoint's pod are compiled; every live pod of
 * the cluster is a peer. A pod is live when it is neither on the host's network (R10)
 * nor finished (R22).
 */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/profile.h"
#include "policy/subject.h"
#include "policy/tables.h"

/* A local endpoint and what it wants. */
struct local {
	struct endpoint endpoint; /* its strings are ours */
	const struct pod *told;	  /* as it was told; followed through its changes */
	const struct pod *pod;	  /* the same if it is live, else null: closed */
	struct scope *scope;
	struct profile *profile;    /* of a live pod */
	uint32_t flags;		    /* within BH_EP_POLICY_FLAGS; without OPEN: closed */
	struct subject *subject[2]; /* by direction; null: not isolated */
	bool dirty;
	bool refused; /* what it wants does not fit: closed */
};

struct compile {
	struct matchers matchers;
	struct signatures signatures;
	struct port_lists lists;
	struct subjects subjects;
	struct addrset addrs;
	struct profiles profiles;
	struct local **locals; /* by slot, BH_ENDPOINTS_MAX */
	size_t n_dirty;	       /* of them */
	uint64_t round;	       /* of compiling them */
	size_t n_refused;
	struct err refusal;		      /* of the last that was */
	const struct posture_config *posture; /* the caller's */
	struct peer dns_peer, everybody;
	bool blocks_changed; /* regions are not what is wanted */
	bool locals_changed; /* what endpoints want is not what they have */
	bool stale;	     /* out of memory while a change was taken in */
};

int compile_init(struct compile *compile); /* 0 or -ENOMEM */
void compile_done(struct compile *compile);

/* The changes of tables.h. */
void compile_posture(struct compile *compile, const struct posture_config *posture);
void compile_pod(struct compile *compile, const struct pod *old, const struct pod *now);
void compile_namespace(struct compile *compile, const struct namespace *old, const struct namespace *now);
void compile_netpol(struct compile *compile, const struct netpol *old, const struct netpol *now);
void compile_endpoint(struct compile *compile, const struct endpoint *endpoint, const struct pod *pod);
void compile_endpoint_gone(struct compile *compile, uint32_t slot);

/* Compiles the dirty endpoints and asks what is asked now. 0, -ENOMEM (try again, or
 * stale). What cannot be compiled for want of room closes its endpoint. */
int compile_settle(struct compile *compile, struct err *err);
/* Closes the endpoints whose subjects are not in the kernel yet: they do not fit.
 * How many? */
size_t compile_refuse(struct compile *compile, const struct err *why);
/* There may be room again. */
void compile_retry(struct compile *compile);

#endif
