// SPDX-License-Identifier: Apache-2.0
/* Loading, pinning, attaching and replacing, in both forms of the hook. */
#include "lib/kern_main.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/hook.h"
#include "dataplane/loader.h"
#include "dataplane/pins.h"

static struct kern_pod pod;
static unsigned int serial;

static uint32_t fresh_veth(void)
{
	char name[16];

	snprintf(name, sizeof(name), "h%u", serial);
	kern_run("ip link add name h%u type veth peer name i%u && ip link set dev h%u up", serial, serial,
		 serial);
	serial++;
	return if_nametoindex(name);
}

static void force_clsact(bool on)
{
	if (on)
		setenv("BULKHEAD_HOOK", "clsact", 1);
	else
		unsetenv("BULKHEAD_HOOK");
}

/* As the daemon does some time after an ADD. */
static void move(uint32_t ifindex)
{
	struct bh_endpoint row = { .ifindex = ifindex };
	struct err err = { 0 };
	uint32_t slot;

	assert_int_equal(maps_endpoint_claim(kern->maps, &row, &slot, &err), 0);
	assert_true(hook_move(KERN_ROOT, kern->maps, ifindex, &err) >= 0);
	assert_int_equal(maps_endpoint_release(kern->maps, ifindex, &err), 0);
}

static void attach_check_detach(enum hook_kind wanted)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind = HOOK_NONE;
	struct err err = { 0 };

	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), -ENOENT);
	assert_int_equal(hook_replace(KERN_ROOT, ifindex, &err), -ENOENT);
	memset(&err, 0, sizeof(err));
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	assert_int_equal(err.code, 0);	     /* what was tried in vain is no error */
	assert_int_equal(kind, HOOK_CLSACT); /* at once, in any case */
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), 0);
	move(ifindex);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0); /* once more */
	assert_int_equal(kind, wanted);
	assert_int_equal(hook_replace(KERN_ROOT, ifindex, &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), 0);
	assert_int_equal(hook_detach(KERN_ROOT, ifindex, &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), -ENOENT);
	assert_int_equal(hook_detach(KERN_ROOT, ifindex, &err), 0);
}

static void tcx_attaches_checks_and_detaches(void **state)
{
	(void)state;
	kern_tcx_or_skip();
	force_clsact(false);
	attach_check_detach(HOOK_TCX);
}

static void clsact_attaches_checks_and_detaches(void **state)
{
	(void)state;
	force_clsact(true);
	attach_check_detach(HOOK_CLSACT);
	force_clsact(false);
}

/* A restart of the daemon: new programs, same maps, hooks replaced in place. */
static void loading_again_replaces_both_forms_of_hook(void **state)
{
	struct kern_pod tcx, clsact;
	enum hook_kind kind;
	struct err err = { 0 };

	(void)state;
	kern_tcx_or_skip();
	kern_pod_add(kern, "t", 40, BH_EP_ROUTED, &tcx);
	kern_pod_add(kern, "c", 41, BH_EP_ROUTED, &clsact);
	assert_int_equal(hook_attach(KERN_ROOT, tcx.ifindex, &kind, &err), 0);
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, tcx.ifindex, &err), 1);
	force_clsact(true);
	assert_int_equal(hook_attach(KERN_ROOT, clsact.ifindex, &kind, &err), 0);
	force_clsact(false);
	if (loader_run(KERN_ROOT, &kern->config, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(hook_check(KERN_ROOT, tcx.ifindex, &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, clsact.ifindex, &err), 0);
	/* Rows are what they were. */
	struct bh_endpoint row;

	assert_int_equal(maps_endpoint_get(kern->maps, tcx.slot, &row, &err), 0);
	assert_int_equal(row.ifindex, tcx.ifindex);
	assert_true(row.flags & BH_EP_OPEN);
}

static void other_filters_are_left_alone(void **state)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind;
	struct err err = { 0 };

	(void)state;
	force_clsact(true);
	kern_run("tc qdisc add dev h%u clsact && tc filter add dev h%u ingress prio 20 bpf da "
		 "object-pinned " KERN_ROOT "/" PINS_PROGS "/bh_to_pod",
		 serial - 1, serial - 1);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	assert_int_equal(hook_detach(KERN_ROOT, ifindex, &err), 0);
	kern_run("tc filter show dev h%u ingress | grep -q 'pref 20'", serial - 1);
	force_clsact(false);
}

