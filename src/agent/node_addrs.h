/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own addresses (R16): read through dataplane/link, again whenever the
 * kernel says that addresses changed. */
#ifndef AGENT_NODE_ADDRS_H
#define AGENT_NODE_ADDRS_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "dataplane/link.h"
#include "dataplane/maps.h"

struct node_addrs {
	struct bh_addr *addrs; /* sorted, unique */
	size_t n_addrs;
	struct link_ns *ns;
	int fd; /* rtnetlink, readable when addresses changed; -1: none */
};

int node_addrs_init(struct node_addrs *node, struct err *err);
void node_addrs_done(struct node_addrs *node);
void node_addrs_drain(struct node_addrs *node);

/* Reads the addresses and, when they differ from the last time, puts them into
 * bh_locals. 1: changed, 0: the same. */
int node_addrs_refresh(struct node_addrs *node, struct maps *maps, struct err *err);
bool node_addrs_has(const struct node_addrs *node, const struct bh_addr *addr);

#endif
