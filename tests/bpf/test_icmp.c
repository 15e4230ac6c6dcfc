// SPDX-License-Identifier: Apache-2.0
/* ICMP as state, as related traffic, and as what never passes (S7 to S9, R20). */
#include "lib/kern_main.h"

static struct kern_pod a, b;
static struct bh_addr world, world6, router, router6;
static uint16_t next_port = 10000;

static struct frame echo(bool from, bool v6, bool request, uint16_t id)
{
	struct bh_addr *own = v6 ? &a.v6 : &a.v4, *far = v6 ? &world6 : &world;
	struct frame f;

	if (from)
		kern_frame_from(&f, &a, own, far);
	else
		kern_frame_to(&f, &a, far, own);
	frame_echo(&f, request, id);
	frame_end(&f);
	return f;
}

static void only_a_request_opens_an_echo(void **state)
{
	struct frame f;

	(void)state;
	kern_pod_subjects(kern, &a, 0, 99);
	for (int v6 = 0; v6 < 2; v6++) {
		f = echo(true, v6, false, 1);
		assert_true(kern_from_gives(kern, &a, &f, BH_NO_FLOW));
		f = echo(false, v6, false, 1);
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_NO_FLOW));
		f = echo(true, v6, true, 1);
		assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
		f = echo(false, v6, false, 1);
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_PASS));
		f = echo(false, v6, false, 2);
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_NO_FLOW));
		/* S7: the other side's request with the same id is its own affair. */
		f = echo(false, v6, true, 1);
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_POLICY));
	}
	kern_pod_subjects(kern, &a, 0, 0);
}

static void rule_with_ports_only_lets_no_echo_through(void **state)
{
	static const struct bh_port all = { .first = 1, .last = 65535, .proto = 6, .action = BH_ALLOW };
	struct frame f = echo(true, false, true, 40);

	(void)state;
	kern_row(kern, 41, BH_PEER_ANY, BH_DENY, &all, 1);
	kern_row(kern, 42, BH_PEER_ANY, BH_ALLOW, NULL, 0);
	kern_pod_subjects(kern, &a, 41, 0);
	assert_true(kern_from_gives(kern, &a, &f, BH_POLICY));
	kern_pod_subjects(kern, &a, 42, 0);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	kern_pod_subjects(kern, &a, 0, 0);
}

static void dangerous_types_never_pass(void **state)
{
	static const uint8_t types4[] = { 4, 5, 13, 14, 15, 16, 17, 18 }, types6[] = { 139, 140 };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(types4); i++) {
		kern_frame_from(&f, &a, &a.v4, &world);
		frame_icmp(&f, types4[i], 0, 0);
		frame_fill(&f, 0, 28);
		frame_end(&f);
		assert_true(kern_from_gives(kern, &a, &f, BH_ICMP_TYPE));
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_ICMP_TYPE));
	}
	for (size_t i = 0; i < sizeof(types6); i++) {
		kern_frame_from(&f, &a, &a.v6, &world6);
		frame_icmp(&f, types6[i], 0, 0);
		frame_fill(&f, 0, 48);
		frame_end(&f);
		assert_true(kern_from_gives(kern, &a, &f, BH_ICMP_TYPE));
	}
}

static void other_types_need_a_rule_and_leave_no_state(void **state)
{
	struct frame f;

	(void)state;
	kern_frame_from(&f, &a, &a.v4, &world);
	frame_icmp(&f, 42, 0, 0);
	frame_end(&f);
	kern_pod_subjects(kern, &a, 99, 99);
	assert_true(kern_from_gives(kern, &a, &f, BH_POLICY));
	kern_pod_subjects(kern, &a, 42, 99);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	kern_frame_to(&f, &a, &world, &a.v4);
	frame_icmp(&f, 42, 0, 0);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_POLICY));
	kern_pod_subjects(kern, &a, 0, 0);
}

/* Opens a UDP flow of `pod` and returns the frame that an error would quote. */
static struct frame opened(const struct kern_pod *pod, bool v6, uint16_t port)
{
	struct frame f;

	kern_frame_from(&f, pod, v6 ? &pod->v6 : &pod->v4, v6 ? &world6 : &world);
	frame_udp(&f, port, 53);
	frame_fill(&f, 'q', 20);
	frame_end(&f);
	assert_true(kern_from_gives(kern, pod, &f, BH_PASS));
	return f;
}

static struct frame error_about(const struct frame *quoted, size_t bytes, const struct bh_addr *from,
				const struct bh_addr *to, uint8_t type, uint8_t code)
{
	struct frame f;

	kern_frame_to(&f, &a, from, to);
	frame_icmp(&f, type, code, 0);
	frame_bytes(&f, quoted->data + quoted->l3, bytes);
	frame_end(&f);
	return f;
}

