/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delegation to the IPAM plugin named by ipam.type, found in CNI_PATH: it gets
 * our whole configuration on stdin and our environment. A plugin that does not
 * know the configuration's cniVersion (Debian's host-local ends at 1.0.0) gets
 * the newest version that it, we and the configuration have in common.
 *
 * Its codes below 100 are passed on. What it calls by a number of its own (100
 * and up, no addresses left among them) becomes CODE_TRY_LATER.
 */
#ifndef CNI_IPAM_H
#define CNI_IPAM_H

#include "cni/netconf.h"

/* For whom: an attachment that need not be the one in our environment (GC). */
struct ipam_request {
	const struct netconf *conf;
	const char *path; /* CNI_PATH */
	const char *container_id;
	const char *ifname;
	const char *netns; /* may be "" */
};

/* The answer as JSON; the caller deletes it. */
int ipam_add(const struct ipam_request *request, cJSON **ret_answer, struct failure *failure);
int ipam_del(const struct ipam_request *request, struct failure *failure);
int ipam_check(const struct ipam_request *request, struct failure *failure);
/* For plugins that know CNI 1.1; success without asking for those that do not. */
int ipam_status(const struct ipam_request *request, struct failure *failure);
int ipam_gc(const struct ipam_request *request, struct failure *failure);

#endif
