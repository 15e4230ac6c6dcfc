// SPDX-License-Identifier: Apache-2.0
#include "lib/kern.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "dataplane/hook.h"
#include "dataplane/loader.h"
#include "dataplane/pins.h"

/* Set-up that fails is no verdict about the code under test: stop at once. */
static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(99);
}

void kern_run(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command) != 0)
		die("command failed: %s", command);
}

/* Everything of ours stays in here and goes with the process. */
static const char *enter_namespaces(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return "no network and mount namespaces";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "cannot make mounts private";
	if (mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		return "cannot mount a private bpffs";
	return NULL;
}

struct kern *kern_open(const char **why)
{
	struct kern *kern = calloc(1, sizeof(*kern));
	struct err err = { 0 };

	if (!kern)
		die("out of memory");
	*why = enter_namespaces();
	if (*why) {
		free(kern);
		return NULL;
	}
	loader_config_default(&kern->config);
	if (loader_run(KERN_ROOT, &kern->config, &err) < 0)
		die("loading: %s", err.msg);
	if (maps_open(KERN_ROOT, &kern->maps, &err) < 0)
		die("opening the maps: %s", err.msg);
	kern->from_pod = pin_open_prog(KERN_ROOT, BH_PROG_FROM_POD, &err);
	kern->to_pod = pin_open_prog(KERN_ROOT, BH_PROG_TO_POD, &err);
	if (kern->from_pod < 0 || kern->to_pod < 0)
		die("opening the programs: %s", err.msg);
	/* No neighbour discovery of the interfaces' own among the counters. */
	if (file_put("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", &err) < 0 ||
	    file_put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", &err) < 0)
		die("quiet interfaces: %s", err.msg);
	kern_run("ip link set lo up && ip link add up0 type veth peer name up1 && ip link set up0 up");
	kern->uplink = if_nametoindex("up0");
	return kern;
}

struct kern *kern_close(struct kern *kern)
{
	if (!kern)
		return NULL;
	maps_free(kern->maps);
	close(kern->from_pod);
	close(kern->to_pod);
	loader_unpin_all(KERN_ROOT, NULL);
	umount("/sys/fs/bpf");
	free(kern);
	return NULL;
}

int kern_configure(struct kern *kern)
{
	struct err err = { 0 };

	if (maps_config_set(kern->maps, &kern->config, &err) < 0)
		die("configuring: %s", err.msg);
	return 0;
}

void kern_apply(struct kern *kern, const struct bh_write *writes, size_t n)
{
	struct err err = { 0 };

	if (maps_apply(kern->maps, writes, n, &err) < 0)
		die("applying: %s", err.msg);
}

static void pod_addresses(struct kern_pod *pod, uint8_t n)
{
	char text[40];

	snprintf(text, sizeof(text), "10.0.0.%u", n);
	pod->v4 = addr_of(text);
	snprintf(text, sizeof(text), "fd00::%x", n);
	pod->v6 = addr_of(text);
	snprintf(text, sizeof(text), "fe80::%x", n);
	pod->ll = addr_of(text);
}

void kern_pod_add(struct kern *kern, const char *name, uint8_t n, uint32_t flags, struct kern_pod *ret_pod)
{
	struct kern_pod pod = { .mac = { 2, 0xb, 0, 0, 0, n }, .host_mac = { 2, 0xb, 0, 0, 1, n } };
	struct bh_endpoint row = { .flags = flags };
	struct err err = { 0 };

	snprintf(pod.name, sizeof(pod.name), "%s", name);
	kern_run("ip link add name %s address 02:0b:00:00:01:%02x type veth peer name p-%s address "
		 "02:0b:00:00:00:%02x && "
		 "ip link set dev %s up && ip link set dev p-%s up",
		 name, n, name, n, name, name);
	pod.ifindex = if_nametoindex(name);
	pod_addresses(&pod, n);
	row.ifindex = pod.ifindex;
	memcpy(row.mac, pod.mac, 6);
	memcpy(row.host_mac, pod.host_mac, 6);
	row.addr[0] = pod.v4;
	row.addr[1] = pod.v6;
	row.addr[2] = pod.ll;
	if (maps_endpoint_claim(kern->maps, &row, &pod.slot, &err) < 0)
		die("claiming: %s", err.msg);
	if (maps_local_set(kern->maps, &pod.v4, pod.slot, &err) < 0 ||
	    maps_local_set(kern->maps, &pod.v6, pod.slot, &err) < 0)
		die("local addresses: %s", err.msg);
	pod.flags = (flags & BH_EP_POLICY_FLAGS) | BH_EP_OPEN;
	kern_pod_commit(kern, &pod);
	*ret_pod = pod;
}

void kern_pod_commit(struct kern *kern, struct kern_pod *pod)
{
	struct bh_write write = { .kind = BH_WRITE_ENDPOINT };

	write.endpoint.slot = pod->slot;
	write.endpoint.ifindex = pod->ifindex;
	write.endpoint.flags = pod->flags;
	write.endpoint.egress = pod->egress;
	write.endpoint.ingress = pod->ingress;
	write.endpoint.revision = ++pod->revision;
	kern_apply(kern, &write, 1);
}

void kern_pod_subjects(struct kern *kern, struct kern_pod *pod, uint32_t egress, uint32_t ingress)
{
	pod->egress = egress;
	pod->ingress = ingress;
	kern_pod_commit(kern, pod);
}

void kern_peer(struct kern *kern, const struct bh_addr *addr, uint32_t class)
{
	struct bh_write write = { .kind = BH_WRITE_PEER, .peer = { *addr, class } };

	kern_apply(kern, &write, 1);
}

void kern_prefix(struct kern *kern, const char *addr, uint32_t len, uint32_t class)
{
	struct bh_write write = { .kind = BH_WRITE_PREFIX };

	write.prefix.prefix.len = len;
	write.prefix.prefix.addr = addr_of(addr);
	write.prefix.class = class;
	kern_apply(kern, &write, 1);
}

void kern_row(struct kern *kern, uint32_t subject, uint32_t class, uint8_t rest, const struct bh_port *ports,
	      size_t n)
{
	static uint32_t used;
	struct bh_write write = { .kind = BH_WRITE_VERDICT };

	write.verdict.key.subject = subject;
	write.verdict.key.peer = class;
	write.verdict.verdict.first = used;
	write.verdict.verdict.count = (uint16_t)n;
	write.verdict.verdict.rest = rest;
	for (size_t i = 0; i < n; i++) {
		struct bh_write port = { .kind = BH_WRITE_PORT, .port = { used++, ports[i] } };

		kern_apply(kern, &port, 1);
	}
	kern_apply(kern, &write, 1);
}

void kern_row_erase(struct kern *kern, uint32_t subject, uint32_t class)
{
	struct bh_write write = { .kind = BH_ERASE_VERDICT };

	write.verdict.key.subject = subject;
	write.verdict.key.peer = class;
	kern_apply(kern, &write, 1);
}

static int flow_forget(const struct bh_flow_key *key, const struct bh_flow *flow, void *data)
{
	(void)flow;
	bpf_map_delete_elem(*(int *)data, key);
	return 0;
}

bool kern_has_tcx(void)
{
	enum hook_kind kind = HOOK_NONE;

	return hook_probe(&kind, NULL) == 0 && kind == HOOK_TCX;
}

void kern_flows_forget(struct kern *kern)
{
	struct err err = { 0 };
	int fd = pin_open_map(KERN_ROOT, BH_MAP_FLOWS, &err);

	if (fd < 0 || maps_flows_each(kern->maps, flow_forget, &fd, &err) < 0)
		die("forgetting flows: %s", err.msg);
	close(fd);
}

void kern_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		die("staying on one CPU: %s", strerror(errno));
}

uint32_t kern_time(struct kern *kern, int prog, uint32_t ifindex, uint32_t ingress_ifindex,
		   const struct frame *f, uint32_t repeat, int *ret_action)
{
	struct __sk_buff ctx = { .ifindex = ifindex, .ingress_ifindex = ingress_ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = (__u32)f->len,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)repeat);

	(void)kern;
	if (bpf_prog_test_run_opts(prog, &opts) < 0)
		die("BPF_PROG_TEST_RUN with %zu bytes on interface %u: %s", f->len, ifindex, strerror(errno));
	*ret_action = (int)opts.retval;
	return opts.duration;
}

