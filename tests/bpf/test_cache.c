// SPDX-License-Identifier: Apache-2.0
/*
 * Connections of the last second, answered without their record (bpf/cache.h). The
 * record is taken away behind the programs' back: what passes even so was answered by
 * the cache, what does not had to ask the record.
 */
#include <bpf/bpf.h>
#include <unistd.h>

#include "dataplane/pins.h"
#include "lib/kern_main.h"

#define WEB 80

static struct kern_pod a, b;
static struct bh_addr world;
static uint16_t next_port = 30000;

static struct frame tcp(const struct kern_pod *pod, const struct bh_addr *src, const struct bh_addr *dst,
			uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct frame f;

	if (src == &pod->v4 || src == &pod->v6)
		kern_frame_from(&f, pod, src, dst);
	else
		kern_frame_to(&f, pod, src, dst);
	frame_tcp(&f, sport, dport, flags);
	frame_end(&f);
	return f;
}

static bool from(const struct kern_pod *pod, const struct bh_addr *dst, uint16_t port, uint8_t flags,
		 enum bh_reason reason)
{
	bool v4 = memcmp(dst, &world, 12) == 0;
	struct frame f = tcp(pod, v4 ? &pod->v4 : &pod->v6, dst, port, WEB, flags);

	return kern_from_gives(kern, pod, &f, reason);
}

static bool to(const struct kern_pod *pod, uint16_t port, uint8_t flags, enum bh_reason reason)
{
	struct frame f = tcp(pod, &world, &pod->v4, WEB, port, flags);

	return kern_to_gives(kern, pod, kern->uplink, &f, reason);
}

/* A connection from a, established and without a record. A machine that stalls for a
 * second is given another chance. */
static uint16_t connection_without_record(const struct bh_addr *dst)
{
	struct frame f;

	for (int i = 0; i < 20; i++) {
		uint16_t port = next_port++;
		bool v4 = memcmp(dst, &world, 12) == 0;

		assert_true(from(&a, dst, port, FRAME_SYN, BH_PASS));
		assert_true(from(&a, dst, port, FRAME_ACK, BH_PASS));
		kern_flows_forget(kern);
		f = tcp(&a, v4 ? &a.v4 : &a.v6, dst, port, WEB, FRAME_ACK);
		if (kern_from_pod(kern, &a, &f) != KERN_DROP)
			return port;
	}
	fail_msg("no packet was ever answered without its record");
	return 0;
}

static void counted_and_delivered_without_a_record(void **state)
{
	uint16_t port = connection_without_record(&world);
	uint64_t out, in;
	struct frame f;

	(void)state;
	assert_true(from(&a, &world, port, FRAME_ACK | FRAME_PSH, BH_PASS));
	port = connection_without_record(&b.v4);
	f = tcp(&a, &a.v4, &b.v4, port, WEB, FRAME_ACK);
	out = kern_count(kern, a.slot, BH_EGRESS, BH_PASS);
	in = kern_count(kern, b.slot, BH_INGRESS, BH_PASS);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_REDIRECT);
	assert_int_equal(kern_count(kern, a.slot, BH_EGRESS, BH_PASS), out + 1);
	assert_int_equal(kern_count(kern, b.slot, BH_INGRESS, BH_PASS), in + 1);
}

static void opening_and_closing_ask_the_record(void **state)
{
	static const uint8_t flags[] = { FRAME_FIN | FRAME_ACK, FRAME_RST, FRAME_SYN | FRAME_ACK };
	uint16_t port = connection_without_record(&world);

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++)
		assert_true(from(&a, &world, port, flags[i], BH_NO_FLOW));
	kern_pod_subjects(kern, &a, 99, 0);
	assert_true(from(&a, &world, port, FRAME_SYN, BH_POLICY));
	kern_pod_subjects(kern, &a, 0, 0);
}

static void a_change_at_either_end_asks_the_record(void **state)
{
	uint16_t port = connection_without_record(&b.v4);

	(void)state;
	kern_pod_commit(kern, &b);
	assert_true(from(&a, &b.v4, port, FRAME_ACK, BH_NO_FLOW));
	port = connection_without_record(&b.v4);
	kern_pod_commit(kern, &a);
	assert_true(from(&a, &b.v4, port, FRAME_ACK, BH_NO_FLOW));
	port = connection_without_record(&world);
	kern_pod_commit(kern, &a);
	assert_true(from(&a, &world, port, FRAME_ACK, BH_NO_FLOW));
}