static bool error_gives(const struct frame *quoted, size_t bytes, const struct bh_addr *from, uint8_t type,
			uint8_t code, enum bh_reason reason)
{
	struct frame f = error_about(quoted, bytes, from, quoted->v6 ? &a.v6 : &a.v4, type, code);

	return kern_to_gives(kern, &a, kern->uplink, &f, reason);
}

static void errors_about_a_live_flow_pass(void **state)
{
	struct frame q4 = opened(&a, false, next_port++), q6 = opened(&a, true, next_port++);

	(void)state;
	kern_pod_subjects(kern, &a, 0, 99);
	q4 = opened(&a, false, next_port++);
	q6 = opened(&a, true, next_port++);
	assert_true(error_gives(&q4, 28, &router, 3, 4, BH_PASS)); /* path MTU */
	assert_true(error_gives(&q4, 28, &router, 11, 0, BH_PASS));
	assert_true(error_gives(&q4, 28, &world, 3, 3, BH_PASS));
	assert_true(error_gives(&q4, 28, &world, 12, 0, BH_PASS));
	assert_true(error_gives(&q6, 48, &router6, 2, 0, BH_PASS));
	assert_true(error_gives(&q6, 48, &router6, 3, 0, BH_PASS));
	assert_true(error_gives(&q6, 48, &world6, 1, 4, BH_PASS));
	assert_true(error_gives(&q6, 48, &world6, 4, 0, BH_PASS));
	kern_pod_subjects(kern, &a, 0, 0);
}

static void errors_with_a_forged_quote_drop(void **state)
{
	uint16_t port = next_port++;
	struct frame q = opened(&a, false, port), lie, nested;

	(void)state;
	lie = q; /* a tuple that nobody opened */
	lie.data[lie.l4 + 1] ^= 0x55;
	assert_true(error_gives(&lie, 28, &world, 3, 3, BH_ICMP_ERROR));
	lie = q; /* another protocol */
	lie.data[lie.l3 + 9] = 6;
	assert_true(error_gives(&lie, 28, &world, 3, 3, BH_ICMP_ERROR));
	lie = q; /* outer destination is not the inner source */
	memcpy(lie.data + lie.l3 + 12, b.v4.b + 12, 4);
	assert_true(error_gives(&lie, 28, &world, 3, 3, BH_ICMP_ERROR));
	lie = error_about(&q, 28, &world, &b.v4, 3, 3); /* the same from the other side */
	assert_true(kern_to_gives(kern, &a, kern->uplink, &lie, BH_ICMP_ERROR));
	assert_true(error_gives(&q, 27, &world, 3, 3, BH_ICMP_ERROR)); /* 7 bytes of the header */
	assert_true(error_gives(&q, 19, &world, 3, 3, BH_ICMP_ERROR));
	assert_true(error_gives(&q, 0, &world, 3, 3, BH_ICMP_ERROR));
	lie = q; /* a fragment */
	lie.data[lie.l3 + 7] = 1;
	assert_true(error_gives(&lie, 28, &world, 3, 3, BH_ICMP_ERROR));
	lie = q; /* options */
	lie.data[lie.l3] = 0x46;
	assert_true(error_gives(&lie, 28, &world, 3, 3, BH_ICMP_ERROR));
	lie = q; /* the other family's version */
	lie.data[lie.l3] = 0x65;
	assert_true(error_gives(&lie, 28, &world, 3, 3, BH_ICMP_ERROR));
	/* Parameter problem only from the quoted receiver itself. */
	assert_true(error_gives(&q, 28, &router, 12, 0, BH_ICMP_ERROR));
	nested = error_about(&q, 28, &a.v4, &world, 3, 3); /* an error about an error */
	assert_true(error_gives(&nested, 28, &world, 3, 3, BH_ICMP_ERROR));
}

static void errors_about_another_pods_flow_drop(void **state)
{
	struct frame q = opened(&b, false, next_port++);
	struct frame f = error_about(&q, 28, &world, &a.v4, 3, 3);

	(void)state;
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_ICMP_ERROR));
	/* Whose flow it is decides, not only under which revision it was judged. */
	kern->config.flags |= BH_CONFIG_KEEP_FLOWS;
	kern_configure(kern);
	f = error_about(&q, 28, &world, &b.v4, 3, 3);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_ICMP_ERROR));
	assert_true(kern_to_gives(kern, &b, kern->uplink, &f, BH_PASS));
	kern->config.flags &= ~(uint32_t)BH_CONFIG_KEEP_FLOWS;
	kern_configure(kern);
}