int kern_from_pod(struct kern *kern, const struct kern_pod *pod, const struct frame *f)
{
	int action;

	kern_time(kern, kern->from_pod, pod->ifindex, pod->ifindex, f, 1, &action);
	return action;
}

int kern_to_pod(struct kern *kern, const struct kern_pod *pod, uint32_t ingress_ifindex,
		const struct frame *f)
{
	int action;

	kern_time(kern, kern->to_pod, pod->ifindex, ingress_ifindex, f, 1, &action);
	return action;
}

void kern_pod_move(struct kern *kern, struct kern_pod *pod)
{
	static bool private_names;

	(void)kern;
	/* Names of namespaces stay in this mount namespace. */
	if (!private_names)
		kern_run("mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns");
	private_names = true;
	kern_run("ip netns add %s && ip link set dev p-%s netns %s && "
		 "ip netns exec %s sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip -n %s link set dev p-%s "
		 "up",
		 pod->name, pod->name, pod->name, pod->name, pod->name, pod->name);
	pod->moved = true;
}

static int packet_socket(const char *ifname)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), room = 64 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("packet socket on %s: %s", ifname, strerror(errno));
	return fd;
}

/* Opened inside the pod's namespace, if it has one. */
static int inner_socket(const struct kern_pod *pod)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = -1, fd;
	char name[64];

	snprintf(name, sizeof(name), "/run/netns/%s", pod->name);
	if (pod->moved) {
		there = open(name, O_RDONLY | O_CLOEXEC);
		if (setns(there, CLONE_NEWNET) < 0)
			die("entering %s: %s", name, strerror(errno));
		close(there);
	}
	snprintf(name, sizeof(name), "p-%s", pod->name);
	fd = packet_socket(name);
	if (setns(home, CLONE_NEWNET) < 0)
		die("coming back: %s", strerror(errno));
	close(home);
	return fd;
}

