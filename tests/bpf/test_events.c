// SPDX-License-Identifier: Apache-2.0
/* What user space hears: every event accounted for, every packet counted (C15,
 * principle 11). */
#include "lib/kern_main.h"

#include <stdlib.h>
#include <unistd.h>

#define SUBJECT 60

static struct kern_pod a, b;
static struct bh_addr world;
static uint16_t next_port = 20000;

struct heard {
	struct bh_event last;
	unsigned int n;
};

static void hear(const struct bh_event *event, void *data)
{
	struct heard *heard = data;

	heard->last = *event;
	heard->n++;
}

static struct heard heard;
static struct ring *ring;

static unsigned int listen_now(void)
{
	heard.n = 0;
	assert_true(ring_consume(ring) >= 0);
	return heard.n;
}

static int quiet(void **state)
{
	(void)state;
	kern_pod_subjects(kern, &a, 0, 0);
	kern_pod_subjects(kern, &b, 0, 0);
	kern->config.event_rate = 1000000;
	kern_configure(kern);
	usleep(1100 * 1000); /* the bucket is the new one */
	ring_consume(ring);
	return 0;
}

static struct frame syn(const struct kern_pod *from, const struct bh_addr *dst, uint16_t dport)
{
	struct frame f;

	kern_frame_from(&f, from, &from->v4, dst);
	frame_tcp(&f, next_port++, dport, FRAME_SYN);
	frame_end(&f);
	return f;
}

static uint16_t be(uint16_t port)
{
	return (uint16_t)(port >> 8 | port << 8);
}

static void drop_tells_the_whole_tuple(void **state)
{
	struct frame f = syn(&a, &world, 5432);

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_DROP);
	assert_int_equal(listen_now(), 1);
	assert_int_equal(heard.last.ifindex, a.ifindex);
	assert_int_equal(heard.last.revision, a.revision);
	assert_memory_equal(&heard.last.src, &a.v4, 16);
	assert_memory_equal(&heard.last.dst, &world, 16);
	assert_int_equal(heard.last.sport, be((uint16_t)(next_port - 1)));
	assert_int_equal(heard.last.dport, be(5432));
	assert_int_equal(heard.last.proto, 6);
	assert_int_equal(heard.last.direction, BH_EGRESS);
	assert_int_equal(heard.last.reason, BH_POLICY);
	assert_int_equal(heard.last.action, BH_DENY);
	assert_int_equal(heard.last.tcp_flags, FRAME_SYN);
	assert_int_equal(heard.last.ethertype, 0x0800);
	assert_int_equal(heard.last.length, f.len);
	assert_true(heard.last.time_ns > 0);
}

static void receivers_refusal_names_the_receiver(void **state)
{
	struct frame f = syn(&a, &b.v4, 5432);

	(void)state;
	kern_pod_subjects(kern, &b, 0, SUBJECT);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_DROP);
	assert_int_equal(listen_now(), 1);
	assert_int_equal(heard.last.ifindex, b.ifindex);
	assert_int_equal(heard.last.direction, BH_INGRESS);
	assert_int_equal(heard.last.revision, b.revision);
}

/* A reply cut by a new policy is told as the connection it belongs to. */
static void cut_reply_is_told_in_the_openers_direction(void **state)
{
	struct frame f = syn(&a, &b.v4, 80);
	uint16_t port = (uint16_t)(next_port - 1);

	(void)state;
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_REDIRECT);
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	kern_frame_from(&f, &b, &b.v4, &a.v4);
	frame_tcp(&f, 80, port, FRAME_ACK);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_DROP);
	assert_int_equal(listen_now(), 1);
	assert_int_equal(heard.last.ifindex, a.ifindex);
	assert_int_equal(heard.last.direction, BH_EGRESS);
	assert_memory_equal(&heard.last.src, &a.v4, 16);
	assert_memory_equal(&heard.last.dst, &b.v4, 16);
	assert_int_equal(heard.last.sport, be(port));
	assert_int_equal(heard.last.dport, be(80));
}

static void audited_connection_is_told_once(void **state)
{
	struct frame f = syn(&a, &world, 80);

	(void)state;
	kern_row(kern, 61, BH_PEER_ANY, BH_AUDIT, NULL, 0);
	kern_pod_subjects(kern, &a, 61, 0);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_NEXT);
	assert_int_equal(listen_now(), 1);
	assert_int_equal(heard.last.action, BH_AUDIT);
	assert_int_equal(heard.last.reason, BH_PASS);
	f.data[f.l4 + 13] = FRAME_ACK;
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_NEXT);
	assert_int_equal(listen_now(), 0);
}

static void unparsed_frame_is_told_by_its_ethertype(void **state)
{
	struct frame f = syn(&a, &world, 80);

	(void)state;
	f.data[12] = 0x88;
	f.data[13] = 0xcc;
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_DROP);
	assert_int_equal(listen_now(), 1);
	assert_int_equal(heard.last.reason, BH_ETHERTYPE);
	assert_int_equal(heard.last.ethertype, 0x88cc);
}

