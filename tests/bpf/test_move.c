// SPDX-License-Identifier: Apache-2.0
/* An interface on its way from filters to links, stopped after each step: every packet
 * is judged once, and whoever comes next finds the way on, back or out. */
#include "lib/kern_main.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/fence.h"
#include "dataplane/hook.h"
#include "dataplane/hook_room.h"
#include "dataplane/loader.h"
#include "dataplane/pins.h"

#define SUBJECT	  70
#define SHOTS	  50
#define OPEN_PORT 53
#define SHUT_PORT 54

static struct kern_pod pod;
static const struct bh_addr *far;

/* What hook_move() does, one after the other. */
enum step { FILTERS, FLAG, FROM_BOTH, FROM_LINK, TO_BOTH, LINKS, STEPS };
static const char *const step_names[STEPS] = { "filters",    "flag",	 "from: both",
					       "from: link", "to: both", "links" };

static void link_add(const struct hook_side *side)
{
	struct err err = { 0 };
	int prog = pin_open_prog(KERN_ROOT, side->prog, &err);

	assert_true(prog >= 0);
	assert_int_equal(tcx_attach(KERN_ROOT, pod.ifindex, side, prog, &err), 0);
	close(prog);
}

static void step_take(enum step step)
{
	struct err err = { 0 };

	if (step == FLAG) {
		assert_int_equal(maps_moving_set(kern->maps, true, &err), 0);
		assert_int_equal(fence(), 0);
	} else if (step == FROM_BOTH || step == TO_BOTH) {
		link_add(&hook_sides[step == TO_BOTH]);
	} else if (step == FROM_LINK || step == LINKS) {
		assert_int_equal(clsact_detach(pod.ifindex, &hook_sides[step == LINKS], &err), 0);
	}
}

static void go_to(enum step step)
{
	struct err err = { 0 };

	assert_int_equal(hook_detach(KERN_ROOT, pod.ifindex, &err), 0);
	assert_int_equal(maps_moving_set(kern->maps, false, &err), 0);
	assert_int_equal(hook_attach(KERN_ROOT, pod.ifindex, NULL, &err), 0);
	for (enum step s = FILTERS; s <= step; s++)
		step_take(s);
}

static struct frame datagram(bool from, uint16_t port)
{
	struct frame f;

	if (from)
		kern_frame_from(&f, &pod, &pod.v4, far);
	else
		kern_frame_to(&f, &pod, far, &pod.v4);
	frame_udp(&f, from ? 1000 : 2000, port);
	frame_end(&f);
	return f;
}

struct counts {
	uint64_t passed[2], denied[2];
};

static struct counts counts_now(void)
{
	struct counts now;

	kern_settle(kern, &pod);
	for (int d = 0; d < 2; d++) {
		now.passed[d] = kern_count(kern, pod.slot, (enum bh_direction)d, BH_PASS);
		now.denied[d] = kern_count(kern, pod.slot, (enum bh_direction)d, BH_POLICY);
	}
	return now;
}

/* Datagrams that came out at the pod since the last call. */
static unsigned int arrived(uint16_t port)
{
	static uint8_t buf[FRAME_MAX];
	unsigned int n = 0;

	for (int patience = 0; patience < 20;) {
		ssize_t len = recv(pod.inner, buf, sizeof(buf), 0);

		if (len < 0) {
			patience++;
			usleep(1000);
		} else if (len >= 42 && buf[6] == pod.host_mac[0] && buf[23] == 17 &&
			   (buf[36] << 8 | buf[37]) == port) {
			n++;
		}
	}
	return n;
}

/* What enters at the host side is the node's own, so policy is asked on the way out only. */
static void shoot(struct counts *ret_more)
{
	struct frame out = datagram(true, OPEN_PORT), no = datagram(true, SHUT_PORT);
	struct frame in = datagram(false, OPEN_PORT);
	struct counts before = counts_now(), after;

	for (int i = 0; i < SHOTS; i++) {
		kern_wire_from(kern, &pod, &out);
		kern_wire_from(kern, &pod, &no);
		kern_wire_to(kern, &pod, &in);
	}
	after = counts_now();
	for (int d = 0; d < 2; d++) {
		ret_more->passed[d] = after.passed[d] - before.passed[d];
		ret_more->denied[d] = after.denied[d] - before.denied[d];
	}
}

