// SPDX-License-Identifier: Apache-2.0
/* Interfaces and settings of the node's network. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "agent/network.h"
#include "agent/nodecheck_room.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "dataplane/hook.h"

#define NAMES_SHOWN 6

/* Interfaces that other networks make and leave behind. */
static const struct {
	const char *pattern, *whose;
} strangers[] = {
	{ "cali*", "Calico" },
	{ "vxlan.calico", "Calico" },
	{ "cilium_*", "Cilium" },
	{ "lxc_health", "Cilium" },
	{ "flannel*", "flannel" },
	{ "cni[0-9]*", "a bridge network" },
	{ "weave*", "Weave Net" },
	{ "vethwe*", "Weave Net" },
	{ "antrea-*", "Antrea" },
	{ "kube-bridge", "kube-router" },
	{ "ovn-k8s-*", "OVN-Kubernetes" },
	{ "genev_sys*", "a Geneve network" },
	{ "eni*", "AWS VPC CNI" },
	{ "azv*", "Azure CNI" },
	{ "gke*", "GKE" },
};

static const char *whose(const char *name)
{
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (fnmatch(strangers[i].pattern, name, 0) == 0)
			return strangers[i].whose;
	return NULL;
}

static bool is_chained(const struct nodecheck *check)
{
	return check->config->cni.chain && *check->config->cni.chain;
}

static void other_networks(struct nodecheck *check, const struct link_info *links, size_t n)
{
	auto_text struct text found = { 0 };
	size_t shown = 0;

	for (size_t i = 0; i < n; i++) {
		const char *owner = whose(links[i].name);

		if (!owner || ++shown > NAMES_SHOWN)
			continue;
		text_addf(&found, "%s%s (%s)", found.len ? ", " : "", links[i].name, owner);
	}
	if (shown == 0)
		check_say(check, CHECK_OK, "other-cni", NULL, "no interfaces of other networks");
	else if (is_chained(check))
		check_say(check, CHECK_OK, "other-cni", NULL, "chained behind another network: %s",
			  found.data ? found.data : "");
	else
		check_say(check, CHECK_WARNING, "other-cni",
			  "remove what an earlier network left (ip link del NAME), or chain behind it "
			  "(cni.chain)",
			  "%s", found.data ? found.data : "interfaces of another network");
}

struct stranger_seen {
	char name[32];
	bool before;
};

static int stranger_note(const char *prog, bool before_ours, void *data)
{
	struct stranger_seen *seen = data;

	snprintf(seen->name, sizeof(seen->name), "%s", prog);
	seen->before = before_ours;
	return before_ours; /* the worst that can be seen */
}

/* A program before ours may end the walk before ours has judged. */
static void hook_programs(struct nodecheck *check, const struct link_info *links, size_t n)
{
	size_t ours = 0;

	for (size_t i = 0; i < n; i++) {
		struct stranger_seen seen = { 0 };

		if (strncmp(links[i].alias, "bulkhead ", 9) != 0)
			continue;
		ours++;
		if (hook_strangers(links[i].ifindex, stranger_note, &seen) < 0 || !seen.name[0])
			continue;
		if (seen.before)
			check_say(check, CHECK_FAIL, "programs", "detach it, or attach it behind Bulkhead's",
				  "%s runs before Bulkhead's programs on %s", seen.name, links[i].name);
		else
			check_say(check, CHECK_WARNING, "programs", "nothing, if you know whose it is",
				  "%s runs behind Bulkhead's programs on %s", seen.name, links[i].name);
		return;
	}
	check_say(check, CHECK_OK, "programs", NULL, "nobody else's on %zu pod interface%s", ours,
		  ours == 1 ? "" : "s");
}

/* --- MTU */

struct uplink {
	struct link_info link;
	uint32_t overhead; /* of the tunnel, over the family of the default route; 0: no tunnel */
};

static bool uplink_find(struct nodecheck *check, struct uplink *ret)
{
	static const struct {
		const char *far; /* nobody's: the default route */
		uint32_t overhead;
	} families[] = { { "192.0.2.1", 50 }, { "2001:db8::1", 70 } };
	struct link_way way;
	struct bh_addr addr;

	for (size_t i = 0; i < 2; i++) {
		if (addr_parse(families[i].far, &addr) < 0 || link_way_to(check->ns, &addr, &way, NULL) < 0 ||
		    !way.ifindex || link_find_index(check->ns, way.ifindex, &ret->link, NULL) < 0)
			continue;
		ret->overhead = check->config->network.mode == NETWORK_VXLAN ? families[i].overhead : 0;
		return true;
	}
	return false;
}

