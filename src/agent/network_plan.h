/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network between nodes, as it should be: from the Node objects and the settings
 * to routes, tunnel rows and ranges. Pure but for one question, how a node's address
 * is reached. Every node of a cluster comes to the same answer about who has which
 * range, because names decide and not who came first.
 *
 * A node that cannot be part of it is left out with a reason, and the others are not:
 *   - no range of its own, or no address of the family that is needed;
 *   - a range that overlaps that of a node whose name is earlier, this node's own
 *     first; that holds a node's address; that is wider or narrower than pods need;
 *   - mode direct, and it is not on the link.
 */
#ifndef AGENT_NETWORK_PLAN_H
#define AGENT_NETWORK_PLAN_H

#include <stdbool.h>

#include "base/err.h"
#include "dataplane/link.h"
#include "dataplane/maps.h"
#include "policy/model.h"

enum network_mode { NETWORK_NONE, NETWORK_VXLAN, NETWORK_DIRECT };
const char *network_mode_name(enum network_mode mode);

struct network_settings {
	enum network_mode mode;
	uint32_t vni;
	bool masquerade;
	struct prefix *keep; /* nonMasqueradeCIDRs */
	size_t n_keep;
};
#define NETWORK_DEFAULT_PORT 4789
#define NETWORK_DEFAULT_VNI  1

struct network_peer {
	struct node *node; /* a copy */
	bool is_self;
	bool has_via;
	struct bh_addr via; /* where its pods are reached: the first address that is used */
	char why[160];	    /* why not, or why not all of it; empty: all is well */
};

struct network_plan {
	struct network_peer *peers; /* sorted by name */
	size_t n_peers;
	const struct network_peer *self;
	struct bh_addr local; /* vxlan: this node's outer address */
	struct prefix *own;   /* this node's ranges */
	size_t n_own;
	struct prefix *all; /* every range that counts, own ones too */
	size_t n_all;
	struct maps_range *ranges; /* one for each of `all` */
	struct link_route *routes; /* sorted by link_route_compare */
	int *codes;		   /* of each route, by link_routes_sync */
	size_t n_routes;
};

struct network_question {
	enum network_mode mode;
	const char *self; /* this node's name */
	struct node *const *nodes;
	size_t n_nodes;
	uint32_t tunnel; /* vxlan: interface of the tunnel */
	/* direct: as link_way_to() */
	int (*way_to)(void *data, const struct bh_addr *addr, struct link_way *ret_way, struct err *err);
	void *data;
};

/* -ENODATA: this node is not among them, or has no range or address; err says it. */
int network_plan_make(const struct network_question *question, struct network_plan *ret_plan,
		      struct err *err);
void network_plan_done(struct network_plan *plan);

/* The first address of a range: what the tunnel's interface has, on the node whose
 * range it is. IPAM gives it to no pod. */
struct bh_addr network_tunnel_addr(const struct prefix *range);

#endif
