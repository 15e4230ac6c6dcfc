// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "dataplane/link_ns.h"

static void rtnl_route_auto(struct rtnl_route **route)
{
	if (*route)
		rtnl_route_put(*route);
}

static int nexthop_fill(struct rtnl_route *row, const struct link_route *route)
{
	auto_nl_addr struct nl_addr *gateway = link_nl_addr(&route->gateway, 128);
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

	if (!gateway || !hop) {
		rtnl_route_nh_free(hop);
		return -NLE_NOMEM;
	}
	rtnl_route_nh_set_ifindex(hop, (int)route->ifindex);
	if (route->has_gateway)
		rtnl_route_nh_set_gateway(hop, gateway);
	if (route->onlink)
		rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
	rtnl_route_add_nexthop(row, hop); /* takes the next hop over */
	return 0;
}

static int row_fill(struct rtnl_route *row, const struct link_route *route)
{
	auto_nl_addr struct nl_addr *dst = link_nl_addr(&route->dst.addr, route->dst.len);

	if (!dst)
		return -NLE_NOMEM;
	rtnl_route_set_family(row, route->dst.is_v4 ? AF_INET : AF_INET6);
	rtnl_route_set_dst(row, dst);
	rtnl_route_set_table(row, route->table ?: RT_TABLE_MAIN);
	rtnl_route_set_protocol(row, LINK_ROUTE_PROTO);
	rtnl_route_set_scope(row,
			     route->has_gateway || !route->dst.is_v4 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
	if (route->priority)
		rtnl_route_set_priority(row, route->priority);
	if (route->mtu)
		rtnl_route_set_metric(row, RTAX_MTU, route->mtu);
	if (route->advmss)
		rtnl_route_set_metric(row, RTAX_ADVMSS, route->advmss);
	return nexthop_fill(row, route);
}

static int route_fail(struct link_ns *ns, int nl_code, const char *verb, const struct link_route *route,
		      struct err *err)
{
	char text[ADDR_TEXT_MAX];

	prefix_format(&route->dst, text);
	return link_ns_fail(ns, nl_code, err, "%s route to %s over interface %u", verb, text, route->ifindex);
}

int link_route_add(struct link_ns *ns, const struct link_route *route, struct err *err)
{
	cleanup(rtnl_route_auto) struct rtnl_route *row = rtnl_route_alloc();
	int r = row ? row_fill(row, route) : -NLE_NOMEM;

	link_ns_reset(ns);
	if (r == 0)
		r = rtnl_route_add(ns->sock, row, NLM_F_CREATE | NLM_F_REPLACE);
	return r < 0 ? route_fail(ns, r, "add", route, err) : 0;
}

int link_route_del(struct link_ns *ns, const struct link_route *route, struct err *err)
{
	cleanup(rtnl_route_auto) struct rtnl_route *row = rtnl_route_alloc();
	int r = row ? row_fill(row, route) : -NLE_NOMEM;

	link_ns_reset(ns);
	if (r == 0)
		r = rtnl_route_delete(ns->sock, row, 0);
	if (r < 0 && (ns->kernel_errno == ESRCH || ns->kernel_errno == ENODEV))
		return 0;
	return r < 0 ? route_fail(ns, r, "delete", route, err) : 0;
}

static bool row_matches(struct rtnl_route *row, const struct link_route *route)
{
	struct rtnl_nexthop *hop = rtnl_route_get_nnexthops(row) == 1 ? rtnl_route_nexthop_n(row, 0) : NULL;
	struct nl_addr *gateway = hop ? rtnl_route_nh_get_gateway(hop) : NULL;
	struct prefix dst, via;

	if (!hop || rtnl_route_get_table(row) != (route->table ?: RT_TABLE_MAIN))
		return false;
	if (!link_prefix_of(rtnl_route_get_dst(row), &dst) || dst.is_v4 != route->dst.is_v4 ||
	    dst.len != route->dst.len || !addr_equal(&dst.addr, &route->dst.addr))
		return false;
	if ((uint32_t)rtnl_route_nh_get_ifindex(hop) != route->ifindex || !!gateway != route->has_gateway)
		return false;
	return !gateway || (link_prefix_of(gateway, &via) && addr_equal(&via.addr, &route->gateway));
}

int link_route_exists(struct link_ns *ns, const struct link_route *route, struct err *err)
{
	auto_nl_cache struct nl_cache *cache = NULL;
	int r;

	link_ns_reset(ns);
	r = rtnl_route_alloc_cache(ns->sock, route->dst.is_v4 ? AF_INET : AF_INET6, 0, &cache);
	if (r < 0)
		return route_fail(ns, r, "look for", route, err);
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		if (row_matches((struct rtnl_route *)o, route))
			return 1;
	}
	return 0;
}