static void a_closed_end_takes_nothing(void **state)
{
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	assert_true(from(&a, &b.v4, port, FRAME_SYN, BH_PASS));
	assert_true(from(&a, &b.v4, port, FRAME_ACK, BH_PASS));
	b.flags &= ~(uint32_t)BH_EP_OPEN;
	b.revision--; /* closed, and nothing else about it changes */
	kern_pod_commit(kern, &b);
	f = tcp(&a, &a.v4, &b.v4, port, WEB, FRAME_ACK);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_DROP);
	assert_int_equal(kern_count(kern, b.slot, BH_INGRESS, BH_CLOSED), 1);
	b.flags |= BH_EP_OPEN;
	kern_pod_commit(kern, &b);
}

static void an_answer_is_for_its_interface(void **state)
{
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	assert_true(from(&a, &world, port, FRAME_SYN, BH_PASS));
	assert_true(to(&a, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	assert_true(to(&a, port, FRAME_ACK, BH_PASS));
	kern_flows_forget(kern);
	f = tcp(&a, &world, &a.v4, WEB, port, FRAME_ACK);
	b.revision = a.revision - 1;
	kern_pod_commit(kern, &b); /* now the same as a's */
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_PASS));
	assert_true(kern_to_gives(kern, &a, b.ifindex, &f, BH_NO_FLOW));
	assert_true(kern_to_gives(kern, &b, kern->uplink, &f, BH_NO_FLOW));
	/* nor for the other hook */
	assert_true(from(&a, &world, port, FRAME_ACK, BH_NO_FLOW));
}

/* Addresses that the place in the table does not tell apart. */
static void an_answer_is_for_its_tuple(void **state)
{
	struct bh_addr there = addr_of("2001:db8:1::7"), twin = addr_of("2001:db8:2::7");
	uint16_t port = connection_without_record(&there);

	(void)state;
	assert_true(from(&a, &there, port, FRAME_ACK, BH_PASS));
	assert_true(from(&a, &twin, port, FRAME_ACK, BH_NO_FLOW));
	assert_true(from(&a, &there, (uint16_t)(port + 1), FRAME_ACK, BH_NO_FLOW));
}

static void services_change_asks_the_record(void **state)
{
	uint16_t port = connection_without_record(&world);
	struct bh_service_gen gen;
	struct err err = { 0 };
	int fd = pin_open_map(KERN_ROOT, BH_MAP_SERVICE_GEN, &err);
	__u32 zero = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &gen), 0);
	gen.gen++;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &gen, BPF_ANY), 0);
	close(fd);
	assert_true(from(&a, &world, port, FRAME_ACK, BH_NO_FLOW));
}

static void no_answer_lives_longer_than_a_second(void **state)
{
	uint16_t port = connection_without_record(&world);

	(void)state;
	usleep(1100 * 1000);
	assert_true(from(&a, &world, port, FRAME_ACK, BH_NO_FLOW));
}

static void what_is_answered_keeps_its_record_alive(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern->config.tcp_syn_s = 3;
	kern_configure(kern);
	assert_true(from(&a, &world, port, FRAME_SYN, BH_PASS));
	for (int i = 0; i < 20; i++) {
		usleep(250 * 1000);
		assert_true(from(&a, &world, port, FRAME_ACK, BH_PASS));
	}
	/* The record itself lives: this asks it. */
	assert_true(from(&a, &world, port, FRAME_ACK | FRAME_FIN, BH_PASS));
}

static int pods_add(void **state)
{
	(void)state;
	kern_one_cpu();
	world = addr_of("203.0.113.9");
	kern_pod_add(kern, "a", 1, BH_EP_ROUTED | BH_EP_TO_NODE, &a);
	kern_pod_add(kern, "b", 2, BH_EP_ROUTED | BH_EP_TO_NODE, &b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted_and_delivered_without_a_record),
		cmocka_unit_test(opening_and_closing_ask_the_record),
		cmocka_unit_test(a_change_at_either_end_asks_the_record),
		cmocka_unit_test(a_closed_end_takes_nothing),
		cmocka_unit_test(an_answer_is_for_its_interface),
		cmocka_unit_test(an_answer_is_for_its_tuple),
		cmocka_unit_test(services_change_asks_the_record),
		cmocka_unit_test(no_answer_lives_longer_than_a_second),
		cmocka_unit_test(what_is_answered_keeps_its_record_alive),
	};

	return kern_main(tests);
}
