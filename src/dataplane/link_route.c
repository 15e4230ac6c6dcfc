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

static int row_fill(struct rtnl_route *row, const struct link_route *route, uint8_t proto)
{
	auto_nl_addr struct nl_addr *dst = link_nl_addr(&route->dst.addr, route->dst.len);

	if (!dst)
		return -NLE_NOMEM;
	rtnl_route_set_family(row, route->dst.is_v4 ? AF_INET : AF_INET6);
	rtnl_route_set_dst(row, dst);
	rtnl_route_set_table(row, route->table ?: RT_TABLE_MAIN);
	rtnl_route_set_protocol(row, proto);
	rtnl_route_set_scope(row, route->has_gateway || route->unreachable || !route->dst.is_v4
					  ? RT_SCOPE_UNIVERSE
					  : RT_SCOPE_LINK);
	if (route->priority)
		rtnl_route_set_priority(row, route->priority);
	if (route->mtu)
		rtnl_route_set_metric(row, RTAX_MTU, route->mtu);
	if (route->advmss)
		rtnl_route_set_metric(row, RTAX_ADVMSS, route->advmss);
	if (route->has_source) {
		auto_nl_addr struct nl_addr *source = link_nl_addr(&route->source, 128);

		if (!source || rtnl_route_set_pref_src(row, source) < 0)
			return -NLE_NOMEM;
	}
	if (route->unreachable)
		return rtnl_route_set_type(row, RTN_UNREACHABLE);
	return nexthop_fill(row, route);
}

static int route_fail(struct link_ns *ns, int nl_code, const char *verb, const struct link_route *route,
		      struct err *err)
{
	char text[ADDR_TEXT_MAX];

	prefix_format(&route->dst, text);
	return link_ns_fail(ns, nl_code, err, "%s route to %s over interface %u", verb, text, route->ifindex);
}

static int route_add(struct link_ns *ns, const struct link_route *route, uint8_t proto, struct err *err)
{
	cleanup(rtnl_route_auto) struct rtnl_route *row = rtnl_route_alloc();
	int r = row ? row_fill(row, route, proto) : -NLE_NOMEM;

	link_ns_reset(ns);
	if (r == 0)
		r = rtnl_route_add(ns->sock, row, NLM_F_CREATE | NLM_F_REPLACE);
	return r < 0 ? route_fail(ns, r, "add", route, err) : 0;
}

int link_route_add(struct link_ns *ns, const struct link_route *route, struct err *err)
{
	return route_add(ns, route, LINK_ROUTE_PROTO, err);
}

static int route_del(struct link_ns *ns, const struct link_route *route, uint8_t proto, struct err *err)
{
	cleanup(rtnl_route_auto) struct rtnl_route *row = rtnl_route_alloc();
	int r = row ? row_fill(row, route, proto) : -NLE_NOMEM;

	link_ns_reset(ns);
	if (r == 0)
		r = rtnl_route_delete(ns->sock, row, 0);
	if (r < 0 && (ns->kernel_errno == ESRCH || ns->kernel_errno == ENODEV))
		return 0;
	return r < 0 ? route_fail(ns, r, "delete", route, err) : 0;
}

