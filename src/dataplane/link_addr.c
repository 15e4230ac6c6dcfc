// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>

#include "dataplane/link_ns.h"

static void rtnl_addr_auto(struct rtnl_addr **addr)
{
	if (*addr)
		rtnl_addr_put(*addr);
}

static void rtnl_neigh_auto(struct rtnl_neigh **neigh)
{
	if (*neigh)
		rtnl_neigh_put(*neigh);
}

int link_addr_add(struct link_ns *ns, uint32_t ifindex, const struct bh_addr *addr, uint8_t len,
		  struct err *err)
{
	auto_nl_addr struct nl_addr *local = link_nl_addr(addr, len);
	cleanup(rtnl_addr_auto) struct rtnl_addr *row = rtnl_addr_alloc();
	char text[ADDR_TEXT_MAX];
	int r;

	if (!local || !row)
		return err_set(err, ENOMEM, "address on interface %u: out of memory", ifindex);
	rtnl_addr_set_ifindex(row, (int)ifindex);
	rtnl_addr_set_local(row, local);
	if (!addr_is_v4(addr))
		rtnl_addr_set_flags(row, IFA_F_NODAD);
	link_ns_reset(ns);
	r = rtnl_addr_add(ns->sock, row, NLM_F_CREATE | NLM_F_REPLACE);
	addr_format(addr, text);
	return r < 0 ? link_ns_fail(ns, r, err, "add address %s to interface %u", text, ifindex) : 0;
}

int link_addr_del(struct link_ns *ns, uint32_t ifindex, const struct bh_addr *addr, uint8_t len,
		  struct err *err)
{
	auto_nl_addr struct nl_addr *local = link_nl_addr(addr, len);
	cleanup(rtnl_addr_auto) struct rtnl_addr *row = rtnl_addr_alloc();
	char text[ADDR_TEXT_MAX];
	int r;

	if (!local || !row)
		return err_set(err, ENOMEM, "address on interface %u: out of memory", ifindex);
	rtnl_addr_set_ifindex(row, (int)ifindex);
	rtnl_addr_set_local(row, local);
	link_ns_reset(ns);
	r = rtnl_addr_delete(ns->sock, row, 0);
	if (r < 0 && (ns->kernel_errno == EADDRNOTAVAIL || ns->kernel_errno == ENODEV))
		return 0;
	addr_format(addr, text);
	return r < 0 ? link_ns_fail(ns, r, err, "remove address %s from interface %u", text, ifindex) : 0;
}

int link_addrs(struct link_ns *ns, uint32_t ifindex, struct prefix **ret_addrs, size_t *ret_n,
	       struct err *err)
{
	auto_nl_cache struct nl_cache *cache = NULL;
	struct prefix *addrs;
	size_t n = 0;
	int r;

	link_ns_reset(ns);
	r = rtnl_addr_alloc_cache(ns->sock, &cache);
	if (r < 0)
		return link_ns_fail(ns, r, err, "list of addresses");
	addrs = calloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*addrs));
	if (!addrs)
		return err_set(err, ENOMEM, "list of addresses: out of memory");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *row = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(row);

		if (ifindex && (uint32_t)rtnl_addr_get_ifindex(row) != ifindex)
			continue;
		if (local && link_prefix_of(local, &addrs[n]))
			n++;
	}
	*ret_addrs = addrs;
	*ret_n = n;
	return 0;
}

int link_find_addr(struct link_ns *ns, const struct bh_addr *addr, struct link_info *ret_info,
		   struct err *err)
{
	auto_nl_cache struct nl_cache *cache = NULL;
	char text[ADDR_TEXT_MAX];
	int r;

	addr_format(addr, text);
	link_ns_reset(ns);
	r = rtnl_addr_alloc_cache(ns->sock, &cache);
	if (r < 0)
		return link_ns_fail(ns, r, err, "list of addresses");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *row = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(row);
		struct prefix found;

		if (local && link_prefix_of(local, &found) && addr_equal(&found.addr, addr))
			return link_find_index(ns, (uint32_t)rtnl_addr_get_ifindex(row), ret_info, err);
	}
	return err_set(err, EADDRNOTAVAIL, "no interface here has the address %s", text);
}

int link_neigh_add(struct link_ns *ns, uint32_t ifindex, const struct bh_addr *addr, const uint8_t mac[6],
		   struct err *err)
{
	auto_nl_addr struct nl_addr *dst = link_nl_addr(addr, 128);
	auto_nl_addr struct nl_addr *lladdr = nl_addr_build(AF_LLC, mac, 6);
	cleanup(rtnl_neigh_auto) struct rtnl_neigh *row = rtnl_neigh_alloc();
	char text[ADDR_TEXT_MAX];
	int r;

	if (!dst || !lladdr || !row)
		return err_set(err, ENOMEM, "neighbour on interface %u: out of memory", ifindex);
	rtnl_neigh_set_ifindex(row, (int)ifindex);
	rtnl_neigh_set_dst(row, dst);
	rtnl_neigh_set_lladdr(row, lladdr);
	rtnl_neigh_set_state(row, NUD_PERMANENT);
	link_ns_reset(ns);
	r = rtnl_neigh_add(ns->sock, row, NLM_F_CREATE | NLM_F_REPLACE);
	addr_format(addr, text);
	return r < 0 ? link_ns_fail(ns, r, err, "add neighbour %s to interface %u", text, ifindex) : 0;
}
