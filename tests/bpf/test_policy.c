// SPDX-License-Identifier: Apache-2.0
/* Rows, classes and port lists as packets meet them. */
#include "lib/kern_main.h"

#define ISOLATED     7
#define CLASS_FRIEND 100
#define CLASS_BLOCK  101
#define TCP_PORT(from, to, act)                                                                              \
	{                                                                                                    \
		.first = (from), .last = (to), .proto = 6, .action = (act)                                   \
	}

static struct kern_pod pod, other;
static uint16_t next_port = 20000;

static bool syn_from_gives(const struct bh_addr *dst, uint16_t port, enum bh_reason reason)
{
	struct frame f;

	kern_frame_from(&f, &pod, &pod.v4, dst);
	frame_tcp(&f, next_port++, port, FRAME_SYN);
	frame_end(&f);
	return kern_from_gives(kern, &pod, &f, reason);
}

static bool syn_to_gives(const struct bh_addr *src, uint16_t port, enum bh_reason reason)
{
	struct frame f;

	kern_frame_to(&f, &pod, src, &pod.v4);
	frame_tcp(&f, next_port++, port, FRAME_SYN);
	frame_end(&f);
	return kern_to_gives(kern, &pod, kern->uplink, &f, reason);
}

static void isolate(uint32_t egress, uint32_t ingress)
{
	kern_pod_subjects(kern, &pod, egress, ingress);
}

static void open_pod_passes_everything(void **state)
{
	struct bh_addr world = addr_of("198.51.100.9");

	(void)state;
	isolate(0, 0);
	assert_true(syn_from_gives(&world, 443, BH_PASS));
	assert_true(syn_to_gives(&world, 443, BH_PASS));
}

static void closed_pod_drops_everything(void **state)
{
	struct bh_addr world = addr_of("198.51.100.9");

	(void)state;
	pod.flags &= ~(uint32_t)BH_EP_OPEN;
	isolate(0, 0);
	assert_true(syn_from_gives(&world, 443, BH_CLOSED));
	assert_true(syn_to_gives(&world, 443, BH_CLOSED));
	pod.flags |= BH_EP_OPEN;
	isolate(0, 0);
	assert_true(syn_from_gives(&world, 443, BH_PASS));
}

static void subject_without_rows_denies(void **state)
{
	struct bh_addr world = addr_of("198.51.100.9");

	(void)state;
	isolate(ISOLATED, ISOLATED);
	assert_true(syn_from_gives(&world, 443, BH_POLICY));
	assert_true(syn_to_gives(&world, 443, BH_POLICY));
}

static void directions_are_apart(void **state)
{
	struct bh_addr world = addr_of("198.51.100.9");

	(void)state;
	isolate(ISOLATED, 0);
	assert_true(syn_from_gives(&world, 443, BH_POLICY));
	assert_true(syn_to_gives(&world, 443, BH_PASS));
	isolate(0, ISOLATED);
	assert_true(syn_from_gives(&world, 443, BH_PASS));
	assert_true(syn_to_gives(&world, 443, BH_POLICY));
}

static void exact_peer_beats_prefix_and_any(void **state)
{
	static const struct bh_port web[] = { TCP_PORT(80, 80, BH_ALLOW) };
	struct bh_addr friend = addr_of("198.51.100.1"), neighbour = addr_of("198.51.100.2");
	struct bh_addr stranger = addr_of("203.0.113.1");

	(void)state;
	kern_prefix(kern, "198.51.100.0", 120, CLASS_BLOCK);
	kern_peer(kern, &friend, CLASS_FRIEND);
	kern_row(kern, 8, CLASS_FRIEND, BH_ALLOW, NULL, 0);
	kern_row(kern, 8, CLASS_BLOCK, BH_DENY, web, 1);
	kern_row(kern, 8, BH_PEER_ANY, BH_DENY, NULL, 0);
	isolate(8, 8);
	assert_true(syn_from_gives(&friend, 22, BH_PASS));
	assert_true(syn_from_gives(&neighbour, 80, BH_PASS));
	assert_true(syn_from_gives(&neighbour, 22, BH_POLICY));
	assert_true(syn_from_gives(&stranger, 80, BH_POLICY));
	assert_true(syn_to_gives(&friend, 22, BH_PASS));
	assert_true(syn_to_gives(&neighbour, 22, BH_POLICY));
}