void kern_wire(struct kern *kern, struct kern_pod *pod)
{
	enum hook_kind kind;
	struct err err = { 0 };

	(void)kern;
	if (hook_attach(KERN_ROOT, pod->ifindex, &kind, &err) < 0)
		die("attaching: %s", err.msg);
	pod->inner = inner_socket(pod);
	pod->outer = packet_socket(pod->name);
}

/* A drop on the way out comes back as ENOBUFS. */
static void wire_send(int fd, const struct frame *f)
{
	if (send(fd, f->data, f->len, 0) != (ssize_t)f->len && errno != ENOBUFS)
		die("sending %zu bytes: %s", f->len, strerror(errno));
}

void kern_wire_from(struct kern *kern, const struct kern_pod *pod, const struct frame *f)
{
	(void)kern;
	wire_send(pod->inner, f);
}

void kern_wire_to(struct kern *kern, const struct kern_pod *pod, const struct frame *f)
{
	(void)kern;
	wire_send(pod->outer, f);
}

void kern_settle(struct kern *kern, const struct kern_pod *pod)
{
	uint64_t last[2][BH_REASONS_MAX], now[2][BH_REASONS_MAX];
	struct err err = { 0 };

	memset(last, 0xff, sizeof(last));
	for (int i = 0; i < 100; i++) {
		if (maps_counters_get(kern->maps, pod->slot, now, &err) < 0)
			die("counters: %s", err.msg);
		if (memcmp(last, now, sizeof(now)) == 0)
			return;
		memcpy(last, now, sizeof(now));
		usleep(20 * 1000);
	}
	die("the counters of %s never rest", pod->name);
}