static void is_judged_once(const char *when)
{
	struct counts more;

	arrived(0);
	shoot(&more);
	if (more.passed[BH_EGRESS] != SHOTS || more.denied[BH_EGRESS] != SHOTS ||
	    more.passed[BH_INGRESS] != SHOTS)
		fail_msg("%s: passed %llu and denied %llu on the way out, passed %llu on the way in, each of "
			 "%d",
			 when, (unsigned long long)more.passed[BH_EGRESS],
			 (unsigned long long)more.denied[BH_EGRESS],
			 (unsigned long long)more.passed[BH_INGRESS], SHOTS);
	assert_int_equal(arrived(OPEN_PORT), SHOTS);
}

static bool filter_is_there(int side)
{
	return clsact_ours(pod.ifindex, &hook_sides[side], NULL) == 0;
}

static bool link_is_there(int side)
{
	uint32_t id;

	return tcx_query(KERN_ROOT, pod.ifindex, &hook_sides[side], &id, NULL) == 0;
}

static void is_moved(void)
{
	for (int side = 0; side < HOOK_SIDES; side++) {
		assert_true(link_is_there(side));
		assert_false(filter_is_there(side));
	}
}

static void stopped_after_any_step_each_packet_is_judged_once(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (enum step step = FILTERS; step < STEPS; step++) {
		go_to(step);
		is_judged_once(step_names[step]);
		assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), 0);
	}
}

/* That the link's program and the filter's meet the same packet, which the test above
 * would not show if they did not. */
static void without_marks_they_would_be_judged_twice(void **state)
{
	struct counts more;
	struct err err = { 0 };

	(void)state;
	go_to(FROM_BOTH);
	link_add(&hook_sides[1]);
	assert_int_equal(maps_moving_set(kern->maps, false, &err), 0);
	shoot(&more);
	assert_int_equal(more.passed[BH_EGRESS], 2 * SHOTS);
	assert_int_equal(more.denied[BH_EGRESS], SHOTS);
	assert_int_equal(more.passed[BH_INGRESS], 2 * SHOTS);
}

static void a_restart_takes_filters_away_where_links_are(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (enum step step = FILTERS; step < STEPS; step++) {
		go_to(step);
		if (loader_run(KERN_ROOT, &kern->config, &err) < 0)
			fail_msg("%s", err.msg);
		for (int side = 0; side < HOOK_SIDES; side++)
			assert_int_equal(filter_is_there(side) + link_is_there(side), 1);
		assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), 0);
		is_judged_once(step_names[step]);
	}
}

static void moving_goes_on_where_it_stopped(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (enum step step = FILTERS; step < STEPS; step++) {
		go_to(step);
		assert_int_equal(hook_move(KERN_ROOT, kern->maps, pod.ifindex, &err), step != LINKS);
		is_moved();
		assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), 0);
		is_judged_once(step_names[step]);
	}
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, pod.ifindex, &err), 0); /* nothing to do */
	is_moved();
}

static void detaching_clears_every_step(void **state)
{
	struct err err = { 0 };

	(void)state;
	for (enum step step = FILTERS; step < STEPS; step++) {
		go_to(step);
		assert_int_equal(hook_detach(KERN_ROOT, pod.ifindex, &err), 0);
		for (int side = 0; side < HOOK_SIDES; side++)
			assert_false(filter_is_there(side) || link_is_there(side));
		assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), -ENOENT);
		assert_int_equal(hook_move(KERN_ROOT, kern->maps, pod.ifindex, &err), 0);
		assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), -ENOENT);
	}
}

/* One frame through a program, cb[] as the sender's stack left it, and as it is then. */
static int run_with(int prog, uint32_t ifindex, const struct frame *f, __u32 cb[2])
{
	struct __sk_buff in = { .ifindex = ifindex, .ingress_ifindex = ifindex, .cb = { cb[0], cb[1] } };
	struct __sk_buff out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = (__u32)f->len, .ctx_in = &in,
		    .ctx_size_in = sizeof(in), .ctx_out = &out, .ctx_size_out = sizeof(out), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	memcpy(cb, out.cb, 2 * sizeof(cb[0]));
	return (int)opts.retval;
}