static void class_without_a_row_falls_to_any(void **state)
{
	static const struct bh_port dns[] = { TCP_PORT(53, 53, BH_ALLOW) };
	struct bh_addr friend = addr_of("198.51.100.1");

	(void)state;
	kern_row(kern, 9, BH_PEER_ANY, BH_DENY, dns, 1);
	isolate(9, 9);
	assert_true(syn_from_gives(&friend, 53, BH_PASS));
	assert_true(syn_from_gives(&friend, 54, BH_POLICY));
	kern_row(kern, 9, CLASS_FRIEND, BH_DENY, NULL, 0);
	assert_true(syn_from_gives(&friend, 53, BH_POLICY));
}

/* One list of disjoint ranges, asked at, before and behind every border. */
static void every_border_of_a_port_list_is_exact(void **state)
{
	static const struct bh_port ports[] = {
		TCP_PORT(1, 1, BH_ALLOW),	TCP_PORT(22, 22, BH_ALLOW),
		TCP_PORT(80, 89, BH_ALLOW),	TCP_PORT(100, 200, BH_DENY),
		TCP_PORT(8000, 8999, BH_ALLOW), TCP_PORT(65535, 65535, BH_ALLOW),
		{ 53, 53, 17, BH_ALLOW, 0 },	{ 38412, 38412, 132, BH_ALLOW, 0 },
	};
	static const uint16_t asked[] = { 1,   2,   21,	 22,   23,   79,   80,	 85,	89,    90, 99,
					  100, 200, 201, 7999, 8000, 8999, 9000, 65534, 65535, 53 };
	struct bh_addr world = addr_of("203.0.113.7");

	(void)state;
	kern_row(kern, 10, BH_PEER_ANY, BH_DENY, ports, 8);
	isolate(10, 0);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		bool allowed = false;

		for (size_t k = 0; k < 6; k++)
			allowed |= asked[i] >= ports[k].first && asked[i] <= ports[k].last &&
				   ports[k].action == BH_ALLOW;
		assert_true(syn_from_gives(&world, asked[i], allowed ? BH_PASS : BH_POLICY));
	}
}

static void protocols_do_not_share_ports(void **state)
{
	struct bh_addr world = addr_of("203.0.113.7");
	struct frame f;

	(void)state;
	isolate(10, 0);
	kern_frame_from(&f, &pod, &pod.v4, &world);
	frame_udp(&f, next_port++, 53);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_PASS));
	kern_frame_from(&f, &pod, &pod.v4, &world);
	frame_udp(&f, next_port++, 80);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_POLICY));
	kern_frame_from(&f, &pod, &pod.v4, &world);
	frame_sctp(&f, next_port++, 38412, 1);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_PASS));
	kern_frame_from(&f, &pod, &pod.v4, &world);
	frame_sctp(&f, next_port++, 80, 1);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_POLICY));
}

/* BH_PORT_LIST_MAX single ports, then every second one asked. */
static void longest_port_list_is_searched_whole(void **state)
{
	static struct bh_port ports[BH_PORT_LIST_MAX];
	struct bh_addr world = addr_of("203.0.113.7");

	(void)state;
	for (uint16_t i = 0; i < BH_PORT_LIST_MAX; i++) {
		ports[i] = (struct bh_port)TCP_PORT((uint16_t)(1000 + 2 * i), (uint16_t)(1000 + 2 * i),
						    BH_ALLOW);
	}
	kern_row(kern, 11, BH_PEER_ANY, BH_DENY, ports, BH_PORT_LIST_MAX);
	isolate(11, 0);
	for (uint16_t i = 0; i < BH_PORT_LIST_MAX; i += 61) {
		assert_true(syn_from_gives(&world, (uint16_t)(1000 + 2 * i), BH_PASS));
		assert_true(syn_from_gives(&world, (uint16_t)(1001 + 2 * i), BH_POLICY));
	}
	assert_true(syn_from_gives(&world, 1000 + 2 * (BH_PORT_LIST_MAX - 1), BH_PASS));
	assert_true(syn_from_gives(&world, 999, BH_POLICY));
}