int link_route_del(struct link_ns *ns, const struct link_route *route, struct err *err)
{
	return route_del(ns, route, LINK_ROUTE_PROTO, err);
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

/* --- routes of one protocol, as a set */

int link_route_compare(const void *a, const void *b)
{
	const struct link_route *x = a, *y = b;
	int order = addr_compare(&x->dst.addr, &y->dst.addr);

	return order ? order : (x->dst.len > y->dst.len) - (x->dst.len < y->dst.len);
}

static bool route_is_same(const struct link_route *a, const struct link_route *b)
{
	if (!prefix_equal(&a->dst, &b->dst) || a->unreachable != b->unreachable ||
	    a->has_source != b->has_source || (a->has_source && !addr_equal(&a->source, &b->source)))
		return false;
	if (a->unreachable)
		return true; /* of IPv6 these have an interface */
	return a->ifindex == b->ifindex && a->has_gateway == b->has_gateway &&
	       (!a->has_gateway || addr_equal(&a->gateway, &b->gateway));
}

struct route_list {
	uint8_t proto;
	struct link_route *v;
	size_t n, cap;
	bool failed;
};

static bool row_read(struct rtnl_route *row, struct link_route *ret)
{
	struct rtnl_nexthop *hop = rtnl_route_get_nnexthops(row) == 1 ? rtnl_route_nexthop_n(row, 0) : NULL;
	struct nl_addr *gateway = hop ? rtnl_route_nh_get_gateway(hop) : NULL;
	struct nl_addr *source = rtnl_route_get_pref_src(row);
	struct prefix via;

	*ret = (struct link_route){ .unreachable = rtnl_route_get_type(row) == RTN_UNREACHABLE,
				    .priority = rtnl_route_get_priority(row),
				    .ifindex = hop ? (uint32_t)rtnl_route_nh_get_ifindex(hop) : 0 };
	if (!link_prefix_of(rtnl_route_get_dst(row), &ret->dst))
		return false;
	if (gateway && link_prefix_of(gateway, &via)) {
		ret->has_gateway = true;
		ret->gateway = via.addr;
	}
	if (source && link_prefix_of(source, &via)) {
		ret->has_source = true;
		ret->source = via.addr;
	}
	return true;
}

static int on_route(struct nl_msg *msg, void *data)
{
	struct route_list *list = data;
	cleanup(rtnl_route_auto) struct rtnl_route *row = NULL;
	struct link_route *more;

	if (rtnl_route_parse(nlmsg_hdr(msg), &row) < 0 || rtnl_route_get_table(row) != RT_TABLE_MAIN ||
	    rtnl_route_get_protocol(row) != list->proto)
		return NL_OK;
	if (list->n == list->cap) {
		more = reallocarray(list->v, list->cap ? list->cap * 2 : 64, sizeof(*more));
		if (!more) {
			list->failed = true;
			return NL_OK;
		}
		list->v = more;
		list->cap = list->cap ? list->cap * 2 : 64;
	}
	list->n += row_read(row, &list->v[list->n]);
	return NL_OK;
}

/* The kernel passes over routes of other protocols by itself where it can: a node
 * may have a million of them. */
static int routes_dump(struct link_ns *ns, int family, struct route_list *list, struct err *err)
{
	struct rtmsg head = { .rtm_family = (unsigned char)family, .rtm_protocol = list->proto };
	struct nl_cb *of_socket = nl_socket_get_cb(ns->sock);
	struct nl_cb *cb = nl_cb_clone(of_socket);
	int on = 1, off = 0, r;

	nl_cb_put(of_socket); /* the getter counts us in */
	if (!cb)
		return err_set(err, ENOMEM, "list of routes");
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_route, list);
	(void)setsockopt(nl_socket_get_fd(ns->sock), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	link_ns_reset(ns);
	r = nl_send_simple(ns->sock, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head));
	if (r >= 0)
		r = nl_recvmsgs(ns->sock, cb);
	(void)setsockopt(nl_socket_get_fd(ns->sock), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &off, sizeof(off));
	nl_cb_put(cb);
	if (list->failed)
		return err_set(err, ENOMEM, "list of routes");
	/* A kernel without a route of this protocol, or without this family. */
	if (r < 0 && (ns->kernel_errno == ENOENT || ns->kernel_errno == EOPNOTSUPP ||
		      ns->kernel_errno == EAFNOSUPPORT))
		return 0;
	return r < 0 ? link_ns_fail(ns, r, err, "list of routes") : 0;
}

/* Both families, sorted. */
static int routes_read(struct link_ns *ns, struct route_list *list, struct err *err)
{
	int r = routes_dump(ns, AF_INET, list, err);

	if (r == 0)
		r = routes_dump(ns, AF_INET6, list, err);
	if (r == 0 && list->n)
		qsort(list->v, list->n, sizeof(*list->v), link_route_compare);
	return r;
}

