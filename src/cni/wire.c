// SPDX-License-Identifier: Apache-2.0
/*
 * A point-to-point veth: single addresses, every route by way of the host side,
 * permanent neighbours on both sides, so neither ARP nor neighbour discovery is
 * ever needed. The pod side comes up early because routes need that; as long as
 * the host side is down no packet has a way.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cni/join.h"

static int link_failure(struct failure *failure, const struct err *err)
{
	return failure_from(failure, CODE_LINK, err, "cannot wire the pod");
}

bool join_has_v6(const struct join *join)
{
	for (size_t i = 0; i < join->result.n_ips; i++) {
		if (!addr_is_v4(&join->result.ips[i].addr))
			return true;
	}
	return false;
}

struct bh_addr join_link_local(const struct join *join)
{
	const uint8_t *mac = join->attachment.mac;

	return (struct bh_addr){ .b = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 0x02, mac[1], mac[2], 0xff,
					0xfe, mac[3], mac[4], mac[5] } };
}

struct bh_addr join_gateway(const struct result_ip *ip)
{
	static const uint8_t v4[] = { 169, 254, 1, 1 };

	if (ip->has_gateway)
		return ip->gateway;
	if (addr_is_v4(&ip->addr))
		return addr_from_v4(v4);
	return (struct bh_addr){ .b = { 0xfe, 0x80, [15] = 1 } };
}

/* Tells GC and the daemon whose interface this is when its state file is lost. */
static int alias_set(struct join *join, struct err *err)
{
	const struct attachment *a = &join->attachment;
	char alias[LINK_ALIAS_MAX];

	if (snprintf(alias, sizeof(alias), "bulkhead %s %s %s", a->network, a->container_id, a->ifname) >=
	    (int)sizeof(alias))
		return 0;
	return link_set_alias(join->host, join->host_link.ifindex, alias, err);
}

/* What the daemon found to fit through the network between nodes; 0: it has none, or
 * nothing to say. */
static uint32_t network_mtu(const struct netconf *conf)
{
	auto_free char *text = NULL;
	unsigned long mtu = 0;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/mtu", conf->run_dir);
	if (file_read(path, 16, &text, NULL, NULL) < 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return text_to_ulong(text, NETCONF_MTU_MIN, NETCONF_MTU_MAX, &mtu) < 0 ? 0 : (uint32_t)mtu;
}

int wire_create(struct join *join, struct failure *failure)
{
	struct attachment *a = &join->attachment;
	struct link_side host = { .name = a->host_ifname }, pod = { .name = a->ifname };
	uint32_t mtu = join->conf->mtu ? join->conf->mtu : network_mtu(join->conf);
	struct err err = { 0 };
	int r;

	memcpy(host.mac, a->host_mac, 6);
	memcpy(pod.mac, a->mac, 6);
	r = link_veth_create(join->host, join->pod, &host, &pod, mtu, &err);
	if (r == -EEXIST)
		return failure_from(failure, CODE_EXISTS, &err, "interface %s exists already", a->ifname);
	if (r == 0)
		r = link_find(join->host, a->host_ifname, &join->host_link, &err);
	if (r == 0)
		r = link_find(join->pod, a->ifname, &join->pod_link, &err);
	if (r < 0)
		return link_failure(failure, &err);
	a->ifindex = join->host_link.ifindex;
	r = alias_set(join, &err);
	return r < 0 ? link_failure(failure, &err) : 0;
}

/* By name, because the kernel may have made the pair although the answer got
 * lost; cmd_add.c has seen that the name was free, and the lock is ours. */
void wire_delete(struct join *join)
{
	struct link_info link;
	struct err err = { 0 };
	int r = link_find(join->host, join->attachment.host_ifname, &link, &err);

	if (r == 0)
		r = link_delete(join->host, link.ifindex, &err);
	if (r < 0 && r != -ENODEV)
		log_warn("interface left behind after a failed ADD, DEL will remove it: interface=%s "
			 "reason=\"%s\"",
			 join->attachment.host_ifname, err.msg);
}

struct knob {
	const char *path; /* with %s for the interface */
	const char *value;
	bool v6;
};

/* A knob of a kernel without IPv6 is not missed when the pod has none either. */
static int knobs_set(struct join *join, struct link_ns *ns, const char *ifname, const struct knob *knobs,
		     size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char path[128];
		int r;

		snprintf(path, sizeof(path), knobs[i].v6 ? "ipv6/conf/%s/%s" : "ipv4/conf/%s/%s", ifname,
			 knobs[i].path);
		r = link_sysctl_set(ns, path, knobs[i].value, err);
		if (r == -ENOENT && knobs[i].v6 && !join_has_v6(join))
			continue;
		if (r < 0)
			return r;
	}
	return 0;
}

#define KNOBS_SET(join, ns, ifname, knobs, err)                                                              \
	knobs_set(join, ns, ifname, knobs, sizeof(knobs) / sizeof((knobs)[0]), err)

/* S9, L10: neither redirects nor router advertisements count for anything, on
 * either side. L12: no IPv6 at all where the pod has no IPv6 address. */