/* The largest that pods have or are to have. */
static uint32_t pod_mtu(const struct nodecheck *check, const struct link_info *links, size_t n)
{
	uint32_t mtu = check->config->cni.pod_mtu;

	for (size_t i = 0; i < n; i++)
		if (strncmp(links[i].alias, "bulkhead ", 9) == 0 && links[i].mtu > mtu)
			mtu = links[i].mtu;
	return mtu;
}

static void mtu(struct nodecheck *check, const struct link_info *links, size_t n)
{
	uint32_t pods = pod_mtu(check, links, n);
	struct uplink uplink;

	if (!uplink_find(check, &uplink))
		check_say(check, CHECK_WARNING, "mtu", "is this node connected yet?", "no default route");
	else if (pods && pods + uplink.overhead > uplink.link.mtu)
		check_say(check, uplink.overhead ? CHECK_FAIL : CHECK_WARNING, "mtu",
			  "lower cni.mtu, or leave it out: it is computed then",
			  "pods have %u and the tunnel adds %u, %s carries %u", pods, uplink.overhead,
			  uplink.link.name, uplink.link.mtu);
	else if (uplink.link.mtu < 1280 + uplink.overhead)
		check_say(check, CHECK_FAIL, "mtu", "raise it: IPv6 in pods needs 1280",
			  "%s carries %u, and the tunnel takes %u of it", uplink.link.name, uplink.link.mtu,
			  uplink.overhead);
	else
		check_say(check, CHECK_OK, "mtu", NULL, "%s carries %u, pods may have %u", uplink.link.name,
			  uplink.link.mtu, uplink.link.mtu - uplink.overhead);
}

/* --- sysctls */

/* -1: no such knob. */
static int sysctl_read(const char *path)
{
	auto_free char *text = NULL;
	char full[256];

	snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
	return file_read(full, 64, &text, NULL, NULL) < 0 ? -1 : (int)strtol(text, NULL, 10);
}

static void forwarding(struct nodecheck *check)
{
	int v4 = sysctl_read("ipv4/ip_forward"), v6 = sysctl_read("ipv6/conf/all/forwarding");
	enum check_level level =
		check->config->network.mode == NETWORK_NONE ? CHECK_WARNING : check_missing(check);

	if (v4 != 1)
		check_say(check, level, "forwarding", "sysctl -w net.ipv4.ip_forward=1",
			  "net.ipv4.ip_forward is %d: pods reach nothing but this node", v4);
	else if (v6 == 0)
		check_say(check, CHECK_WARNING, "forwarding",
			  "sysctl -w net.ipv6.conf.all.forwarding=1, if pods have IPv6",
			  "IPv4; net.ipv6.conf.all.forwarding is 0");
	else
		check_say(check, CHECK_OK, "forwarding", NULL,
			  v6 == 1 ? "IPv4 and IPv6" : "IPv4 (no IPv6 here)");
}

static void rp_filter(struct nodecheck *check)
{
	int all = sysctl_read("ipv4/conf/all/rp_filter");

	if (all == 1)
		check_say(check, CHECK_WARNING, "rp_filter", "sysctl -w net.ipv4.conf.all.rp_filter=2",
			  "net.ipv4.conf.all.rp_filter is 1: where routes are not symmetric the kernel drops "
			  "packets, and no counter of Bulkhead tells");
	else
		check_say(check, CHECK_OK, "rp_filter", NULL, "net.ipv4.conf.all.rp_filter is %d", all);
}

void check_network(struct nodecheck *check)
{
	auto_free struct link_info *links = NULL;
	struct err err = { 0 };
	size_t n = 0;

	if (link_list(check->ns, &links, &n, &err) < 0)
		return check_say(check, CHECK_FAIL, "interfaces", "run this as root on the node", "%s",
				 err.msg);
	other_networks(check, links, n);
	hook_programs(check, links, n);
	mtu(check, links, n);
	forwarding(check);
	rp_filter(check);
}
