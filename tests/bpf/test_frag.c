// SPDX-License-Identifier: Apache-2.0
/* Fragments: the first carries the whole header, the others follow an allowed
 * first (S10). Multicast, broadcast, DHCP and tunnels (S13, S14, L11). */
#include "lib/kern_main.h"

#include <unistd.h>

#define SUBJECT 50

static struct kern_pod a, b;
static struct bh_addr world, world6;
static uint32_t next_id = 1000;
static uint16_t next_port = 20000;

static struct frame fragment(const struct kern_pod *pod, bool v6, uint32_t id, uint16_t units, bool more,
			     size_t bytes)
{
	struct frame f;

	kern_frame_from(&f, pod, v6 ? &pod->v6 : &pod->v4, v6 ? &world6 : &world);
	frame_fragment(&f, id, units, more);
	frame_proto(&f, 17, bytes);
	frame_end(&f);
	return f;
}

static struct frame first_fragment(const struct kern_pod *pod, bool v6, uint32_t id, uint16_t dport)
{
	struct frame f;

	kern_frame_from(&f, pod, v6 ? &pod->v6 : &pod->v4, v6 ? &world6 : &world);
	frame_fragment(&f, id, 0, true);
	frame_udp(&f, next_port++, dport);
	frame_fill(&f, 'x', 24);
	frame_end(&f);
	f.data[f.l4 + 5] = 200; /* of the whole datagram */
	return f;
}

static int only_dns(void **state)
{
	static const struct bh_port dns = { .first = 53, .last = 53, .proto = 17, .action = BH_ALLOW };

	(void)state;
	kern_row(kern, SUBJECT, BH_PEER_ANY, BH_DENY, &dns, 1);
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	kern_pod_subjects(kern, &b, SUBJECT, 0);
	return 0;
}

static void later_fragment_follows_an_allowed_first(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t id = next_id++;
		struct frame first = first_fragment(&a, v6, id, 53),
			     later = fragment(&a, v6, id, 4, false, 16);

		assert_true(kern_from_gives(kern, &a, &later, BH_FRAG_NO_FIRST));
		assert_true(kern_from_gives(kern, &a, &first, BH_PASS));
		assert_true(kern_from_gives(kern, &a, &later, BH_PASS));
		/* Another packet's, another pod's. */
		later = fragment(&a, v6, id + 500, 4, false, 16);
		assert_true(kern_from_gives(kern, &a, &later, BH_FRAG_NO_FIRST));
		later = fragment(&b, v6, id, 4, false, 16);
		assert_true(kern_from_gives(kern, &b, &later, BH_FRAG_NO_FIRST));
	}
}

static void later_fragment_of_a_denied_first_drops(void **state)
{
	uint32_t id = next_id++;
	struct frame first = first_fragment(&a, false, id, 54), later = fragment(&a, false, id, 4, true, 16);

	(void)state;
	assert_true(kern_from_gives(kern, &a, &first, BH_POLICY));
	assert_true(kern_from_gives(kern, &a, &later, BH_FRAG_NO_FIRST));
}

static void later_fragments_stop_with_the_policy(void **state)
{
	uint32_t id = next_id++;
	struct frame first = first_fragment(&a, false, id, 53), later = fragment(&a, false, id, 4, true, 16);

	(void)state;
	assert_true(kern_from_gives(kern, &a, &first, BH_PASS));
	kern_pod_subjects(kern, &a, 99, 0);
	assert_true(kern_from_gives(kern, &a, &later, BH_POLICY));
}

static void first_fragment_holds_the_whole_header(void **state)
{
	struct frame f;

	(void)state;
	kern_pod_subjects(kern, &a, 0, 0);
	for (size_t bytes = 0; bytes <= 24; bytes += 8) {
		kern_frame_from(&f, &a, &a.v4, &world);
		frame_fragment(&f, next_id++, 0, true);
		frame_proto(&f, 6, bytes);
		frame_end(&f);
		if (bytes > 13) {
			f.data[f.l4 + 12] = 0x50;
			f.data[f.l4 + 13] = FRAME_SYN;
		}
		assert_true(kern_from_gives(kern, &a, &f,
					    bytes == 0	 ? BH_MALFORMED
					    : bytes < 20 ? BH_FRAG_SHORT
							 : BH_PASS));
	}
}