/* A datagram came to the pod. */
static struct frame came(uint16_t port)
{
	struct frame in;

	kern_frame_to(&in, &a, &world, &a.v4);
	frame_udp(&in, 53, port);
	frame_end(&in);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &in, BH_PASS));
	return in;
}

/* The pod's own error about it. */
static bool own_error_gives(const struct frame *about, uint8_t code, enum bh_reason reason)
{
	struct frame f;

	kern_frame_from(&f, &a, &a.v4, &world);
	frame_icmp(&f, 3, code, 0);
	frame_bytes(&f, about->data + about->l3, 28);
	frame_end(&f);
	return kern_from_gives(kern, &a, &f, reason);
}

static void pods_errors_quote_what_came_to_them(void **state)
{
	struct frame in = came(7777);

	(void)state;
	assert_true(own_error_gives(&in, 3, BH_PASS));
	/* A pod is no router: it does not speak of what went elsewhere. */
	memcpy(in.data + in.l3 + 16, b.v4.b + 12, 4);
	assert_true(own_error_gives(&in, 4, BH_ICMP_ERROR));
}

static void errors_stop_with_the_policy_that_allowed_the_flow(void **state)
{
	struct frame q = opened(&a, false, next_port++);

	(void)state;
	assert_true(error_gives(&q, 28, &world, 3, 3, BH_PASS));
	kern_pod_subjects(kern, &a, 99, 99);
	assert_true(error_gives(&q, 28, &world, 3, 3, BH_ICMP_ERROR));
	kern_pod_subjects(kern, &a, 0, 0);
}

static int last_expiry(const struct bh_flow_key *key, const struct bh_flow *flow, void *data)
{
	(void)key;
	*(uint64_t *)data += flow->expires;
	return 0;
}

static void errors_never_refresh_a_flow(void **state)
{
	struct frame q = opened(&a, false, next_port++);
	uint64_t before = 0, after = 0;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(maps_flows_each(kern->maps, last_expiry, &before, &err), 0);
	kern_run("sleep 1.2");
	assert_true(error_gives(&q, 28, &world, 3, 3, BH_PASS));
	assert_int_equal(maps_flows_each(kern->maps, last_expiry, &after, &err), 0);
	assert_true(before == after);
	assert_true(kern_from_gives(kern, &a, &q, BH_PASS));
	after = 0;
	assert_int_equal(maps_flows_each(kern->maps, last_expiry, &after, &err), 0);
	assert_true(after > before);
}

/* Each endpoint has its own measure, and one for each way. */
static void a_flood_of_errors_is_cut(void **state)
{
	struct frame q = opened(&a, false, next_port++), other = opened(&b, false, next_port++), in, f;
	int passed = 0;

	(void)state;
	kern_run("sleep 1.1");
	/* On a slow machine a second may end meanwhile. */
	while (passed < 10000 && error_gives(&q, 28, &world, 3, 3, BH_PASS))
		passed++;
	assert_in_range(passed, 1000, 9999);
	assert_true(error_gives(&q, 28, &world, 3, 3, BH_ICMP_RATE));
	f = error_about(&other, 28, &world, &b.v4, 3, 3);
	assert_true(kern_to_gives(kern, &b, kern->uplink, &f, BH_PASS));
	in = came(7778);
	assert_true(own_error_gives(&in, 3, BH_PASS));
	kern_run("sleep 1.1");
	assert_true(error_gives(&q, 28, &world, 3, 3, BH_PASS));
}

static int pods_add(void **state)
{
	(void)state;
	world = addr_of("203.0.113.50");
	world6 = addr_of("2001:db8::50");
	router = addr_of("198.51.100.1");
	router6 = addr_of("2001:db8:1::1");
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_request_opens_an_echo),
		cmocka_unit_test(rule_with_ports_only_lets_no_echo_through),
		cmocka_unit_test(dangerous_types_never_pass),
		cmocka_unit_test(other_types_need_a_rule_and_leave_no_state),
		cmocka_unit_test(errors_about_a_live_flow_pass),
		cmocka_unit_test(errors_with_a_forged_quote_drop),
		cmocka_unit_test(errors_about_another_pods_flow_drop),
		cmocka_unit_test(pods_errors_quote_what_came_to_them),
		cmocka_unit_test(errors_stop_with_the_policy_that_allowed_the_flow),
		cmocka_unit_test(errors_never_refresh_a_flow),
		cmocka_unit_test(a_flood_of_errors_is_cut),
	};

	return kern_main(tests);
}
