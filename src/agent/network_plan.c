// SPDX-License-Identifier: Apache-2.0
#include "agent/network_plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define RANGE_MIN_V4 (96 + 8)
#define RANGE_MAX_V4 (96 + 30)
#define RANGE_MIN_V6 16
#define RANGE_MAX_V6 126
/* Last among routes to a range: whoever serves it (a bridge, a pod's own route) goes
 * before. */
#define UNREACHABLE_PRIORITY 8192

const char *network_mode_name(enum network_mode mode)
{
	static const char *const names[] = {
		[NETWORK_NONE] = "none", [NETWORK_VXLAN] = "vxlan", [NETWORK_DIRECT] = "direct"
	};

	return names[mode];
}

struct bh_addr network_tunnel_addr(const struct prefix *range)
{
	return range->addr;
}

/* The first reason counts. */
static void __attribute__((format(printf, 2, 3))) peer_refuse(struct network_peer *peer, const char *fmt, ...)
{
	va_list args;

	if (peer->why[0])
		return;
	va_start(args, fmt);
	vsnprintf(peer->why, sizeof(peer->why), fmt, args);
	va_end(args);
}

/* --- the nodes, by name */

static struct node *node_copy(const struct node *from)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->name = strdup(from->name);
	node->addrs = calloc(from->n_addrs + 1, sizeof(*node->addrs));
	node->pod_ranges = calloc(from->n_pod_ranges + 1, sizeof(*node->pod_ranges));
	if (!node->name || !node->addrs || !node->pod_ranges)
		return node_free(node);
	if (from->n_addrs)
		memcpy(node->addrs, from->addrs, from->n_addrs * sizeof(*node->addrs));
	if (from->n_pod_ranges)
		memcpy(node->pod_ranges, from->pod_ranges, from->n_pod_ranges * sizeof(*node->pod_ranges));
	node->n_addrs = from->n_addrs;
	node->n_internal = from->n_internal;
	node->n_pod_ranges = from->n_pod_ranges;
	return node;
}

static int peer_compare(const void *a, const void *b)
{
	const struct network_peer *x = a, *y = b;

	return strcmp(x->node->name, y->node->name);
}

static int peers_fill(const struct network_question *question, struct network_plan *plan, struct err *err)
{
	plan->peers = calloc(question->n_nodes + 1, sizeof(*plan->peers));
	if (!plan->peers)
		return err_set(err, ENOMEM, "nodes");
	for (size_t i = 0; i < question->n_nodes; i++) {
		struct network_peer *peer = &plan->peers[plan->n_peers];

		peer->node = node_copy(question->nodes[i]);
		if (!peer->node)
			return err_set(err, ENOMEM, "nodes");
		peer->is_self = strcmp(peer->node->name, question->self) == 0;
		plan->n_peers++;
	}
	qsort(plan->peers, plan->n_peers, sizeof(*plan->peers), peer_compare);
	for (size_t i = 0; i < plan->n_peers; i++)
		if (plan->peers[i].is_self)
			plan->self = &plan->peers[i];
	return 0;
}

static const struct bh_addr *node_addr(const struct node *node, bool is_v4)
{
	for (size_t i = 0; i < node->n_internal; i++)
		if (addr_is_v4(&node->addrs[i]) == is_v4)
			return &node->addrs[i];
	return NULL;
}

static int self_check(const struct network_question *question, const struct network_plan *plan,
		      struct err *err)
{
	const struct network_peer *self = plan->self;

	if (!self)
		return err_set(err, ENODATA, "no Node object is called %s: is nodeName right?",
			       question->self);
	if (self->node->n_pod_ranges == 0)
		return err_set(err, ENODATA, "node %s: spec.podCIDRs is empty", question->self);
	if (self->node->n_internal == 0)
		return err_set(err, ENODATA, "node %s: status.addresses has no InternalIP", question->self);
	return 0;
}

/* --- the ranges: whose, and which count */

struct claim {
	struct prefix range;
	struct network_peer *peer;
	bool refused;
};

struct claims {
	struct claim *v; /* by family, address, length: an outer range before what is in it */
	size_t n;
};

static int claim_compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = (int)y->range.is_v4 - (int)x->range.is_v4;

	if (!order)
		order = addr_compare(&x->range.addr, &y->range.addr);
	return order ? order : (x->range.len > y->range.len) - (x->range.len < y->range.len);
}

static bool len_is_usable(const struct prefix *range)
{
	return range->is_v4 ? range->len >= RANGE_MIN_V4 && range->len <= RANGE_MAX_V4
			    : range->len >= RANGE_MIN_V6 && range->len <= RANGE_MAX_V6;
}