static void somebody_elses_place_is_not_taken(void **state)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind;
	struct err err = { 0 };

	(void)state;
	/* The other program at the very handle and priority that are ours. */
	kern_run("tc qdisc add dev h%u clsact && tc filter add dev h%u ingress prio 1 handle 0xbd bpf da "
		 "object-pinned " KERN_ROOT "/" PINS_PROGS "/bh_to_pod",
		 serial - 1, serial - 1);
	force_clsact(true);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), -EBUSY);
	force_clsact(false);
	kern_run("tc filter show dev h%u ingress | grep -q bh_to_pod", serial - 1);
}

/* Where our filter finds no place, a link does. */
static void a_taken_place_makes_it_a_link_at_once(void **state)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind;
	struct err err = { 0 };

	(void)state;
	kern_tcx_or_skip();
	kern_run("tc qdisc add dev h%u clsact && tc filter add dev h%u egress prio 1 handle 0xbd bpf da "
		 "object-pinned " KERN_ROOT "/" PINS_PROGS "/bh_from_pod",
		 serial - 1, serial - 1);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	assert_int_equal(kind, HOOK_TCX); /* of the side that was taken */
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), 0);
	move(ifindex);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), 0);
	kern_run("tc filter show dev h%u egress | grep -q bh_from_pod", serial - 1);
	assert_int_equal(hook_detach(KERN_ROOT, ifindex, &err), 0);
	kern_run("tc filter show dev h%u egress | grep -q bh_from_pod", serial - 1);
}

static void failed_attach_leaves_neither_side(void **state)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind;
	struct err err = { 0 };

	(void)state;
	kern_run("tc qdisc add dev h%u clsact && tc filter add dev h%u egress prio 1 handle 0xbd bpf da "
		 "object-pinned " KERN_ROOT "/" PINS_PROGS "/bh_from_pod",
		 serial - 1, serial - 1);
	force_clsact(true);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), -EBUSY);
	force_clsact(false);
	kern_run("! tc filter show dev h%u ingress | grep -q bh_from_pod", serial - 1);
}

static void another_program_in_our_place_is_noticed(void **state)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind;
	struct err err = { 0 };
	int fd;

	(void)state;
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	/* A newer program is pinned, the hook still runs the older one. */
	fd = pin_open_prog(KERN_ROOT, BH_PROG_TO_POD, &err);
	assert_true(fd >= 0);
	assert_int_equal(rename(KERN_ROOT "/" PINS_PROGS "/bh_from_pod", KERN_ROOT "/" PINS_PROGS "/kept"),
			 0);
	assert_int_equal(pin_replace(fd, KERN_ROOT "/" PINS_PROGS "/bh_from_pod", &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), -EPROTO);
	assert_int_equal(rename(KERN_ROOT "/" PINS_PROGS "/kept", KERN_ROOT "/" PINS_PROGS "/bh_from_pod"),
			 0);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), 0);
	close(fd);
}

static void vanished_interface_detaches_in_peace(void **state)
{
	uint32_t ifindex = fresh_veth();
	enum hook_kind kind;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	kern_run("ip link del dev h%u", serial - 1);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), -ENOENT);
	assert_int_equal(hook_detach(KERN_ROOT, ifindex, &err), 0);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err) < 0, 1);
	assert_int_equal(hook_detach(KERN_ROOT, 999999, &err), 0);
}

/* The kernel's answer to BPF_PROG_QUERY, younger than Debian 12's headers. */
struct tcx_query {
	__u32 ifindex;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__u64 prog_ids;
	__u32 count;
	__u32 pad;
	__u64 more[4];
};