static void every_event_is_emitted_suppressed_or_lost(void **state)
{
	struct bh_usage before, after;
	struct err err = { 0 };
	struct frame f = syn(&a, &world, 80);
	unsigned int sent = 50000;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	/* More than the ring holds, with nobody listening: some are lost. */
	assert_int_equal(maps_usage_get(kern->maps, a.slot, &before, &err), 0);
	for (unsigned int i = 0; i < sent; i++)
		assert_int_equal(kern_from_pod(kern, &a, &f), KERN_DROP);
	assert_int_equal(maps_usage_get(kern->maps, a.slot, &after, &err), 0);
	assert_true(after.lost > before.lost);
	assert_int_equal(after.emitted - before.emitted + after.lost - before.lost + after.suppressed -
				 before.suppressed,
			 sent);
	assert_int_equal(listen_now(), after.emitted - before.emitted);

	/* Over the rate: the rest is suppressed, and nothing of b's. */
	kern->config.event_rate = 10;
	kern_configure(kern);
	usleep(1100 * 1000);
	before = after;
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(kern_from_pod(kern, &a, &f), KERN_DROP);
	assert_int_equal(maps_usage_get(kern->maps, a.slot, &after, &err), 0);
	assert_in_range(after.emitted - before.emitted, 10, 20); /* a second may begin meanwhile */
	assert_int_equal(after.emitted - before.emitted + after.suppressed - before.suppressed, 1000);
	assert_int_equal(listen_now(), after.emitted - before.emitted);
	kern_pod_subjects(kern, &b, SUBJECT, 0);
	f = syn(&b, &world, 80);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_DROP);
	assert_int_equal(listen_now(), 1);
}

static uint64_t counted(const struct kern_pod *pod, enum bh_direction direction)
{
	uint64_t counters[2][BH_REASONS_MAX], sum = 0;
	struct err err = { 0 };

	assert_int_equal(maps_counters_get(kern->maps, pod->slot, counters, &err), 0);
	for (int i = 0; i < BH_REASONS_MAX; i++)
		sum += counters[direction][i];
	return sum;
}

/* Random traffic of both pods: packets seen are the sum over the reasons, exactly,
 * a delivered packet counting once at either end. */
static void counters_balance_exactly(void **state)
{
	uint64_t out[2], in[2], sent[2] = { 0 }, delivered[2] = { 0 }, stack_in[2] = { 0 };
	struct kern_pod *pods[2] = { &a, &b };
	unsigned int seed = 7;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	kern_row(kern, 62, BH_PEER_ANY, BH_DENY,
		 (struct bh_port[]){ { .first = 80, .last = 100, .proto = 6, .action = BH_ALLOW } }, 1);
	kern_pod_subjects(kern, &a, 0, 62);
	kern_pod_subjects(kern, &b, 62, 0);
	for (int i = 0; i < 2; i++) {
		out[i] = counted(pods[i], BH_EGRESS);
		in[i] = counted(pods[i], BH_INGRESS);
	}
	for (int i = 0; i < 4000; i++) {
		int me = (int)(random() & 1);
		uint64_t before = counted(pods[!me], BH_INGRESS);
		struct frame f;

		kern_frame_from(&f, pods[me], &pods[me]->v4, random() & 3 ? &pods[!me]->v4 : &world);
		frame_tcp(&f, (uint16_t)(random() % 64), (uint16_t)(70 + random() % 40),
			  (uint8_t)(random() & 0x17));
		frame_end(&f);
		if (random() % 8 == 0)
			f.data[12 + random() % 40] ^= 0xff;
		if (random() % 4 == 0) {
			kern_to_pod(kern, pods[me], kern->uplink, &f);
			stack_in[me]++;
			continue;
		}
		kern_from_pod(kern, pods[me], &f);
		sent[me]++;
		delivered[!me] += counted(pods[!me], BH_INGRESS) - before;
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(counted(pods[i], BH_EGRESS) - out[i], sent[i]);
		assert_int_equal(counted(pods[i], BH_INGRESS) - in[i], delivered[i] + stack_in[i]);
	}
	assert_true(delivered[0] > 20 && delivered[1] > 20);
}

static int pods_add(void **state)
{
	struct err err = { 0 };

	(void)state;
	world = addr_of("203.0.113.50");
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &b);
	return ring_open(kern->maps, hear, &heard, &ring, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(drop_tells_the_whole_tuple, quiet),
		cmocka_unit_test_setup(receivers_refusal_names_the_receiver, quiet),
		cmocka_unit_test_setup(cut_reply_is_told_in_the_openers_direction, quiet),
		cmocka_unit_test_setup(audited_connection_is_told_once, quiet),
		cmocka_unit_test_setup(unparsed_frame_is_told_by_its_ethertype, quiet),
		cmocka_unit_test_setup(every_event_is_emitted_suppressed_or_lost, quiet),
		cmocka_unit_test_setup(counters_balance_exactly, quiet),
	};
	int status = kern_main(tests);

	ring = ring_free(ring);
	return status;
}