static void audit_passes_and_marks_the_flow(void **state)
{
	struct bh_addr world = addr_of("203.0.113.8");

	(void)state;
	kern_row(kern, 12, BH_PEER_ANY, BH_AUDIT, NULL, 0);
	isolate(12, 12);
	assert_true(syn_from_gives(&world, 80, BH_PASS));
	assert_true(syn_to_gives(&world, 80, BH_PASS));
}

static void ipv6_and_ipv4_prefixes_never_match_each_other(void **state)
{
	struct bh_addr six = addr_of("2001:db8::5"), four = addr_of("203.0.113.9");
	struct frame f;

	(void)state;
	kern_prefix(kern, "2001:db8::", 32, 110);
	kern_row(kern, 13, 110, BH_ALLOW, NULL, 0);
	isolate(13, 0);
	kern_frame_from(&f, &pod, &pod.v6, &six);
	frame_tcp(&f, next_port++, 80, FRAME_SYN);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_PASS));
	assert_true(syn_from_gives(&four, 80, BH_POLICY));
}

static void local_receiver_is_judged_with_the_sender(void **state)
{
	static const struct bh_port db[] = { TCP_PORT(5432, 5432, BH_ALLOW) };
	uint64_t passed, dropped;
	struct frame f;

	(void)state;
	isolate(0, 0);
	kern_peer(kern, &pod.v4, 120);
	kern_row(kern, 14, 120, BH_DENY, db, 1);
	kern_pod_subjects(kern, &other, 0, 14);
	passed = kern_count(kern, other.slot, BH_INGRESS, BH_PASS);
	dropped = kern_count(kern, other.slot, BH_INGRESS, BH_POLICY);

	kern_frame_from(&f, &pod, &pod.v4, &other.v4);
	frame_tcp(&f, next_port++, 5432, FRAME_SYN);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_REDIRECT);
	assert_int_equal(kern_count(kern, other.slot, BH_INGRESS, BH_PASS), passed + 1);

	/* Refused by the receiver: the sender's egress passed it. */
	kern_frame_from(&f, &pod, &pod.v4, &other.v4);
	frame_tcp(&f, next_port++, 22, FRAME_SYN);
	frame_end(&f);
	passed = kern_count(kern, pod.slot, BH_EGRESS, BH_PASS);
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_DROP);
	assert_int_equal(kern_count(kern, pod.slot, BH_EGRESS, BH_PASS), passed + 1);
	assert_int_equal(kern_count(kern, other.slot, BH_INGRESS, BH_POLICY), dropped + 1);
	kern_pod_subjects(kern, &other, 0, 0);
}

static void closed_receiver_takes_nothing(void **state)
{
	uint64_t dropped = kern_count(kern, other.slot, BH_INGRESS, BH_CLOSED);
	struct frame f;

	(void)state;
	other.flags &= ~(uint32_t)BH_EP_OPEN;
	kern_pod_commit(kern, &other);
	kern_frame_from(&f, &pod, &pod.v4, &other.v4);
	frame_tcp(&f, next_port++, 22, FRAME_SYN);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_DROP);
	assert_int_equal(kern_count(kern, other.slot, BH_INGRESS, BH_CLOSED), dropped + 1);
	other.flags |= BH_EP_OPEN;
	kern_pod_commit(kern, &other);
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_REDIRECT);
	/* Closed again: its live connections wait as well. */
	f.data[f.l4 + 13] = FRAME_ACK;
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_REDIRECT);
	other.flags &= ~(uint32_t)BH_EP_OPEN;
	kern_pod_commit(kern, &other);
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_DROP);
	assert_int_equal(kern_count(kern, other.slot, BH_INGRESS, BH_CLOSED), dropped + 2);
	other.flags |= BH_EP_OPEN;
	kern_pod_commit(kern, &other);
	assert_int_equal(kern_from_pod(kern, &pod, &f), KERN_REDIRECT);
}