static void first_in_line(uint32_t ifindex, char name[BPF_OBJ_NAME_LEN])
{
	__u32 ids[4] = { 0 }, size = sizeof(struct bpf_prog_info);
	struct tcx_query query = { .ifindex = ifindex, .attach_type = 46, .count = 4 };
	struct bpf_prog_info info = { 0 };
	int fd;

	query.prog_ids = (__u64)(uintptr_t)ids;
	assert_int_equal(syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)), 0);
	assert_int_equal(query.count, 2);
	fd = bpf_prog_get_fd_by_id(ids[0]);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	close(fd);
}

/* A program before ours could end the walk before ours has judged. */
static void ours_is_first_whoever_came_before(void **state)
{
	uint32_t ifindex = fresh_veth();
	char name[BPF_OBJ_NAME_LEN];
	enum hook_kind kind;
	struct err err = { 0 };
	int other, link;

	(void)state;
	kern_tcx_or_skip();
	other = pin_open_prog(KERN_ROOT, BH_PROG_TO_POD, &err);
	link = bpf_link_create(other, (int)ifindex, (enum bpf_attach_type)46, NULL);
	assert_true(link >= 0);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, ifindex, &err), 0);
	first_in_line(ifindex, name);
	assert_string_equal(name, BH_PROG_FROM_POD);
	close(link);
	ifindex = fresh_veth();
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, &kind, &err), 0);
	link = bpf_link_create(other, (int)ifindex, (enum bpf_attach_type)46, NULL);
	move(ifindex);
	first_in_line(ifindex, name);
	assert_string_equal(name, BH_PROG_FROM_POD);
	close(link);
	close(other);
}

/* What a newer daemon would leave, as far as ours looks at it. */
struct seen {
	int before, behind;
};

static int stranger_count(const char *prog, bool before_ours, void *data)
{
	struct seen *seen = data;

	(void)prog;
	seen->before += before_ours;
	seen->behind += !before_ours;
	return 0;
}

static void strangers_on_our_hooks_are_told(void **state)
{
	uint32_t ifindex = fresh_veth();
	struct err err = { 0 };
	struct seen seen = { 0 };
	int other, link, first;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = 1U << 3); /* BPF_F_BEFORE */

	(void)state;
	kern_tcx_or_skip();
	other = pin_open_prog(KERN_ROOT, BH_PROG_TO_POD, &err);
	assert_int_equal(hook_attach(KERN_ROOT, ifindex, NULL, &err), 0);
	move(ifindex);
	assert_int_equal(hook_strangers(ifindex, stranger_count, &seen), 0);
	assert_int_equal(seen.before + seen.behind, 0);
	link = bpf_link_create(other, (int)ifindex, (enum bpf_attach_type)46, NULL);
	assert_true(link >= 0);
	assert_int_equal(hook_strangers(ifindex, stranger_count, &seen), 0);
	assert_int_equal(seen.before, 0);
	assert_int_equal(seen.behind, 1);
	first = bpf_link_create(other, (int)ifindex, (enum bpf_attach_type)46, &opts);
	close(link);
	seen = (struct seen){ 0 };
	assert_int_equal(hook_strangers(ifindex, stranger_count, &seen), 0);
	assert_int_equal(seen.before, first >= 0);
	assert_int_equal(hook_strangers(999999, stranger_count, &seen), 0);
	close(first);
	close(other);
}

static void the_kernels_hooks_are_found_by_trying(void **state)
{
	enum hook_kind kind = HOOK_NONE;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(hook_probe(&kind, &err), 0);
	assert_int_not_equal(kind, HOOK_NONE);
	assert_int_equal(loader_try(&err), 0);
}