uint64_t kern_count(struct kern *kern, uint32_t slot, enum bh_direction direction, enum bh_reason reason)
{
	uint64_t counters[2][BH_REASONS_MAX];
	struct err err = { 0 };

	if (maps_counters_get(kern->maps, slot, counters, &err) < 0)
		die("counters: %s", err.msg);
	return counters[direction][reason];
}

void kern_frame_from(struct frame *f, const struct kern_pod *pod, const struct bh_addr *src,
		     const struct bh_addr *dst)
{
	bool v4 = memcmp(src, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

	frame_eth(f, pod->host_mac, pod->mac, v4 ? 0x0800 : 0x86dd);
	frame_ip(f, src, dst);
}

void kern_frame_to(struct frame *f, const struct kern_pod *pod, const struct bh_addr *src,
		   const struct bh_addr *dst)
{
	bool v4 = memcmp(src, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

	frame_eth(f, pod->mac, pod->host_mac, v4 ? 0x0800 : 0x86dd);
	frame_ip(f, src, dst);
}

const char *reason_name(unsigned int reason)
{
	static const char *const names[] = {
#define NAME(name, number, label, text) [number] = label,
		BH_REASON_LIST(NAME)
#undef NAME
	};

	return reason < sizeof(names) / sizeof(names[0]) && names[reason] ? names[reason] : "unknown";
}

/* Which reason rose in this slot and direction; BH_REASONS_MAX: none, or several. */
static unsigned int reason_risen(struct kern *kern, uint32_t slot, int direction,
				 uint64_t before[2][BH_REASONS_MAX])
{
	uint64_t after[2][BH_REASONS_MAX];
	unsigned int found = BH_REASONS_MAX, total = 0;
	struct err err = { 0 };

	if (maps_counters_get(kern->maps, slot, after, &err) < 0)
		die("counters: %s", err.msg);
	for (unsigned int i = 0; i < BH_REASONS_MAX; i++) {
		if (after[direction][i] != before[direction][i]) {
			found = i;
			total += (unsigned int)(after[direction][i] - before[direction][i]);
		}
	}
	return total == 1 ? found : BH_REASONS_MAX;
}

static bool gives(struct kern *kern, const struct kern_pod *pod, bool from, uint32_t ingress_ifindex,
		  const struct frame *f, enum bh_reason reason)
{
	int direction = from ? BH_EGRESS : BH_INGRESS, action;
	uint64_t before[2][BH_REASONS_MAX];
	struct err err = { 0 };
	unsigned int risen;
	bool refused;

	if (maps_counters_get(kern->maps, pod->slot, before, &err) < 0)
		die("counters: %s", err.msg);
	action = from ? kern_from_pod(kern, pod, f) : kern_to_pod(kern, pod, ingress_ifindex, f);
	risen = reason_risen(kern, pod->slot, direction, before);
	/* Who dials a Service that nobody serves is sent an error in the packet's place. */
	refused = action == KERN_DROP || (reason == BH_NO_BACKEND && action == KERN_REDIRECT);
	if (risen == reason && refused == (reason != BH_PASS))
		return true;
	fprintf(stderr, "# %s %s: wanted %s, counted %s, action %d\n", from ? "from" : "to", pod->name,
		reason_name(reason), reason_name(risen), action);
	return false;
}

bool kern_from_gives(struct kern *kern, const struct kern_pod *pod, const struct frame *f,
		     enum bh_reason reason)
{
	return gives(kern, pod, true, pod->ifindex, f, reason);
}

bool kern_to_gives(struct kern *kern, const struct kern_pod *pod, uint32_t ingress_ifindex,
		   const struct frame *f, enum bh_reason reason)
{
	return gives(kern, pod, false, ingress_ifindex, f, reason);
}
