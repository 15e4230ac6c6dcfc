/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own addresses (R16): read through dataplane/link, again whenever the
 * kernel says that addresses changed. */
#ifndef AGENT_NODE_H
#define AGENT_NODE_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "dataplane/link.h"
#include "dataplane/maps.h"

struct node {
	struct bh_addr *addrs; /* sorted, unique */
	size_t n_addrs;
	struct link_ns *ns;
	int fd; /* rtnetlink, readable when addresses changed; -1: none */
};

int node_init(struct node *node, struct err *err);
void node_done(struct node *node);
void node_drain(struct node *node);

/* Reads the addresses and, when they differ from the last time, puts them into
 * bh_locals. 1: changed, 0: the same. */
int node_refresh(struct node *node, struct maps *maps, struct err *err);
bool node_has(const struct node *node, const struct bh_addr *addr);

#endif