static void a_newer_layout_is_refused_in_words(void **state)
{
	struct err err = { 0 };
	struct maps *maps;

	(void)state;
	kern_run("mkdir -p " KERN_ROOT "/abi_99/maps");
	assert_int_equal(pins_current_set(KERN_ROOT, 99, &err), 0);
	assert_int_equal(loader_run(KERN_ROOT, &kern->config, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "layout 99, this program needs " PINS_TEXT(BH_ABI)));
	assert_int_equal(maps_open(KERN_ROOT, &maps, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "layout 99, this program needs " PINS_TEXT(BH_ABI)));
	assert_int_equal(pins_current_set(KERN_ROOT, BH_ABI, &err), 0);
	assert_int_equal(loader_run(KERN_ROOT, &kern->config, &err), 0);
	assert_int_equal(access(KERN_ROOT "/abi_99", F_OK), -1);
}

static void map_of_another_shape_is_refused_in_words(void **state)
{
	struct err err = { 0 };
	int fd;

	(void)state;
	kern_run("mkdir -p " KERN_ROOT "2/" PINS_MAPS);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "bh_peers", 16, 4, 64, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, KERN_ROOT "2/" PINS_MAPS "/bh_peers"), 0);
	assert_int_equal(pins_current_set(KERN_ROOT "2", BH_ABI, &err), 0);
	assert_int_equal(loader_run(KERN_ROOT "2", &kern->config, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "bh_peers"));
	assert_non_null(strstr(err.msg, "64 entries"));
	close(fd);
	assert_int_equal(loader_unpin_all(KERN_ROOT "2", &err), 0);
	assert_int_equal(access(KERN_ROOT "2", F_OK), -1);
}