static void a_mark_is_good_for_its_own_hook_and_for_once(void **state)
{
	static struct kern_pod other;
	struct frame good = datagram(true, OPEN_PORT), bad = datagram(true, SHUT_PORT),
		     in = datagram(false, 9);
	int from = pin_open_prog(KERN_ROOT, BH_PROG_FROM_POD, NULL),
	    to = pin_open_prog(KERN_ROOT, BH_PROG_TO_POD, NULL);
	__u32 none[2] = { 0, 0 }, mark[2] = { 0, 0 }, used[2], of_to[2] = { 0, 0 };

	(void)state;
	kern_pod_add(kern, "other", 41, BH_EP_ROUTED, &other);
	kern_pod_subjects(kern, &other, SUBJECT, 0);
	go_to(FLAG);
	assert_int_equal(run_with(from, pod.ifindex, &bad, none), KERN_DROP);
	assert_int_equal(run_with(from, pod.ifindex, &good, mark), KERN_NEXT);
	assert_true(mark[0] && mark[1]);
	memcpy(used, mark, sizeof(used));
	assert_int_equal(run_with(to, pod.ifindex, &in, of_to), KERN_NEXT);
	assert_memory_not_equal(of_to, mark, sizeof(mark));

	/* The same packet again is let go, whatever it is; its mark is spent. */
	assert_int_equal(run_with(from, pod.ifindex, &bad, used), KERN_NEXT);
	assert_int_equal(run_with(from, pod.ifindex, &bad, used), KERN_DROP);

	memcpy(used, mark, sizeof(used));
	assert_int_equal(run_with(from, other.ifindex, &bad, used), KERN_DROP);
	assert_int_equal(run_with(from, pod.ifindex, &bad, of_to), KERN_DROP);
	for (int bit = 0; bit < 64; bit++) {
		memcpy(used, mark, sizeof(used));
		used[bit / 32] ^= 1U << bit % 32;
		assert_int_equal(run_with(from, pod.ifindex, &bad, used), KERN_DROP);
	}

	/* Nobody moves: a mark is neither heeded nor made. */
	assert_int_equal(maps_moving_set(kern->maps, false, NULL), 0);
	memcpy(used, mark, sizeof(used));
	assert_int_equal(run_with(from, pod.ifindex, &bad, used), KERN_DROP);
	none[0] = none[1] = 0;
	assert_int_equal(run_with(from, pod.ifindex, &good, none), KERN_NEXT);
	assert_int_equal(none[0] | none[1], 0);
	close(from);
	close(to);
}

static void each_load_has_marks_of_its_own(void **state)
{
	struct frame good = datagram(true, OPEN_PORT);
	__u32 marks[2][2] = { 0 };
	struct err err = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int from;

		assert_int_equal(loader_run(KERN_ROOT, &kern->config, &err), 0);
		assert_int_equal(maps_moving_set(kern->maps, true, &err), 0);
		from = pin_open_prog(KERN_ROOT, BH_PROG_FROM_POD, &err);
		assert_int_equal(run_with(from, pod.ifindex, &good, marks[i]), KERN_NEXT);
		close(from);
	}
	assert_int_equal(maps_moving_set(kern->maps, false, &err), 0);
	assert_true(marks[0][0] != marks[1][0] && marks[0][1] != marks[1][1]);
}

/* An upgrade's programs have other marks than the filter's older one. */
static void a_filter_of_an_older_load_is_replaced_before_it_moves(void **state)
{
	struct err err = { 0 };
	int kept = pin_open_prog(KERN_ROOT, BH_PROG_FROM_POD, &err);

	(void)state;
	go_to(FILTERS);
	assert_int_equal(loader_run(KERN_ROOT, &kern->config, &err), 0);
	assert_int_equal(clsact_replace(pod.ifindex, &hook_sides[0], kept, &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), -EPROTO);
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, pod.ifindex, &err), 1);
	is_moved();
	assert_int_equal(hook_check(KERN_ROOT, pod.ifindex, &err), 0);
	is_judged_once("moved from an older load");
	close(kept);
}