static int knobs_both(struct join *join, struct link_ns *ns, const char *ifname, struct err *err)
{
	static const struct knob v4[] = { { "accept_redirects", "0", false },
					  { "send_redirects", "0", false } };
	static const struct knob v6_off[] = { { "disable_ipv6", "1", true } };
	static const struct knob v6_on[] = {
		{ "accept_dad", "0", true },	   { "accept_ra", "0", true },
		{ "accept_redirects", "0", true }, { "autoconf", "0", true },
		{ "addr_gen_mode", "0", true },	   { "disable_ipv6", "0", true },
	};
	int r = KNOBS_SET(join, ns, ifname, v4, err);

	if (r < 0)
		return r;
	return join_has_v6(join) ? KNOBS_SET(join, ns, ifname, v6_on, err)
				 : KNOBS_SET(join, ns, ifname, v6_off, err);
}

static int forwarding_enable(struct join *join, struct err *err)
{
	bool v4 = false;
	int r = 0;

	for (size_t i = 0; i < join->result.n_ips; i++)
		v4 |= addr_is_v4(&join->result.ips[i].addr);
	if (v4)
		r = link_forwarding_enable(join->host, true, err);
	if (r == 0 && join_has_v6(join))
		r = link_forwarding_enable(join->host, false, err);
	return r;
}

static int host_configure(struct join *join, struct err *err)
{
	int r = knobs_both(join, join->host, join->attachment.host_ifname, err);

	if (r == 0)
		r = forwarding_enable(join, err);
	for (size_t i = 0; r == 0 && i < join->result.n_ips; i++) {
		struct bh_addr gateway = join_gateway(&join->result.ips[i]);

		r = link_addr_add(join->host, join->host_link.ifindex, &gateway, 128, err);
	}
	return r;
}

/* The next hop is always the host side, whatever address a route names. */
static int pod_route(struct join *join, struct link_route *route, struct err *err)
{
	int r = link_neigh_add(join->pod, join->pod_link.ifindex, &route->gateway, join->attachment.host_mac,
			       err);

	route->ifindex = join->pod_link.ifindex;
	route->has_gateway = true;
	route->onlink = true;
	return r < 0 ? r : link_route_add(join->pod, route, err);
}

static int pod_address(struct join *join, const struct result_ip *ip, struct err *err)
{
	struct bh_addr gateway = join_gateway(ip);
	struct link_route to_gateway = { .dst = prefix_of(&gateway, 128), .ifindex = join->pod_link.ifindex };
	struct link_route to_subnet = { .dst = prefix_of(&ip->addr, ip->len), .gateway = gateway };
	int r = link_route_add(join->pod, &to_gateway, err);

	return r < 0 || ip->len == 128 ? r : pod_route(join, &to_subnet, err);
}

static int pod_routes(struct join *join, struct err *err)
{
	const struct result *result = &join->result;

	for (size_t i = 0; i < result->n_routes; i++) {
		const struct result_route *wanted = &result->routes[i];
		struct link_route route = { .dst = wanted->dst,
					    .gateway = wanted->gateway,
					    .mtu = wanted->mtu,
					    .advmss = wanted->advmss,
					    .priority = wanted->priority,
					    .table = wanted->table };
		bool found = wanted->has_gateway;
		int r;

		for (size_t k = 0; !found && k < result->n_ips; k++) {
			found = addr_is_v4(&result->ips[k].addr) == wanted->dst.is_v4;
			if (found)
				route.gateway = join_gateway(&result->ips[k]);
		}
		if (!found)
			return err_set(err, EINVAL, "routes[%zu]: the pod has no address of its family", i);
		r = pod_route(join, &route, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Addresses first: the kernel judges a route's gateway by them. */
static int pod_configure(struct join *join, struct err *err)
{
	const struct result *result = &join->result;
	int r = knobs_both(join, join->pod, join->attachment.ifname, err);

	for (size_t i = 0; r == 0 && i < result->n_ips; i++)
		r = link_addr_add(join->pod, join->pod_link.ifindex, &result->ips[i].addr, 128, err);
	if (r == 0)
		r = link_set_up(join->pod, join->pod_link.ifindex, true, err);
	for (size_t i = 0; r == 0 && i < result->n_ips; i++)
		r = pod_address(join, &result->ips[i], err);
	return r < 0 ? r : pod_routes(join, err);
}

int wire_configure(struct join *join, struct failure *failure)
{
	struct err err = { 0 };
	int r;

	if (join_has_v6(join) && join->host_link.mtu < 1280)
		return failure_set(failure, CODE_UNSUPPORTED, "mtu %u: IPv6 needs 1280", join->host_link.mtu);
	r = pod_configure(join, &err);
	if (r == 0)
		r = host_configure(join, &err);
	return r < 0 ? link_failure(failure, &err) : 0;
}

int wire_open(struct join *join, struct failure *failure)
{
	uint32_t ifindex = join->host_link.ifindex;
	struct bh_addr link_local = join_link_local(join);
	struct err err = { 0 };
	int r = link_set_up(join->host, ifindex, true, &err);

	for (size_t i = 0; r == 0 && i < join->result.n_ips; i++) {
		const struct bh_addr *addr = &join->result.ips[i].addr;
		struct link_route route = { .dst = prefix_of(addr, 128), .ifindex = ifindex };

		r = link_neigh_add(join->host, ifindex, addr, join->attachment.mac, &err);
		if (r == 0)
			r = link_route_add(join->host, &route, &err);
	}
	if (r == 0 && join_has_v6(join))
		r = link_neigh_add(join->host, ifindex, &link_local, join->attachment.mac, &err);
	/* The pod's first packet must not meet a link that does not send yet. */
	if (r == 0)
		r = link_settle(join->pod, join->attachment.ifname, &err);
	if (r == 0)
		r = link_settle(join->host, join->attachment.host_ifname, &err);
	return r < 0 ? link_failure(failure, &err) : 0;
}