static bool route_is_wanted(const struct link_route *route, const struct link_route *wanted, size_t n)
{
	const struct link_route *found =
		n ? bsearch(route, wanted, n, sizeof(*wanted), link_route_compare) : NULL;

	return found && route_is_same(found, route);
}

/* Of an interface: the kernel says when it is over. */
static bool is_passing(int code)
{
	return code == 0 || code == -ENETDOWN || code == -ENODEV;
}

/* Adds those that are missing. Returns how many, or the first error that lasts, or one
 * that does not. */
static int routes_complete(struct link_ns *ns, const struct route_list *have, const struct link_route *wanted,
			   size_t n, int *codes, struct err *err)
{
	int changed = 0, first = 0;

	for (size_t i = 0; i < n; i++) {
		codes[i] = 0;
		if (route_is_wanted(&wanted[i], have->v, have->n))
			continue;
		codes[i] = route_add(ns, &wanted[i], have->proto, is_passing(first) ? err : NULL);
		changed += codes[i] == 0;
		if (codes[i] < 0 && is_passing(first))
			first = codes[i];
	}
	return first ? first : changed;
}

/* Missing ones first: a range that goes to another node is never without a route. */
static int routes_fix(struct link_ns *ns, struct route_list *have, const struct link_route *wanted, size_t n,
		      int *codes, struct err *err)
{
	int added = routes_complete(ns, have, wanted, n, codes, err), gone = 0;
	int first = added < 0 ? added : 0;

	for (size_t i = 0; i < have->n; i++) {
		int r;

		if (n && bsearch(&have->v[i], wanted, n, sizeof(*wanted), link_route_compare))
			continue; /* wanted, or replaced just now */
		r = route_del(ns, &have->v[i], have->proto, first ? NULL : err);
		gone += r == 0;
		first = first ? first : r;
	}
	return first ? first : added + gone;
}

int link_routes_sync(struct link_ns *ns, const struct link_route *wanted, size_t n, int *codes,
		     struct err *err)
{
	struct route_list have = { .proto = LINK_ROUTE_PROTO_NODE };
	int r = routes_read(ns, &have, err);

	if (r == 0)
		r = routes_fix(ns, &have, wanted, n, codes, err);
	free(have.v);
	return r;
}

int link_routes_keep(struct link_ns *ns, const struct link_route *wanted, size_t n, int *codes,
		     struct err *err)
{
	struct route_list have = { .proto = LINK_ROUTE_PROTO };
	int r = routes_read(ns, &have, err);

	if (r == 0)
		r = routes_complete(ns, &have, wanted, n, codes, err);
	free(have.v);
	return r;
}

int link_way_to(struct link_ns *ns, const struct bh_addr *addr, struct link_way *ret_way, struct err *err)
{
	auto_nl_addr struct nl_addr *dst = link_nl_addr(addr, 128);
	cleanup(rtnl_route_auto) struct rtnl_route *row = NULL;
	struct rtnl_nexthop *hop;
	struct nl_addr *gateway;
	char text[ADDR_TEXT_MAX];
	struct prefix via;
	int r;

	if (!dst)
		return err_set(err, ENOMEM, "route lookup");
	addr_format(addr, text);
	link_ns_reset(ns);
	r = rtnl_route_lookup(ns->sock, dst, &row);
	if (r < 0)
		return link_ns_fail(ns, r, err, "way to %s", text);
	hop = rtnl_route_get_nnexthops(row) >= 1 ? rtnl_route_nexthop_n(row, 0) : NULL;
	*ret_way = (struct link_way){ .ifindex = hop ? (uint32_t)rtnl_route_nh_get_ifindex(hop) : 0 };
	if (!hop || rtnl_route_get_type(row) != RTN_UNICAST)
		return err_set(err, ENETUNREACH, "way to %s: none", text);
	gateway = rtnl_route_nh_get_gateway(hop);
	if (gateway && link_prefix_of(gateway, &via)) {
		ret_way->has_gateway = true;
		ret_way->gateway = via.addr;
	}
	return 0;
}
