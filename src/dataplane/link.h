/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces, addresses, routes and neighbours through libnl. libnl's error
 * codes and objects stop here; errors carry the kernel's own words where it
 * gives any.
 *
 * Everything works through a struct link_ns: one netlink socket opened inside
 * one network namespace. A process that only knows its own namespace opens one
 * with -1; the plugin has a second one for the pod. Not for use by two threads
 * at once.
 */
#ifndef DATAPLANE_LINK_H
#define DATAPLANE_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/err.h"

/* Routes of ours carry this protocol number, so that repair and cleanup know
 * them. */
#define LINK_ROUTE_PROTO      0xb8 /* to this node's pods */
#define LINK_ROUTE_PROTO_NODE 0xb9 /* to other nodes' pod ranges, and the end of our own */
#define LINK_ALIAS_MAX	      256

struct link_ns;
/* netns is a descriptor that the handle does not own, -1: the caller's own. */
int link_ns_open(int netns, struct link_ns **ret_ns, struct err *err);
struct link_ns *link_ns_free(struct link_ns *ns);
DEFINE_AUTO(struct link_ns, link_ns_free)
#define auto_link_ns cleanup(link_ns_free_auto)

struct link_info {
	char name[IF_NAMESIZE];
	char kind[16];		    /* "veth", ... or empty */
	char alias[LINK_ALIAS_MAX]; /* or empty */
	uint32_t ifindex;
	uint32_t peer_ifindex; /* veth: the other side's ifindex, 0 otherwise */
	uint32_t master;       /* the bridge or bond it is enslaved to, 0 otherwise */
	uint32_t mtu;
	uint8_t mac[6];
	bool up;
	bool no_arp;
};

/* -ENODEV: no such interface. */
int link_find(struct link_ns *ns, const char *name, struct link_info *ret_info, struct err *err);
int link_find_index(struct link_ns *ns, uint32_t ifindex, struct link_info *ret_info, struct err *err);
/* All interfaces. Caller frees. */
int link_list(struct link_ns *ns, struct link_info **ret_infos, size_t *ret_n, struct err *err);

struct link_side {
	const char *name;
	uint8_t mac[6];
};
/* Creates a veth pair, both sides down: `host` in ns, `pod` born inside pod_ns
 * (moving one there later costs grace periods). mtu 0: the kernel's default.
 * -EEXIST when either name is taken. */
int link_veth_create(struct link_ns *ns, struct link_ns *pod_ns, const struct link_side *host,
		     const struct link_side *pod, uint32_t mtu, struct err *err);
int link_delete(struct link_ns *ns, uint32_t ifindex, struct err *err); /* gone is success */
int link_set_up(struct link_ns *ns, uint32_t ifindex, bool up, struct err *err);
/* A link that came up sends only once the kernel has looked at it again, at its leisure.
 * This makes it look now. */
int link_settle(struct link_ns *ns, const char *name, struct err *err);
int link_set_alias(struct link_ns *ns, uint32_t ifindex, const char *alias, struct err *err);

/* Writes /proc/sys/net/<path> of the namespace ("ipv4/conf/eth0/accept_redirects");
 * a value that is there already is not written again. -ENOENT: the kernel has
 * no such knob. */
int link_sysctl_set(struct link_ns *ns, const char *path, const char *value, struct err *err);

/* Lets this process's own namespace, which `ns` must be of, forward one family.
 * Interfaces that listen to IPv6 routers go on doing so. Idempotent. -ENOENT: a kernel
 * without that family. */
int link_forwarding_enable(struct link_ns *ns, bool v4, struct err *err);

/* len as in struct prefix (over the v4-mapped form). IPv6 without duplicate
 * address detection: a point-to-point link has no one to ask. */
int link_addr_add(struct link_ns *ns, uint32_t ifindex, const struct bh_addr *addr, uint8_t len,
		  struct err *err);