/* Claims and handovers exclude each other; after one, an old handle claims nothing. */
static void a_handle_of_before_a_handover_claims_nothing(void **state)
{
	struct err err = { 0 };
	int lock = -1, other = open(KERN_ROOT, O_RDONLY | O_DIRECTORY);

	(void)state;
	kern_run("mkdir -p " KERN_ROOT "/abi_99/maps");
	assert_int_equal(maps_lock(kern->maps, &lock, &err), 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	close(lock);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
	assert_int_equal(pins_current_set(KERN_ROOT, 99, &err), 0);
	assert_int_equal(maps_lock(kern->maps, &lock, &err), -ESTALE);
	assert_int_equal(pins_current_set(KERN_ROOT, BH_ABI, &err), 0);
	assert_int_equal(maps_lock(kern->maps, &lock, &err), 0);
	close(lock);
}

static void pins_without_folders_are_refused_in_words(void **state)
{
	struct err err = { 0 };

	(void)state;
	kern_run("mkdir -p " KERN_ROOT "2/maps");
	assert_int_equal(loader_run(KERN_ROOT "2", &kern->config, &err), -EPROTO);
	assert_non_null(strstr(err.msg, KERN_ROOT "2/maps"));
	kern_run("rmdir " KERN_ROOT "2/maps " KERN_ROOT "2/links " KERN_ROOT "2");
}

static void tables_that_were_never_made_are_said_to_be_missing(void **state)
{
	struct maps *maps;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(maps_open("/sys/fs/bpf/nowhere", &maps, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/sys/fs/bpf/nowhere"));
}

static void this_kernel_has_all_that_is_needed(void **state)
{
	struct err err = { 0 };

	(void)state;
	if (loader_probe(&err) < 0)
		fail_msg("%s", err.msg);
}

/* A kernel accepts a million. Verifiers differ: of from_pod, 6.18 looks at 356,000
 * instructions, 6.1 at 571,000. */
static void programs_stay_within_the_verifiers_budget(void **state)
{
	static const char *const progs[] = { BH_PROG_FROM_POD, BH_PROG_TO_POD, BH_PROG_SWEEP };
	struct loader_prog_info info;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(loader_prog_info(KERN_ROOT, progs[i], &info, &err), 0);
		print_message("# %s: %u instructions, %u verified\n", progs[i], info.insns,
			      info.insns_verified);
		assert_in_range(info.insns_verified, 1, 700000);
	}
	assert_int_equal(loader_prog_info(KERN_ROOT, "bh_nothing", &info, &err), -ENOENT);
}

static void slots_are_claimed_probed_and_freed(void **state)
{
	struct bh_endpoint row = { .flags = BH_EP_OPEN | BH_EP_ROUTED }, got;
	struct err err = { 0 };
	uint32_t slot, last = 0;

	(void)state;
	for (uint32_t i = 0; i < BH_ENDPOINT_PROBE; i++) {
		row.ifindex = 700 + i * BH_ENDPOINTS_MAX;
		assert_int_equal(maps_endpoint_claim(kern->maps, &row, &slot, &err), 0);
		assert_int_equal(slot, 700 + i);
		assert_int_equal(maps_endpoint_get(kern->maps, slot, &got, &err), 0);
		assert_int_equal(got.flags, BH_EP_ROUTED); /* closed */
		assert_int_equal(maps_endpoint_claim(kern->maps, &row, &slot, &err), -EEXIST);
		last = row.ifindex;
	}
	row.ifindex = 700 + BH_ENDPOINT_PROBE * BH_ENDPOINTS_MAX;
	assert_int_equal(maps_endpoint_claim(kern->maps, &row, &slot, &err), -ENOSPC);
	assert_int_equal(maps_endpoint_find(kern->maps, last, &slot, &err), 0);
	assert_int_equal(slot, 707);
	for (uint32_t i = 0; i < BH_ENDPOINT_PROBE; i++)
		assert_int_equal(maps_endpoint_release(kern->maps, 700 + i * BH_ENDPOINTS_MAX, &err), 0);
	assert_int_equal(maps_endpoint_release(kern->maps, last, &err), 0); /* nothing there */
	assert_int_equal(maps_endpoint_find(kern->maps, last, &slot, &err), -ENOENT);
}

static void released_addresses_are_nobodys(void **state)
{
	struct bh_endpoint row = { .ifindex = 900 };
	struct bh_addr mine = addr_of("10.9.9.9"), others = addr_of("10.9.9.10");
	struct err err = { 0 };
	uint32_t slot;
	struct bh_local local;
	int fd = pin_open_map(KERN_ROOT, BH_MAP_LOCALS, &err);

	(void)state;
	assert_int_equal(maps_endpoint_claim(kern->maps, &row, &slot, &err), 0);
	assert_int_equal(maps_local_set(kern->maps, &mine, slot, &err), 0);
	assert_int_equal(maps_local_set(kern->maps, &others, BH_LOCAL_NODE, &err), 0);
	assert_int_equal(maps_endpoint_release(kern->maps, row.ifindex, &err), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &mine, &local), -ENOENT);
	assert_int_equal(bpf_map_lookup_elem(fd, &others, &local), 0);
	assert_int_equal(maps_node_addrs_set(kern->maps, NULL, 0, &err), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &others, &local), -ENOENT);
	close(fd);
}

static void write_for_another_interface_is_refused(void **state)
{
	struct bh_write writes[2] = { { .kind = BH_WRITE_PEER, .peer = { addr_of("10.1.1.1"), 5 } },
				      { .kind = BH_WRITE_ENDPOINT } };
	struct err err = { 0 };

	(void)state;
	writes[1].endpoint.slot = pod.slot;
	writes[1].endpoint.ifindex = pod.ifindex + 1;
	assert_int_equal(maps_apply(kern->maps, writes, 2, &err), -ESTALE);
	assert_non_null(strstr(err.msg, "write 2 of 2"));
	writes[1].endpoint.ifindex = pod.ifindex;
	writes[1].endpoint.flags = BH_EP_ROUTED; /* not policy's to change */
	assert_int_equal(maps_apply(kern->maps, writes, 2, &err), -EINVAL);
}