static void overlap_of_the_header_drops(void **state)
{
	(void)state;
	for (uint16_t units = 1; units < 4; units++) {
		struct frame f;

		kern_frame_from(&f, &a, &a.v4, &world);
		frame_fragment(&f, next_id++, units, true);
		frame_proto(&f, 6, 16);
		frame_end(&f);
		assert_true(kern_from_gives(kern, &a, &f, units < 3 ? BH_FRAG_SHORT : BH_FRAG_NO_FIRST));
	}
}

static void fragments_of_impossible_size_are_malformed(void **state)
{
	struct frame f;

	(void)state;
	f = fragment(&a, false, next_id++, 4, true, 15); /* not a multiple of 8 */
	assert_true(kern_from_gives(kern, &a, &f, BH_MALFORMED));
	f = fragment(&a, false, next_id++, 8191, false, 64); /* beyond 64 KiB */
	assert_true(kern_from_gives(kern, &a, &f, BH_MALFORMED));
	f = fragment(&a, true, next_id++, 8191, false, 64);
	assert_true(kern_from_gives(kern, &a, &f, BH_MALFORMED));
	f = fragment(&a, false, next_id++, 0, false, 16);
	f.data[f.l3 + 6] = 0x80; /* the reserved bit */
	assert_true(kern_from_gives(kern, &a, &f, BH_MALFORMED));
}

static void fragments_can_be_switched_off(void **state)
{
	uint32_t id = next_id++;
	struct frame first = first_fragment(&a, false, id, 53), later = fragment(&a, false, id, 4, false, 16);

	(void)state;
	kern->config.flags |= BH_CONFIG_DROP_FRAGMENTS;
	kern_configure(kern);
	assert_true(kern_from_gives(kern, &a, &first, BH_FRAG_OFF));
	assert_true(kern_from_gives(kern, &a, &later, BH_FRAG_OFF));
	kern->config.flags &= ~(uint32_t)BH_CONFIG_DROP_FRAGMENTS;
	kern_configure(kern);
	assert_true(kern_from_gives(kern, &a, &first, BH_PASS));
}

static void fragment_records_expire(void **state)
{
	uint32_t id = next_id++;
	struct frame first = first_fragment(&a, false, id, 53), later = fragment(&a, false, id, 4, true, 16);

	(void)state;
	kern->config.frag_s = 1;
	kern_configure(kern);
	assert_true(kern_from_gives(kern, &a, &first, BH_PASS));
	assert_true(kern_from_gives(kern, &a, &later, BH_PASS));
	usleep(1200 * 1000);
	assert_true(kern_from_gives(kern, &a, &later, BH_FRAG_NO_FIRST));
	kern->config.frag_s = 5;
	kern_configure(kern);
}

static void one_pods_fragments_displace_only_its_own(void **state)
{
	uint32_t id = next_id++;
	struct frame first = first_fragment(&b, false, id, 53), later = fragment(&b, false, id, 4, true, 16);

	(void)state;
	assert_true(kern_from_gives(kern, &b, &first, BH_PASS));
	for (uint32_t i = 0; i < 4 * BH_FRAG_WAYS; i++) {
		struct frame flood = first_fragment(&a, false, 50000 + i, 53);

		kern_from_pod(kern, &a, &flood);
	}
	assert_true(kern_from_gives(kern, &b, &later, BH_PASS));
}

static struct frame datagram(const struct bh_addr *dst, uint16_t dport)
{
	bool v6 = dst->b[0] != 0;
	struct frame f;

	kern_frame_from(&f, &a, v6 ? &a.v6 : &a.v4, dst);
	frame_udp(&f, next_port++, dport);
	frame_end(&f);
	return f;
}

static void groups_need_an_ip_block_that_lists_them(void **state)
{
	static const char *const groups[] = { "224.0.0.251", "239.1.2.3", "255.255.255.255", "ff02::fb",
					      "ff05::2" };

	(void)state;
	kern_row(kern, 51, BH_PEER_ANY, BH_ALLOW, NULL, 0);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct bh_addr group = addr_of(groups[i]);
		struct frame f = datagram(&group, 5353);

		kern_pod_subjects(kern, &a, 0, 0); /* an open pod */
		assert_true(kern_from_gives(kern, &a, &f, BH_MULTICAST));
		kern_pod_subjects(kern, &a, 51, 0); /* anyone may */
		assert_true(kern_from_gives(kern, &a, &f, BH_MULTICAST));
	}
	kern_prefix(kern, "239.0.0.0", 104, 500);
	kern_row(kern, 51, 500, BH_ALLOW, NULL, 0);
	struct bh_addr listed = addr_of("239.1.2.3"), unlisted = addr_of("224.0.0.251");
	struct frame f = datagram(&listed, 5353);

	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	f = datagram(&unlisted, 5353);
	assert_true(kern_from_gives(kern, &a, &f, BH_MULTICAST));
}

