/* SPDX-License-Identifier: Apache-2.0 */
/* A world in order: by name, found by halving. The order makes the compiler's
 * output the same for any permutation of its input. */
#ifndef POLICY_WORLDINDEX_H
#define POLICY_WORLDINDEX_H

#include "policy/model.h"

struct worldindex {
	const struct pod **pods; /* by namespace, name, uid */
	size_t n_pods;
	const struct namespace **namespaces; /* by name */
	size_t n_namespaces;
	const struct netpol **netpols; /* by namespace, name */
	size_t n_netpols;
};

/* 0 or -ENOMEM. Points into the world. */
int worldindex_init(struct worldindex *index, const struct world *world);
void worldindex_done(struct worldindex *index);

const struct namespace *worldindex_namespace(const struct worldindex *index, const char *name);

/* The pod of that name; with a uid, the one whose uid is the same or not known. */
const struct pod *worldindex_pod(const struct worldindex *index, const char *namespace, const char *name,
				 const char *uid);

/* First policy of a namespace; the others follow. Returns their number. */
size_t worldindex_netpols(const struct worldindex *index, const char *namespace,
			  const struct netpol *const **ret_first);

#endif