static void node_reaches_its_pods_without_a_rule(void **state)
{
	struct bh_addr node = addr_of("192.0.2.1");
	struct frame f;

	(void)state;
	isolate(ISOLATED, ISOLATED);
	kern_frame_to(&f, &pod, &node, &pod.v4);
	frame_tcp(&f, 33333, 8080, FRAME_SYN);
	frame_end(&f);
	/* ingress_ifindex 0: the node's own socket. The pod's answer passes too. */
	assert_true(kern_to_gives(kern, &pod, 0, &f, BH_PASS));
	kern_frame_from(&f, &pod, &pod.v4, &node);
	frame_tcp(&f, 8080, 33333, FRAME_SYN | FRAME_ACK);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_PASS));
	/* Forwarded with the node's address (S17): not the node. */
	kern_frame_to(&f, &pod, &node, &pod.v4);
	frame_tcp(&f, 33334, 8080, FRAME_SYN);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &pod, kern->uplink, &f, BH_POLICY));
	kern_frame_to(&f, &pod, &node, &pod.v4);
	frame_tcp(&f, 33333, 8080, FRAME_ACK);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &pod, kern->uplink, &f, BH_NO_FLOW));
}

static void pod_reaches_its_node_only_with_the_flag(void **state)
{
	struct bh_addr node = addr_of("192.0.2.1");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(maps_node_addrs_set(kern->maps, &node, 1, &err), 0);
	isolate(ISOLATED, ISOLATED);
	assert_true(syn_from_gives(&node, 53, BH_POLICY));
	pod.flags |= BH_EP_TO_NODE;
	isolate(ISOLATED, ISOLATED);
	assert_true(syn_from_gives(&node, 53, BH_PASS));
	assert_int_equal(maps_node_addrs_set(kern->maps, NULL, 0, &err), 0);
	assert_true(syn_from_gives(&node, 53, BH_POLICY));
	pod.flags &= ~(uint32_t)BH_EP_TO_NODE;
}

static void pod_is_never_cut_from_itself(void **state)
{
	struct frame f;

	(void)state;
	isolate(ISOLATED, ISOLATED);
	/* Through its own Service: the packet left by this veth and comes back. */
	kern_frame_to(&f, &pod, &pod.v4, &pod.v4);
	frame_tcp(&f, 40001, 8080, FRAME_SYN);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &pod, pod.ifindex, &f, BH_PASS));
	kern_frame_from(&f, &pod, &pod.v4, &pod.v4);
	frame_tcp(&f, 8080, 40001, FRAME_SYN | FRAME_ACK);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &pod, &f, BH_PASS));
}

static void interface_without_a_row_passes_nothing(void **state)
{
	uint64_t before = kern_count(kern, BH_ENDPOINTS_MAX, BH_EGRESS, BH_NO_ENDPOINT);
	struct kern_pod stranger = pod;
	struct frame f;

	(void)state;
	stranger.ifindex = kern->uplink;
	kern_frame_from(&f, &pod, &pod.v4, &other.v4);
	frame_tcp(&f, next_port++, 80, FRAME_SYN);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &stranger, &f), KERN_DROP);
	assert_int_equal(kern_to_pod(kern, &stranger, kern->uplink, &f), KERN_DROP);
	assert_int_equal(kern_count(kern, BH_ENDPOINTS_MAX, BH_EGRESS, BH_NO_ENDPOINT), before + 1);
	assert_int_equal(kern_count(kern, BH_ENDPOINTS_MAX, BH_INGRESS, BH_NO_ENDPOINT), 1);
}

static int pods_add(void **state)
{
	(void)state;
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &pod);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &other);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_pod_passes_everything),
		cmocka_unit_test(closed_pod_drops_everything),
		cmocka_unit_test(subject_without_rows_denies),
		cmocka_unit_test(directions_are_apart),
		cmocka_unit_test(exact_peer_beats_prefix_and_any),
		cmocka_unit_test(class_without_a_row_falls_to_any),
		cmocka_unit_test(every_border_of_a_port_list_is_exact),
		cmocka_unit_test(protocols_do_not_share_ports),
		cmocka_unit_test(longest_port_list_is_searched_whole),
		cmocka_unit_test(audit_passes_and_marks_the_flow),
		cmocka_unit_test(ipv6_and_ipv4_prefixes_never_match_each_other),
		cmocka_unit_test(local_receiver_is_judged_with_the_sender),
		cmocka_unit_test(closed_receiver_takes_nothing),
		cmocka_unit_test(node_reaches_its_pods_without_a_rule),
		cmocka_unit_test(pod_reaches_its_node_only_with_the_flag),
		cmocka_unit_test(pod_is_never_cut_from_itself),
		cmocka_unit_test(interface_without_a_row_passes_nothing),
	};

	return kern_main(tests);
}
