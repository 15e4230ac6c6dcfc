/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces, addresses, routes and neighbours through libnl. libnl's error
 * codes and objects stop here. Every function works in the network namespace
 * given by descriptor, -1 for the caller's own, and is done when it returns.
 */
#ifndef DATAPLANE_LINK_H
#define DATAPLANE_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* Routes and neighbours of ours carry this protocol number, so that repair and
 * cleanup know them. */
#define LINK_ROUTE_PROTO 0xbd

struct link_info {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	uint32_t peer_ifindex; /* veth: the other side's ifindex, 0 otherwise */
	uint32_t mtu;
	uint8_t mac[6];
	bool up;
	char kind[16]; /* "veth", ... or empty */
};

int link_find(int netns, const char *name, struct link_info *ret_info, struct err *err); /* -ENODEV */
int link_find_index(int netns, uint32_t ifindex, struct link_info *ret_info, struct err *err);

/* Creates a veth pair, both sides down: host side `host_name` here, the other
 * side born as pod_name inside `pod_netns`. mtu 0: the kernel's default. */
int link_veth_create(const char *host_name, const char *pod_name, int pod_netns, uint32_t mtu,
		     const uint8_t host_mac[6], const uint8_t pod_mac[6], struct err *err);
int link_delete(int netns, uint32_t ifindex, struct err *err); /* gone is success */
int link_set_up(int netns, uint32_t ifindex, bool up, struct err *err);

/* len as in struct prefix (over the v4-mapped form). IPv6 without duplicate
 * address detection: a point-to-point link has no one to ask. */
int link_addr_add(int netns, uint32_t ifindex, const struct bh_addr *addr, uint8_t len, struct err *err);

struct link_route {
	struct prefix dst;
	bool has_gateway;
	struct bh_addr gateway;
	uint32_t ifindex;
	uint32_t mtu; /* 0: the link's */
	bool onlink;  /* the gateway is reachable over ifindex whatever the addresses say */
};
int link_route_add(int netns, const struct link_route *route, struct err *err); /* replaces an equal one */
int link_route_del(int netns, const struct link_route *route, struct err *err); /* gone is success */
/* Permanent neighbour entry: never probed, never overwritten by the wire. */
int link_neigh_add(int netns, uint32_t ifindex, const struct bh_addr *addr, const uint8_t mac[6],
		   struct err *err);

/* Addresses present on ifindex (0: on all links), loopback included. Caller frees. */
int link_addrs(int netns, uint32_t ifindex, struct prefix **ret_addrs, size_t *ret_n, struct err *err);
/* Does this exact route exist (destination, gateway, interface)? 1, 0 or -errno. */
int link_route_exists(int netns, const struct link_route *route, struct err *err);

#endif
