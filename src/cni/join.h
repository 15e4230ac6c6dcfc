/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ADD under way. cmd_add.c holds the order of the steps; each step here can
 * be undone, also when it failed half-way or never ran.
 */
#ifndef CNI_JOIN_H
#define CNI_JOIN_H

#include "cni/attachment.h"
#include "cni/ipam.h"
#include "cni/result.h"
#include "dataplane/link.h"
#include "dataplane/maps.h"

struct join {
	const struct cni_env *env;
	const struct netconf *conf;
	struct attachment attachment;
	struct result result; /* IPAM's addresses and routes; prevResult's when chained */
	cJSON *ipam_answer;   /* owned; null when chained */
	cJSON *answer;	      /* owned; what goes to stdout */
	struct link_ns *host; /* owned */
	struct link_ns *pod;  /* owned */
	struct maps *maps;    /* owned */
	/* ifindex 0: not there yet */
	struct link_info host_link, pod_link;
	int netns;
	int lock;
	bool claimed, hooked, saved, announced;
};

bool join_has_v6(const struct join *join);
/* EUI-64 of the pod's MAC: what the kernel gives the pod's interface. */
struct bh_addr join_link_local(const struct join *join);
/* IPAM's gateway for an address, or the link-local one that stands for it. */
struct bh_addr join_gateway(const struct result_ip *ip);

/* wire.c: the veth pair of a standalone attachment. */
int wire_create(struct join *join, struct failure *failure);
int wire_configure(struct join *join, struct failure *failure); /* all but the host side's way in */
int wire_open(struct join *join, struct failure *failure);	/* host side up: packets flow from here on */
void wire_delete(struct join *join);

/* chain.c: the host side of an interface that a previous plugin made. */
int chain_find(struct join *join, struct failure *failure);

/* endpoint.c: the row in the kernel's table and the programs on the interface. */
int endpoint_claim(struct join *join, struct failure *failure);
void endpoint_release(struct join *join);
int endpoint_hook(struct join *join, struct failure *failure);
void endpoint_unhook(struct join *join);

#endif
