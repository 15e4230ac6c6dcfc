// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <netlink/errno.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/vxlan.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/link_ns.h"

static void rtnl_link_auto(struct rtnl_link **link)
{
	if (*link)
		rtnl_link_put(*link);
}
#define auto_rtnl_link cleanup(rtnl_link_auto)

/* By its name and by what no other vxlan device is made like without a program. */
static bool device_is_ours(struct link_ns *ns, const char *name, uint32_t *ret_port)
{
	auto_rtnl_link struct rtnl_link *link = NULL;

	link_ns_reset(ns);
	if (rtnl_link_get_kernel(ns->sock, 0, name, &link) < 0 || !rtnl_link_is_vxlan(link))
		return false;
	return rtnl_link_vxlan_get_collect_metadata(link) > 0 &&
	       rtnl_link_vxlan_get_port(link, ret_port) == 0;
}

static int device_create(struct link_ns *ns, const struct link_tunnel *tunnel, struct link_info *ret_info,
			 struct err *err)
{
	auto_rtnl_link struct rtnl_link *link = rtnl_link_vxlan_alloc();
	int r;

	if (!link)
		return err_set(err, ENOMEM, "tunnel device: out of memory");
	rtnl_link_set_name(link, tunnel->name);
	rtnl_link_set_mtu(link, tunnel->mtu);
	if (rtnl_link_vxlan_set_port(link, tunnel->port) < 0 || rtnl_link_vxlan_set_learning(link, 0) < 0 ||
	    rtnl_link_vxlan_set_collect_metadata(link, 1) < 0)
		return err_set(err, EINVAL, "tunnel device %s: settings", tunnel->name);
	link_ns_reset(ns);
	r = rtnl_link_add(ns->sock, link, NLM_F_CREATE | NLM_F_EXCL);
	if (r < 0 && link_ns_errno(ns, r) == EEXIST)
		return err_set(
			err, EEXIST,
			"create tunnel device %s: another device has UDP port %u already, set tunnelPort",
			tunnel->name, tunnel->port);
	if (r < 0)
		return link_ns_fail(ns, r, err, "create tunnel device %s", tunnel->name);
	return link_find(ns, tunnel->name, ret_info, err);
}

/* Nobody is asked who is there, and nobody says where to go: what passes is unicast IP
 * of pods. By netlink, for /proc/sys may be read-only where the daemon runs. */
static int device_knobs(struct rtnl_link *changes)
{
	int r = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_ACCEPT_REDIRECTS, 0);

	if (r == 0)
		r = rtnl_link_inet_set_conf(changes, IPV4_DEVCONF_SEND_REDIRECTS, 0);
	if (r == 0 && access("/proc/sys/net/ipv6", F_OK) == 0)
		r = rtnl_link_inet6_set_addr_gen_mode(changes, IN6_ADDR_GEN_MODE_NONE);
	rtnl_link_set_flags(changes, IFF_NOARP);
	rtnl_link_unset_flags(changes, IFF_MULTICAST);
	return r;
}

static int device_change(struct link_ns *ns, const struct link_tunnel *tunnel, uint32_t ifindex,
			 struct err *err)
{
	auto_rtnl_link struct rtnl_link *link = rtnl_link_alloc();
	auto_rtnl_link struct rtnl_link *changes = rtnl_link_alloc();
	int r;

	if (!link || !changes || device_knobs(changes) < 0)
		return err_set(err, ENOMEM, "tunnel device: out of memory");
	rtnl_link_set_ifindex(link, (int)ifindex);
	rtnl_link_set_mtu(changes, tunnel->mtu);
	link_ns_reset(ns);
	r = rtnl_link_change(ns->sock, link, changes, 0);
	return r < 0 ? link_ns_fail(ns, r, err, "tunnel device %s", tunnel->name) : 0;
}

int link_tunnel_ensure(struct link_ns *ns, const struct link_tunnel *tunnel, uint32_t *ret_ifindex,
		       struct err *err)
{
	struct link_info info = { 0 };
	uint32_t port = 0;
	int r = link_find(ns, tunnel->name, &info, err);

	if (r == 0 && !device_is_ours(ns, tunnel->name, &port))
		return err_set(err, EEXIST, "interface %s is there and is not ours", tunnel->name);
	if (r == 0 && port != tunnel->port) {
		r = link_delete(ns, info.ifindex, err);
		if (r == 0)
			r = -ENODEV;
	}
	if (r == -ENODEV)
		r = device_create(ns, tunnel, &info, err);
	if (r == 0 && (info.mtu != tunnel->mtu || !info.no_arp))
		r = device_change(ns, tunnel, info.ifindex, err);
	if (r == 0)
		*ret_ifindex = info.ifindex;
	return r;
}

int link_tunnel_remove(struct link_ns *ns, const char *name, struct err *err)
{
	struct link_info info;
	uint32_t port;
	int r = link_find(ns, name, &info, err);

	if (r == -ENODEV || (r == 0 && !device_is_ours(ns, name, &port)))
		return 0;
	return r < 0 ? r : link_delete(ns, info.ifindex, err);
}