static void snapshot_reads_back_what_was_applied(void **state)
{
	static const struct bh_port web = { .first = 80, .last = 81, .proto = 6, .action = BH_ALLOW };
	struct bh_snapshot s;
	struct bh_addr peer = addr_of("10.2.3.4");
	struct err err = { 0 };
	unsigned int found = 0;

	(void)state;
	kern_peer(kern, &peer, 71);
	kern_prefix(kern, "10.2.0.0", 112, 72);
	kern_prefix(kern, "2001:db8::", 32, 73);
	kern_row(kern, 5, 71, BH_DENY, &web, 1);
	assert_int_equal(maps_snapshot(kern->maps, &s, &err), 0);
	for (uint32_t i = 0; i < s.n_peers; i++)
		found += memcmp(&s.peers[i].addr, &peer, 16) == 0 && s.peers[i].class == 71;
	for (uint32_t i = 0; i < s.n_prefixes; i++)
		found += (s.prefixes[i].class == 72 && s.prefixes[i].prefix.len == 112) ||
			 (s.prefixes[i].class == 73 && s.prefixes[i].prefix.len == 32);
	for (uint32_t i = 0; i < s.n_verdicts; i++)
		found += s.verdicts[i].key.subject == 5 && s.verdicts[i].key.peer == 71 &&
			 s.ports[s.verdicts[i].verdict.first].last == 81;
	assert_int_equal(found, 4);
	assert_int_equal(s.endpoints[pod.slot].ifindex, pod.ifindex);
	maps_snapshot_done(&s);
}

static void erased_rows_are_gone(void **state)
{
	struct bh_write writes[2] = { { .kind = BH_ERASE_PEER }, { .kind = BH_ERASE_PREFIX } };
	struct bh_snapshot before, after;
	struct err err = { 0 };

	(void)state;
	writes[0].peer.addr = addr_of("10.2.3.4");
	writes[1].prefix.prefix.len = 112;
	writes[1].prefix.prefix.addr = addr_of("10.2.0.0");
	assert_int_equal(maps_snapshot(kern->maps, &before, &err), 0);
	assert_int_equal(maps_apply(kern->maps, writes, 2, &err), 0);
	assert_int_equal(maps_apply(kern->maps, writes, 2, &err), 0); /* nothing there: success */
	assert_int_equal(maps_snapshot(kern->maps, &after, &err), 0);
	assert_int_equal(after.n_peers, before.n_peers - 1);
	assert_int_equal(after.n_prefixes, before.n_prefixes - 1);
	maps_snapshot_done(&before);
	maps_snapshot_done(&after);
}

static int pods_add(void **state)
{
	(void)state;
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &pod);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_kernel_has_all_that_is_needed),
		cmocka_unit_test(tcx_attaches_checks_and_detaches),
		cmocka_unit_test(clsact_attaches_checks_and_detaches),
		cmocka_unit_test(loading_again_replaces_both_forms_of_hook),
		cmocka_unit_test(other_filters_are_left_alone),
		cmocka_unit_test(somebody_elses_place_is_not_taken),
		cmocka_unit_test(a_taken_place_makes_it_a_link_at_once),
		cmocka_unit_test(failed_attach_leaves_neither_side),
		cmocka_unit_test(another_program_in_our_place_is_noticed),
		cmocka_unit_test(vanished_interface_detaches_in_peace),
		cmocka_unit_test(ours_is_first_whoever_came_before),
		cmocka_unit_test(strangers_on_our_hooks_are_told),
		cmocka_unit_test(the_kernels_hooks_are_found_by_trying),
		cmocka_unit_test(a_newer_layout_is_refused_in_words),
		cmocka_unit_test(a_handle_of_before_a_handover_claims_nothing),
		cmocka_unit_test(pins_without_folders_are_refused_in_words),
		cmocka_unit_test(map_of_another_shape_is_refused_in_words),
		cmocka_unit_test(tables_that_were_never_made_are_said_to_be_missing),
		cmocka_unit_test(programs_stay_within_the_verifiers_budget),
		cmocka_unit_test(slots_are_claimed_probed_and_freed),
		cmocka_unit_test(released_addresses_are_nobodys),
		cmocka_unit_test(write_for_another_interface_is_refused),
		cmocka_unit_test(snapshot_reads_back_what_was_applied),
		cmocka_unit_test(erased_rows_are_gone),
	};

	return kern_main(tests);
}