static void released_while_it_is_moved_nothing_stays(void **state)
{
	static struct kern_pod gone;
	struct err err = { 0 };
	char pin[128];

	(void)state;
	kern_pod_add(kern, "gone", 42, BH_EP_ROUTED, &gone);
	assert_int_equal(hook_attach(KERN_ROOT, gone.ifindex, NULL, &err), 0);
	assert_int_equal(maps_endpoint_release(kern->maps, gone.ifindex, &err), 0);
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, gone.ifindex, &err), 1);
	assert_int_equal(hook_check(KERN_ROOT, gone.ifindex, &err), -ENOENT);
	snprintf(pin, sizeof(pin), KERN_ROOT "/" PINS_LINKS "/%u-from", gone.ifindex);
	assert_int_equal(access(pin, F_OK), -1);
}

static void the_sweep_unpins_what_has_no_row(void **state)
{
	static struct kern_pod late;
	struct err err = { 0 };
	char pin[128];

	(void)state;
	kern_pod_add(kern, "late", 43, BH_EP_ROUTED, &late);
	assert_int_equal(hook_attach(KERN_ROOT, late.ifindex, NULL, &err), 0);
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, late.ifindex, &err), 1);
	assert_int_equal(hook_sweep(KERN_ROOT, kern->maps, &err), 0);
	assert_int_equal(hook_check(KERN_ROOT, late.ifindex, &err), 0);
	assert_int_equal(maps_endpoint_release(kern->maps, late.ifindex, &err), 0);
	kern_run("ip link del dev late");
	snprintf(pin, sizeof(pin), KERN_ROOT "/" PINS_LINKS "/%u-from", late.ifindex);
	assert_int_equal(access(pin, F_OK), 0);
	assert_int_equal(hook_sweep(KERN_ROOT, kern->maps, &err), 0);
	assert_int_equal(access(pin, F_OK), -1);
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, late.ifindex, &err), 0);
}

static void where_filters_are_to_stay_they_stay(void **state)
{
	struct err err = { 0 };

	(void)state;
	setenv("BULKHEAD_HOOK", "clsact", 1);
	go_to(FILTERS);
	assert_int_equal(hook_move(KERN_ROOT, kern->maps, pod.ifindex, &err), 0);
	unsetenv("BULKHEAD_HOOK");
	assert_true(filter_is_there(0) && filter_is_there(1));
	assert_false(link_is_there(0) || link_is_there(1));
}

static int pods_add(void **state)
{
	static const struct bh_port dns = {
		.first = OPEN_PORT, .last = OPEN_PORT, .proto = 17, .action = BH_ALLOW
	};
	static struct bh_addr addr;

	(void)state;
	addr = addr_of("192.0.2.7");
	far = &addr;
	kern_pod_add(kern, "pod", 40, BH_EP_ROUTED, &pod);
	kern_row(kern, SUBJECT, BH_PEER_ANY, BH_DENY, &dns, 1);
	kern_pod_subjects(kern, &pod, SUBJECT, 0);
	kern_wire(kern, &pod);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stopped_after_any_step_each_packet_is_judged_once),
		cmocka_unit_test(without_marks_they_would_be_judged_twice),
		cmocka_unit_test(a_restart_takes_filters_away_where_links_are),
		cmocka_unit_test(moving_goes_on_where_it_stopped),
		cmocka_unit_test(detaching_clears_every_step),
		cmocka_unit_test(a_mark_is_good_for_its_own_hook_and_for_once),
		cmocka_unit_test(each_load_has_marks_of_its_own),
		cmocka_unit_test(a_filter_of_an_older_load_is_replaced_before_it_moves),
		cmocka_unit_test(released_while_it_is_moved_nothing_stays),
		cmocka_unit_test(the_sweep_unpins_what_has_no_row),
		cmocka_unit_test(where_filters_are_to_stay_they_stay),
	};

	if (!kern_has_tcx()) {
		tap_skip(__FILE__, "this kernel has no TCX");
		return 0;
	}
	return kern_main(tests);
}
