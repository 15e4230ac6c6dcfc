// SPDX-License-Identifier: Apache-2.0
#include "dataplane/link.h"

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <string.h>

#include "dataplane/link_ns.h"

static void rtnl_link_auto(struct rtnl_link **link)
{
	if (*link)
		rtnl_link_put(*link);
}
#define auto_rtnl_link cleanup(rtnl_link_auto)

static int link_mac_set(struct rtnl_link *link, const uint8_t mac[6])
{
	struct nl_addr *addr = nl_addr_build(AF_LLC, mac, 6);

	if (!addr)
		return -NLE_NOMEM;
	rtnl_link_set_addr(link, addr);
	nl_addr_put(addr);
	return 0;
}

static void text_copy(char *out, size_t size, const char *in)
{
	snprintf(out, size, "%s", in ?: "");
}

static void info_fill(struct link_info *info, struct rtnl_link *link)
{
	struct nl_addr *mac = rtnl_link_get_addr(link);

	*info = (struct link_info){
		.ifindex = (uint32_t)rtnl_link_get_ifindex(link),
		.master = (uint32_t)rtnl_link_get_master(link),
		.mtu = rtnl_link_get_mtu(link),
		.up = rtnl_link_get_flags(link) & IFF_UP,
		.no_arp = rtnl_link_get_flags(link) & IFF_NOARP,
	};
	text_copy(info->name, sizeof(info->name), rtnl_link_get_name(link));
	text_copy(info->kind, sizeof(info->kind), rtnl_link_get_type(link));
	text_copy(info->alias, sizeof(info->alias), rtnl_link_get_ifalias(link));
	if (strcmp(info->kind, "veth") == 0)
		info->peer_ifindex = (uint32_t)rtnl_link_get_link(link);
	if (mac && nl_addr_get_len(mac) == sizeof(info->mac))
		memcpy(info->mac, nl_addr_get_binary_addr(mac), sizeof(info->mac));
}

/* rtnl_link_get_kernel() answers "object not found" for an unknown name. */
static int link_get(struct link_ns *ns, uint32_t ifindex, const char *name, struct link_info *ret_info)
{
	auto_rtnl_link struct rtnl_link *link = NULL;
	int r;

	link_ns_reset(ns);
	r = rtnl_link_get_kernel(ns->sock, (int)ifindex, name, &link);
	if (r == 0)
		info_fill(ret_info, link);
	return r;
}

int link_find(struct link_ns *ns, const char *name, struct link_info *ret_info, struct err *err)
{
	int r = link_get(ns, 0, name, ret_info);

	return r < 0 ? link_ns_fail(ns, r, err, "interface %s", name) : 0;
}

int link_find_index(struct link_ns *ns, uint32_t ifindex, struct link_info *ret_info, struct err *err)
{
	int r = ifindex ? link_get(ns, ifindex, NULL, ret_info) : -NLE_NODEV;

	return r < 0 ? link_ns_fail(ns, r, err, "interface number %u", ifindex) : 0;
}

int link_list(struct link_ns *ns, struct link_info **ret_infos, size_t *ret_n, struct err *err)
{
	auto_nl_cache struct nl_cache *cache = NULL;
	struct link_info *infos;
	size_t n = 0;
	int r;

	link_ns_reset(ns);
	r = rtnl_link_alloc_cache(ns->sock, AF_UNSPEC, &cache);
	if (r < 0)
		return link_ns_fail(ns, r, err, "list of interfaces");
	infos = calloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*infos));
	if (!infos)
		return err_set(err, ENOMEM, "list of interfaces: out of memory");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o))
		info_fill(&infos[n++], (struct rtnl_link *)o);
	*ret_infos = infos;
	*ret_n = n;
	return 0;
}

static int side_fill(struct rtnl_link *link, const struct link_side *side, uint32_t mtu)
{
	rtnl_link_set_name(link, side->name);
	if (mtu)
		rtnl_link_set_mtu(link, mtu);
	return link_mac_set(link, side->mac);
}

int link_veth_create(struct link_ns *ns, struct link_ns *pod_ns, const struct link_side *host,
		     const struct link_side *pod, uint32_t mtu, struct err *err)
{
	auto_rtnl_link struct rtnl_link *link = rtnl_link_veth_alloc();
	auto_rtnl_link struct rtnl_link *peer = link ? rtnl_link_veth_get_peer(link) : NULL;

	if (!peer || side_fill(link, host, mtu) < 0 || side_fill(peer, pod, mtu) < 0)
		return err_set(err, ENOMEM, "veth pair %s: out of memory", host->name);
	if (pod_ns->netns >= 0)
		rtnl_link_set_ns_fd(peer, pod_ns->netns);
	link_ns_reset(ns);
	int r = rtnl_link_add(ns->sock, link, NLM_F_CREATE | NLM_F_EXCL);

	return r < 0 ? link_ns_fail(ns, r, err, "create veth pair %s and %s", host->name, pod->name) : 0;
}

int link_delete(struct link_ns *ns, uint32_t ifindex, struct err *err)
{
	auto_rtnl_link struct rtnl_link *link = rtnl_link_alloc();
	int r;

	if (!link)
		return err_set(err, ENOMEM, "delete interface %u: out of memory", ifindex);
	rtnl_link_set_ifindex(link, (int)ifindex);
	link_ns_reset(ns);
	r = rtnl_link_delete(ns->sock, link);
	if (r < 0 && link_ns_errno(ns, r) == ENODEV)
		return 0;
	return r < 0 ? link_ns_fail(ns, r, err, "delete interface %u", ifindex) : 0;
}

static int link_change(struct link_ns *ns, uint32_t ifindex, struct rtnl_link *changes)
{
	auto_rtnl_link struct rtnl_link *link = rtnl_link_alloc();

	if (!link)
		return -NLE_NOMEM;
	rtnl_link_set_ifindex(link, (int)ifindex);
	link_ns_reset(ns);
	return rtnl_link_change(ns->sock, link, changes, 0);
}

int link_set_up(struct link_ns *ns, uint32_t ifindex, bool up, struct err *err)
{
	auto_rtnl_link struct rtnl_link *changes = rtnl_link_alloc();
	int r;

	if (!changes)
		return err_set(err, ENOMEM, "interface %u: out of memory", ifindex);
	if (up)
		rtnl_link_set_flags(changes, IFF_UP);
	else
		rtnl_link_unset_flags(changes, IFF_UP);
	r = link_change(ns, ifindex, changes);
	return r < 0 ? link_ns_fail(ns, r, err, "set interface %u %s", ifindex, up ? "up" : "down") : 0;
}

int link_set_alias(struct link_ns *ns, uint32_t ifindex, const char *alias, struct err *err)
{
	auto_rtnl_link struct rtnl_link *changes = rtnl_link_alloc();
	int r;

	if (!changes)
		return err_set(err, ENOMEM, "interface %u: out of memory", ifindex);
	rtnl_link_set_ifalias(changes, alias);
	r = link_change(ns, ifindex, changes);
	return r < 0 ? link_ns_fail(ns, r, err, "name interface %u \"%s\"", ifindex, alias) : 0;
}