static void frame_to_everyone_is_a_broadcast_whatever_its_address(void **state)
{
	struct bh_addr directed = addr_of("10.0.0.255");
	struct kern_pod bridged;
	struct frame f;

	(void)state;
	kern_pod_add(kern, "br", 30, 0, &bridged);
	kern_frame_from(&f, &bridged, &bridged.v4, &directed);
	frame_udp(&f, 1, 9999);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &bridged, &f, BH_PASS));
	memset(f.data, 0xff, 6);
	frame_end(&f);
	f.data[f.l4 + 1] = 2;
	assert_true(kern_from_gives(kern, &bridged, &f, BH_MULTICAST));
}

static void dhcp_needs_a_named_port_and_never_broadcasts(void **state)
{
	static const uint16_t ports[] = { 67, 68, 546, 547 };
	static const struct bh_port named[] = { { 67, 68, 17, BH_ALLOW, 0 }, { 546, 547, 17, BH_ALLOW, 0 } };
	struct bh_addr all = addr_of("255.255.255.255"), servers = addr_of("ff02::1:2");

	(void)state;
	kern_row(kern, 52, BH_PEER_ANY, BH_ALLOW, NULL, 0);
	kern_row(kern, 53, BH_PEER_ANY, BH_DENY, named, 2);
	for (size_t i = 0; i < 4; i++) {
		struct frame f = datagram(&world, ports[i]);

		kern_pod_subjects(kern, &a, 0, 0);
		assert_true(kern_from_gives(kern, &a, &f, BH_DHCP));
		kern_pod_subjects(kern, &a, 52, 0);
		assert_true(kern_from_gives(kern, &a, &f, BH_DHCP));
		kern_pod_subjects(kern, &a, 53, 0);
		assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
		f = datagram(i < 2 ? &all : &servers, ports[i]);
		assert_true(kern_from_gives(kern, &a, &f, BH_DHCP));
	}
}

static void tunnel_packets_never_pass(void **state)
{
	struct bh_addr node = addr_of("192.0.2.1");
	struct err err = { 0 };
	struct frame f;

	(void)state;
	assert_int_equal(maps_node_addrs_set(kern->maps, &node, 1, &err), 0);
	kern_pod_subjects(kern, &a, 0, 0);
	f = datagram(&node, 4789);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS)); /* no tunnel configured */
	kern->config.tunnel_port = (uint16_t)(4789 >> 8 | (4789 & 0xff) << 8);
	kern_configure(kern);
	assert_true(kern_from_gives(kern, &a, &f, BH_TUNNEL)); /* also on the live flow */
	f = datagram(&world, 4789); /* an address of a node that we do not know of */
	assert_true(kern_from_gives(kern, &a, &f, BH_TUNNEL));
	f = datagram(&node, 4790);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	kern->config.tunnel_port = 0;
	kern_configure(kern);
	assert_int_equal(maps_node_addrs_set(kern->maps, NULL, 0, &err), 0);
}

static int pods_add(void **state)
{
	(void)state;
	world = addr_of("203.0.113.50");
	world6 = addr_of("2001:db8::50");
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(later_fragment_follows_an_allowed_first, only_dns),
		cmocka_unit_test_setup(later_fragment_of_a_denied_first_drops, only_dns),
		cmocka_unit_test_setup(later_fragments_stop_with_the_policy, only_dns),
		cmocka_unit_test_setup(first_fragment_holds_the_whole_header, only_dns),
		cmocka_unit_test_setup(overlap_of_the_header_drops, only_dns),
		cmocka_unit_test_setup(fragments_of_impossible_size_are_malformed, only_dns),
		cmocka_unit_test_setup(fragments_can_be_switched_off, only_dns),
		cmocka_unit_test_setup(fragment_records_expire, only_dns),
		cmocka_unit_test_setup(one_pods_fragments_displace_only_its_own, only_dns),
		cmocka_unit_test(groups_need_an_ip_block_that_lists_them),
		cmocka_unit_test(frame_to_everyone_is_a_broadcast_whatever_its_address),
		cmocka_unit_test(dhcp_needs_a_named_port_and_never_broadcasts),
		cmocka_unit_test(tunnel_packets_never_pass),
	};

	return kern_main(tests);
}