static int claims_fill(struct network_plan *plan, struct claims *claims, struct err *err)
{
	size_t n = 1;

	for (size_t i = 0; i < plan->n_peers; i++)
		n += plan->peers[i].node->n_pod_ranges;
	claims->v = calloc(n, sizeof(*claims->v));
	if (!claims->v)
		return err_set(err, ENOMEM, "pod ranges");
	for (size_t i = 0; i < plan->n_peers; i++) {
		struct network_peer *peer = &plan->peers[i];

		if (peer->node->n_pod_ranges == 0)
			peer_refuse(peer, "has no pod range (spec.podCIDRs)");
		for (size_t j = 0; j < peer->node->n_pod_ranges; j++)
			claims->v[claims->n++] = (struct claim){ peer->node->pod_ranges[j], peer, false };
	}
	if (claims->n)
		qsort(claims->v, claims->n, sizeof(*claims->v), claim_compare);
	return 0;
}

static void claim_refuse(struct claim *claim, const char *what, const char *whose)
{
	char text[ADDR_TEXT_MAX];

	claim->refused = true;
	prefix_format(&claim->range, text);
	peer_refuse(claim->peer, "range %s %s%s", text, what, whose);
}

static bool claim_goes_before(const struct claim *a, const struct claim *b)
{
	if (a->peer->is_self != b->peer->is_self)
		return a->peer->is_self;
	return strcmp(a->peer->node->name, b->peer->node->name) < 0;
}

/* Ranges nest or are disjoint, so in this order what overlaps is next to it. */
static void overlaps_refuse(struct claims *claims)
{
	struct claim *cover = NULL;

	for (size_t i = 0; i < claims->n; i++) {
		struct claim *claim = &claims->v[i];

		if (!len_is_usable(&claim->range)) {
			claim_refuse(claim,
				     claim->range.is_v4 ? "is not within /8 to /30"
							: "is not within /16 to /126",
				     "");
			continue;
		}
		if (!cover || !prefix_covers(&cover->range, &claim->range)) {
			cover = claim;
		} else if (cover->peer == claim->peer || claim_goes_before(cover, claim)) {
			claim_refuse(claim, "overlaps that of node ", cover->peer->node->name);
		} else {
			claim_refuse(cover, "overlaps that of node ", claim->peer->node->name);
			cover = claim;
		}
	}
}

/* The claim that holds `addr` among those that count: they are disjoint, so it is the
 * last one that does not begin behind it. */
static struct claim *claim_of(const struct claims *claims, const struct bh_addr *addr)
{
	const struct claim key = { .range = { *addr, 128, addr_is_v4(addr) } };
	size_t low = 0, high = claims->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (claim_compare(&claims->v[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0 && claims->v[low - 1].refused)
		low--;
	return low > 0 && prefix_contains(&claims->v[low - 1].range, addr) ? &claims->v[low - 1] : NULL;
}

static void node_addrs_refuse(struct network_plan *plan, struct claims *claims)
{
	for (size_t i = 0; i < plan->n_peers; i++) {
		const struct node *node = plan->peers[i].node;

		for (size_t j = 0; j < node->n_addrs; j++) {
			struct claim *claim = claim_of(claims, &node->addrs[j]);

			if (claim)
				claim_refuse(claim, "holds an address of node ", node->name);
		}
	}
}

/* --- routes */

static const struct prefix *own_of_family(const struct network_plan *plan, bool is_v4)
{
	for (size_t i = 0; i < plan->n_own; i++)
		if (plan->own[i].is_v4 == is_v4)
			return &plan->own[i];
	return NULL;
}

/* By way of the tunnel's address of that node: one neighbour for all of its pods. */
static bool route_vxlan(const struct network_question *question, const struct network_plan *plan,
			struct claim *claim, struct link_route *route)
{
	const struct bh_addr *node = node_addr(claim->peer->node, addr_is_v4(&plan->local));
	const struct prefix *own = own_of_family(plan, claim->range.is_v4);
	const char *family = addr_is_v4(&plan->local) ? "IPv4" : "IPv6";

	if (!node) {
		peer_refuse(claim->peer, "has no %s InternalIP, which the tunnel uses here", family);
		return false;
	}
	if (!own) {
		peer_refuse(claim->peer, "has %s pods, this node has none",
			    claim->range.is_v4 ? "IPv4" : "IPv6");
		return false;
	}
	*route = (struct link_route){ .dst = claim->range,
				      .has_gateway = true,
				      .gateway = network_tunnel_addr(&claim->range),
				      .ifindex = question->tunnel,
				      .onlink = true,
				      .has_source = true,
				      .source = network_tunnel_addr(own) };
	claim->peer->via = *node;
	return true;
}

static bool route_direct(const struct network_question *question, struct claim *claim,
			 struct link_route *route)
{
	const struct bh_addr *node = node_addr(claim->peer->node, claim->range.is_v4);
	struct link_way way = { 0 };
	char text[ADDR_TEXT_MAX], gateway[ADDR_TEXT_MAX];
	struct err err = { 0 };

	if (!node) {
		prefix_format(&claim->range, text);
		peer_refuse(claim->peer, "has no %s InternalIP for its range %s",
			    claim->range.is_v4 ? "IPv4" : "IPv6", text);
		return false;
	}
	addr_format(node, text);
	if (question->way_to(question->data, node, &way, &err) < 0) {
		peer_refuse(claim->peer, "cannot be reached: %s", err.msg);
		return false;
	}
	if (way.has_gateway) {
		addr_format(&way.gateway, gateway);
		peer_refuse(claim->peer, "%s is behind %s and not on the link, which mode direct needs", text,
			    gateway);
		return false;
	}
	*route = (struct link_route){
		.dst = claim->range, .has_gateway = true, .gateway = *node, .ifindex = way.ifindex
	};
	claim->peer->via = *node;
	return true;
}

static void range_keep(struct network_plan *plan, const struct prefix *range, const struct bh_addr *node)
{
	struct maps_range *row = &plan->ranges[plan->n_all];

	plan->all[plan->n_all++] = *range;
	*row = (struct maps_range){ .key = { .len = range->len, .addr = range->addr } };
	if (node)
		row->range.node = *node;
}

static void own_ranges_keep(struct network_plan *plan, const struct claims *claims)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct claim *claim = &claims->v[i];

		if (claim->refused || !claim->peer->is_self)
			continue;
		plan->own[plan->n_own++] = claim->range;
		range_keep(plan, &claim->range, NULL);
		plan->routes[plan->n_routes++] = (struct link_route){ .dst = claim->range,
								      .unreachable = true,
								      .priority = UNREACHABLE_PRIORITY };
	}
}