/* Addresses present on ifindex (0: on all links), loopback included. Caller frees. */
int link_addrs(struct link_ns *ns, uint32_t ifindex, struct prefix **ret_addrs, size_t *ret_n,
	       struct err *err);

/* The interface that has this address. -EADDRNOTAVAIL: none. */
int link_find_addr(struct link_ns *ns, const struct bh_addr *addr, struct link_info *ret_info,
		   struct err *err);

/* Permanent neighbour entry: never probed, never overwritten by the wire. */
int link_neigh_add(struct link_ns *ns, uint32_t ifindex, const struct bh_addr *addr, const uint8_t mac[6],
		   struct err *err);

struct link_route {
	struct prefix dst;
	bool has_gateway;
	struct bh_addr gateway;
	uint32_t ifindex;
	bool onlink;	   /* the gateway is reachable over ifindex whatever the addresses say */
	uint32_t mtu;	   /* 0: the link's */
	uint32_t advmss;   /* 0: from the mtu */
	uint32_t priority; /* 0: the kernel's default */
	uint32_t table;	   /* 0: main */
	bool unreachable;  /* leads nowhere, and says so; no gateway, no interface */
	bool has_source;
	struct bh_addr source; /* what this node says it is on that way */
};
/* Replaces an equal one. */
int link_route_add(struct link_ns *ns, const struct link_route *route, struct err *err);
int link_route_del(struct link_ns *ns, const struct link_route *route, struct err *err); /* gone is success */
/* Does this exact route exist (destination, gateway, interface, table)? 1, 0 or -errno. */
int link_route_exists(struct link_ns *ns, const struct link_route *route, struct err *err);

/* Makes the main table's routes of LINK_ROUTE_PROTO_NODE exactly `wanted` (sorted by
 * link_route_compare): others of that protocol go, missing ones come. codes[i] is 0
 * or why wanted[i] could not be added; it goes on after each. Returns how many were
 * changed, or the first error. */
int link_routes_sync(struct link_ns *ns, const struct link_route *wanted, size_t n, int *codes,
		     struct err *err);
/* The same for routes of LINK_ROUTE_PROTO, but others of that protocol stay. -ENETDOWN,
 * -ENODEV: interfaces are down or gone, and all others have their routes. */
int link_routes_keep(struct link_ns *ns, const struct link_route *wanted, size_t n, int *codes,
		     struct err *err);
int link_route_compare(const void *a, const void *b); /* for qsort */

/* Where packets to `addr` go now: 1 and the interface (0: nowhere), and whether by
 * way of a gateway. -ENETUNREACH: no way at all. */
struct link_way {
	uint32_t ifindex;
	bool has_gateway;
	struct bh_addr gateway;
};
int link_way_to(struct link_ns *ns, const struct bh_addr *addr, struct link_way *ret_way, struct err *err);

int link_addr_del(struct link_ns *ns, uint32_t ifindex, const struct bh_addr *addr, uint8_t len,
		  struct err *err); /* gone is success */

/*
 * The device of the tunnel between nodes: VXLAN that leaves to a program where a
 * packet goes (bpf/tunnel.h), so one serves all nodes and both families. It resolves
 * no neighbours: every frame carries this device's own MAC as source and
 * destination. Created down, or brought to these settings as it is. -EEXIST: the
 * name or the port is someone else's.
 */
struct link_tunnel {
	const char *name;
	uint16_t port;
	uint32_t mtu;
};
int link_tunnel_ensure(struct link_ns *ns, const struct link_tunnel *tunnel, uint32_t *ret_ifindex,
		       struct err *err);
/* Removes it if it is ours; anything else of that name stays. */
int link_tunnel_remove(struct link_ns *ns, const char *name, struct err *err);

/* A socket that is readable when something changed: links, addresses and routes, or
 * nftables. What it was does not matter, messages may have been lost. Caller closes. */
int link_monitor_open(struct err *err);
int link_monitor_nft_open(struct err *err);
void link_monitor_drain(int fd);

#endif
