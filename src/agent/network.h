/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network between nodes, kept as network_plan.h says it should be: the tunnel's
 * device with its programs, routes, the ranges that the programs know, masquerade.
 * All of it outlives the daemon and is taken over as it stands. What somebody else
 * changes is put back at the next network_sync(), which is due whenever a monitor
 * has something (F20).
 */
#ifndef AGENT_NETWORK_H
#define AGENT_NETWORK_H

#include <stdbool.h>

#include "agent/attachments.h"
#include "agent/config.h"
#include "agent/network_plan.h"
#include "base/err.h"
#include "dataplane/link.h"
#include "dataplane/maps.h"
#include "dataplane/nft.h"

#define NETWORK_TUNNEL "bh_vxlan"

struct network {
	const struct config *config; /* not ours */
	struct link_ns *ns;
	struct nft *nft;
	int link_fd, nft_fd; /* readable when something changed; nft_fd -1: mode none */
	bool is_up;	     /* has been brought into the kernel whole */
	uint32_t tunnel;     /* interface of the tunnel; 0: none */
	uint32_t guarded;    /* interface that this daemon put its programs on */
	uint32_t mtu;	     /* of pods */
	struct network_plan plan;
};

/* Mode none: whatever an earlier mode has left goes, and only routes to pods are kept. */
int network_init(struct network *network, const struct config *config, struct err *err);
void network_done(struct network *network);
void network_drain(struct network *network);

/* Brings the kernel to what these nodes ask for; costs little when it is so already.
 * 1: something changed, 0: nothing did. On an error what could be done is done,
 * without the objects it needs nothing is touched. */
int network_sync(struct network *network, struct maps *maps, struct node *const *nodes, size_t n_nodes,
		 struct err *err);

/* Puts back what is missing of the routes to this node's pods, in every mode. How many
 * there were, or negative; -ENETDOWN and -ENODEV pass, and a change will say so. */
int network_pods_keep(struct network *network, const struct attachments *pods, struct err *err);

/* Do the tunnel's programs stand where they should? True also without a tunnel. */
bool network_is_whole(const struct network *network);

/* What only the install step may do where the daemon's /proc/sys is read-only: lets
 * the node forward. */
int network_prepare(const struct config *config, struct err *err);

/* Removes device, routes and table: for uninstall. Goes on after an error. */
int network_remove(struct network *network, struct err *err);

#endif