static void others_keep(const struct network_question *question, struct network_plan *plan,
			const struct claims *claims)
{
	for (size_t i = 0; i < claims->n; i++) {
		struct claim *claim = &claims->v[i];
		struct link_route *route = &plan->routes[plan->n_routes];
		bool good;

		if (claim->refused || claim->peer->is_self)
			continue;
		good = question->mode == NETWORK_VXLAN ? route_vxlan(question, plan, claim, route)
						       : route_direct(question, claim, route);
		if (!good)
			continue;
		claim->peer->has_via = true;
		plan->n_routes++;
		range_keep(plan, &claim->range, &claim->peer->via);
	}
}

static int plan_fill(const struct network_question *question, struct network_plan *plan,
		     const struct claims *claims, struct err *err)
{
	plan->own = calloc(claims->n + 1, sizeof(*plan->own));
	plan->all = calloc(claims->n + 1, sizeof(*plan->all));
	plan->ranges = calloc(claims->n + 1, sizeof(*plan->ranges));
	plan->routes = calloc(claims->n + 1, sizeof(*plan->routes));
	plan->codes = calloc(claims->n + 1, sizeof(*plan->codes));
	if (!plan->own || !plan->all || !plan->ranges || !plan->routes || !plan->codes)
		return err_set(err, ENOMEM, "network between nodes");
	own_ranges_keep(plan, claims);
	if (plan->n_own == 0)
		return err_set(err, ENODATA, "node %s: %s", question->self, plan->self->why);
	others_keep(question, plan, claims);
	qsort(plan->routes, plan->n_routes, sizeof(*plan->routes), link_route_compare);
	return 0;
}

int network_plan_make(const struct network_question *question, struct network_plan *ret_plan, struct err *err)
{
	cleanup(network_plan_done) struct network_plan plan = { 0 };
	struct claims claims = { 0 };
	int r = peers_fill(question, &plan, err);

	if (r == 0)
		r = self_check(question, &plan, err);
	if (r == 0)
		r = claims_fill(&plan, &claims, err);
	if (r == 0) {
		plan.local = plan.self->node->addrs[0];
		overlaps_refuse(&claims);
		node_addrs_refuse(&plan, &claims);
		r = plan_fill(question, &plan, &claims, err);
	}
	free(claims.v);
	if (r < 0)
		return r;
	*ret_plan = plan;
	plan = (struct network_plan){ 0 };
	return 0;
}

void network_plan_done(struct network_plan *plan)
{
	for (size_t i = 0; i < plan->n_peers; i++)
		node_free(plan->peers[i].node);
	free(plan->peers);
	free(plan->own);
	free(plan->all);
	free(plan->ranges);
	free(plan->routes);
	free(plan->codes);
	*plan = (struct network_plan){ 0 };
}
