// SPDX-License-Identifier: Apache-2.0
/* A pod speaks as itself: MACs, addresses, ARP, neighbour discovery, and the
 * frames that are nobody's (L6 to L12, S1, S16). */
#include "lib/kern_main.h"

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t other_mac[6] = { 2, 0xb, 0, 0, 0, 0x77 };
static const uint8_t zero_mac[6];

static struct kern_pod a, b, bridged;
static struct bh_addr world, world6, gateway;

static struct frame syn4(const struct bh_addr *src, const struct bh_addr *dst)
{
	static uint16_t port = 1024;
	struct frame f;

	kern_frame_from(&f, &a, src, dst);
	frame_tcp(&f, port++, 80, FRAME_SYN);
	frame_end(&f);
	return f;
}

static void own_addresses_pass(void **state)
{
	struct bh_addr link_local = addr_of("fe80::99");
	struct frame f;

	(void)state;
	f = syn4(&a.v4, &world);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	f = syn4(&a.v6, &world6);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	f = syn4(&a.ll, &link_local);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
}

static void foreign_sources_drop(void **state)
{
	static const char *const sources[] = { "10.0.0.6",	  "10.0.0.1",	"192.0.2.1",
					       "127.0.0.1",	  "0.0.0.0",	"224.0.0.1",
					       "255.255.255.255", "10.0.0.255", "10.0.0.4" };
	static const char *const sources6[] = { "fd00::6", "fe80::6", "ff02::1", "2001:db8::1", "::" };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct bh_addr src = addr_of(sources[i]);

		f = syn4(&src, &world);
		assert_true(kern_from_gives(kern, &a, &f, BH_SRC_ADDR));
	}
	for (size_t i = 0; i < sizeof(sources6) / sizeof(sources6[0]); i++) {
		struct bh_addr src = addr_of(sources6[i]);

		f = syn4(&src, &world6);
		assert_true(kern_from_gives(kern, &a, &f, BH_SRC_ADDR));
	}
}

/* On the wire a v4-mapped IPv6 address would alias IPv4 in every table. */
static void v4_inside_v6_drops_in_both_directions(void **state)
{
	struct frame f = syn4(&a.v6, &world6), back;

	(void)state;
	memset(f.data + f.l3 + 8, 0, 16);
	memset(f.data + f.l3 + 18, 0xff, 2);
	memcpy(f.data + f.l3 + 20, a.v4.b + 12, 4);
	assert_true(kern_from_gives(kern, &a, &f, BH_MARTIAN));
	f = syn4(&a.v6, &world6);
	memset(f.data + f.l3 + 24, 0, 16);
	memset(f.data + f.l3 + 34, 0xff, 2);
	memcpy(f.data + f.l3 + 36, b.v4.b + 12, 4);
	assert_true(kern_from_gives(kern, &a, &f, BH_MARTIAN));
	kern_frame_to(&back, &a, &world6, &a.v6);
	frame_tcp(&back, 1, 80, FRAME_SYN);
	frame_end(&back);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &back, BH_PASS));
	memset(back.data + back.l3 + 8, 0, 16);
	memset(back.data + back.l3 + 18, 0xff, 2);
	memcpy(back.data + back.l3 + 20, b.v4.b + 12, 4);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &back, BH_MARTIAN));
}

static void martians_drop_in_both_directions(void **state)
{
	static const char *const martians[] = { "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3" };
	struct bh_addr loopback6 = addr_of("::1"), none6 = addr_of("::");
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(martians) / sizeof(martians[0]); i++) {
		struct bh_addr martian = addr_of(martians[i]);

		f = syn4(&a.v4, &martian);
		assert_true(kern_from_gives(kern, &a, &f, BH_MARTIAN));
		kern_frame_to(&f, &a, &martian, &a.v4);
		frame_tcp(&f, 1, 80, FRAME_SYN);
		frame_end(&f);
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_MARTIAN));
		assert_true(kern_to_gives(kern, &a, 0, &f, BH_MARTIAN));
	}
	f = syn4(&a.v6, &loopback6);
	assert_true(kern_from_gives(kern, &a, &f, BH_MARTIAN));
	/* Nobody is a group. */
	struct bh_addr group = addr_of("224.0.0.1"), group6 = addr_of("ff02::1");

	kern_frame_to(&f, &a, &group, &a.v4);
	frame_udp(&f, 1, 80);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_MARTIAN));
	kern_frame_to(&f, &a, &group6, &a.v6);
	frame_udp(&f, 1, 80);
	frame_end(&f);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_MARTIAN));
	f = syn4(&a.v6, &none6);
	assert_true(kern_from_gives(kern, &a, &f, BH_MARTIAN));
}

static void macs_must_be_the_pods_and_the_nodes(void **state)
{
	struct frame f = syn4(&a.v4, &world);

	(void)state;
	memcpy(f.data + 6, other_mac, 6);
	assert_true(kern_from_gives(kern, &a, &f, BH_SRC_MAC));
	f = syn4(&a.v4, &b.v4);
	memcpy(f.data, b.mac, 6);
	assert_true(kern_from_gives(kern, &a, &f, BH_DST_MAC));
	f = syn4(&a.v4, &b.v4);
	memcpy(f.data, broadcast, 6);
	assert_true(kern_from_gives(kern, &a, &f, BH_DST_MAC));
	f = syn4(&a.v4, &b.v4);
	f.data[0] |= 1;
	assert_true(kern_from_gives(kern, &a, &f, BH_DST_MAC));
	/* On a bridge the neighbour's MAC is right. */
	f = syn4(&bridged.v4, &world);
	memcpy(f.data, other_mac, 6);
	memcpy(f.data + 6, bridged.mac, 6);
	assert_true(kern_from_gives(kern, &bridged, &f, BH_PASS));
	memcpy(f.data + 6, a.mac, 6);
	assert_true(kern_from_gives(kern, &bridged, &f, BH_SRC_MAC));
}

static void vlan_tags_drop(void **state)
{
	static const uint16_t types[] = { 0x8100, 0x88a8 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct frame f = syn4(&a.v4, &world);

		frame_vlan(&f, types[i], 0);
		assert_true(kern_from_gives(kern, &a, &f, BH_VLAN));
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_VLAN));
	}
}

/* All 65,536, counted in sum: only IPv4 and IPv6 parse as what they are, ARP asks
 * for an ARP body, tags are VLAN, everything else is nobody's. */
static void every_other_ethertype_drops(void **state)
{
	uint64_t types = kern_count(kern, a.slot, BH_EGRESS, BH_ETHERTYPE);
	uint64_t vlans = kern_count(kern, a.slot, BH_EGRESS, BH_VLAN);
	unsigned int passed = 0;

	(void)state;
	for (uint32_t type = 0; type < 65536; type++) {
		struct frame f = syn4(&a.v4, &world);

		f.data[12] = (uint8_t)(type >> 8);
		f.data[13] = (uint8_t)type;
		passed += kern_from_pod(kern, &a, &f) != KERN_DROP;
	}
	assert_int_equal(passed, 1); /* 0x0800 */
	assert_int_equal(kern_count(kern, a.slot, BH_EGRESS, BH_ETHERTYPE) - types, 65536 - 5);
	assert_int_equal(kern_count(kern, a.slot, BH_EGRESS, BH_VLAN) - vlans, 2);
}

static bool arp_gives(uint16_t op, const uint8_t sha[6], const struct bh_addr *spa, enum bh_reason reason)
{
	struct frame f;

	frame_arp(&f, broadcast, a.mac, op, sha, spa, zero_mac, &gateway);
	return kern_from_gives(kern, &a, &f, reason);
}

static void arp_speaks_of_the_pods_own_address(void **state)
{
	(void)state;
	assert_true(arp_gives(1, a.mac, &a.v4, BH_PASS));
	assert_true(arp_gives(2, a.mac, &a.v4, BH_PASS));
	assert_true(arp_gives(2, a.mac, &gateway, BH_ARP));
	assert_true(arp_gives(1, a.mac, &b.v4, BH_ARP));
	assert_true(arp_gives(1, other_mac, &a.v4, BH_ARP));
	for (uint16_t op = 0; op < 12; op++) {
		if (op != 1 && op != 2)
			assert_true(arp_gives(op, a.mac, &a.v4, BH_ARP));
	}
}

static void arp_of_another_shape_drops(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} lies[] = { { 15, 6 }, { 16, 0x86 }, { 18, 7 }, { 18, 0 }, { 19, 16 }, { 19, 0 } };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		frame_arp(&f, broadcast, a.mac, 1, a.mac, &a.v4, zero_mac, &gateway);
		f.data[lies[i].at] = lies[i].value;
		assert_true(kern_from_gives(kern, &a, &f, BH_ARP));
	}
	frame_arp(&f, broadcast, a.mac, 1, a.mac, &a.v4, zero_mac, &gateway);
	f.len--;
	assert_true(kern_from_gives(kern, &a, &f, BH_SHORT));
	frame_arp(&f, other_mac, a.mac, 1, a.mac, &a.v4, zero_mac, &gateway);
	assert_true(kern_from_gives(kern, &a, &f, BH_DST_MAC));
	frame_arp(&f, broadcast, a.mac, 1, a.mac, &a.v4, zero_mac, &gateway);
	frame_vlan(&f, 0x8100, 0);
	assert_true(kern_from_gives(kern, &a, &f, BH_VLAN));
}

static struct frame nd(uint8_t type, const struct bh_addr *src, const struct bh_addr *dst,
		       const struct bh_addr *target, uint8_t option, const uint8_t mac[6])
{
	struct frame f;

	kern_frame_from(&f, &a, src, dst);
	frame_nd(&f, type, target, option, mac);
	frame_end(&f);
	return f;
}

static void neighbour_discovery_speaks_of_the_pods_own_addresses(void **state)
{
	struct bh_addr router = addr_of("fe80::1"), none = addr_of("::"), all = addr_of("ff02::1");
	struct frame f;

	(void)state;
	f = nd(135, &a.ll, &router, &router, 1, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	f = nd(136, &a.v6, &router, &a.v6, 2, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	f = nd(135, &none, &router, &a.v6, 0, zero_mac); /* duplicate address detection */
	assert_true(kern_from_gives(kern, &a, &f, BH_PASS));

	f = nd(135, &none, &router, &b.v6, 0, zero_mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(135, &none, &router, &a.v6, 1, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(135, &b.ll, &router, &router, 1, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(135, &a.ll, &router, &router, 1, other_mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(136, &a.ll, &router, &b.v6, 2, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(136, &a.ll, &router, &router, 2, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(136, &none, &all, &a.v6, 2, a.mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = nd(136, &a.ll, &router, &a.ll, 2, other_mac);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
}

static void neighbour_discovery_of_another_shape_drops(void **state)
{
	struct bh_addr router = addr_of("fe80::1");
	struct frame good = nd(135, &a.ll, &router, &router, 1, a.mac), f;

	(void)state;
	f = good;
	f.data[f.l3 + 7] = 254;
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = good;
	f.data[f.l4 + 1] = 1;
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = good;
	f.data[f.l4 + 25] = 0; /* an option of length 0 */
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = good;
	f.data[f.l4 + 25] = 2; /* an option beyond the end */
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	f = good;
	f.len -= 4;
	frame_end(&f);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	kern_frame_from(&f, &a, &a.ll, &router);
	frame_icmp(&f, 135, 0, 0);
	f.data[f.l3 + 7] = 255;
	frame_end(&f);
	assert_true(kern_from_gives(kern, &a, &f, BH_SHORT));
	/* Behind a fragment header (RFC 6980). */
	kern_frame_from(&f, &a, &a.ll, &router);
	frame_fragment(&f, 1, 0, false);
	frame_nd(&f, 135, &router, 1, a.mac);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &a, &f, BH_ND));
}

static void routers_do_not_live_in_pods(void **state)
{
	static const uint8_t types[] = { 133, 134, 137 };
	struct bh_addr all = addr_of("ff02::1");
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		f = nd(types[i], &a.ll, &all, &all, 1, a.mac);
		assert_true(kern_from_gives(kern, &a, &f, BH_ND));
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_ND));
		/* The same behind other headers, where they are allowed at all. */
		for (uint8_t ext = 0; ext <= 60; ext += 60) {
			kern_frame_from(&f, &a, &a.ll, &all);
			frame_ext(&f, ext, 0, 0);
			frame_nd(&f, types[i], &all, 0, zero_mac);
			frame_end(&f);
			assert_true(kern_from_gives(kern, &a, &f, BH_EXT_HEADER));
			kern->config.flags |= BH_CONFIG_ALLOW_EXT_HEADERS;
			kern_configure(kern);
			assert_true(kern_from_gives(kern, &a, &f, BH_ND));
			kern->config.flags &= ~(uint32_t)BH_CONFIG_ALLOW_EXT_HEADERS;
			kern_configure(kern);
		}
		kern_frame_from(&f, &a, &a.ll, &all);
		frame_fragment(&f, 1, 0, false);
		frame_nd(&f, types[i], &all, 0, zero_mac);
		frame_end(&f);
		assert_true(kern_from_gives(kern, &a, &f, BH_ND));
	}
}

static void pod_without_ipv6_sends_none(void **state)
{
	struct bh_endpoint row = { .flags = BH_EP_ROUTED };
	struct kern_pod only4;
	struct err err = { 0 };
	struct frame f;

	(void)state;
	kern_pod_add(kern, "only4", 20, BH_EP_ROUTED, &only4);
	assert_int_equal(maps_endpoint_release(kern->maps, only4.ifindex, &err), 0);
	row.ifindex = only4.ifindex;
	row.addr[0] = only4.v4;
	memcpy(row.mac, only4.mac, 6);
	memcpy(row.host_mac, only4.host_mac, 6);
	assert_int_equal(maps_endpoint_claim(kern->maps, &row, &only4.slot, &err), 0);
	kern_pod_commit(kern, &only4);
	kern_frame_from(&f, &only4, &only4.v6, &world6);
	frame_tcp(&f, 1, 80, FRAME_SYN);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &only4, &f, BH_SRC_ADDR));
	kern_frame_from(&f, &only4, &only4.ll, &world6);
	frame_nd(&f, 135, &world6, 1, only4.mac);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &only4, &f, BH_ND));
}

static int pods_add(void **state)
{
	(void)state;
	world = addr_of("203.0.113.50");
	world6 = addr_of("2001:db8::50");
	gateway = addr_of("10.0.0.1");
	kern->config.flow_quota = 100000;
	kern_configure(kern);
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &b);
	kern_pod_add(kern, "c", 7, 0, &bridged);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_addresses_pass),
		cmocka_unit_test(foreign_sources_drop),
		cmocka_unit_test(v4_inside_v6_drops_in_both_directions),
		cmocka_unit_test(martians_drop_in_both_directions),
		cmocka_unit_test(macs_must_be_the_pods_and_the_nodes),
		cmocka_unit_test(vlan_tags_drop),
		cmocka_unit_test(every_other_ethertype_drops),
		cmocka_unit_test(arp_speaks_of_the_pods_own_address),
		cmocka_unit_test(arp_of_another_shape_drops),
		cmocka_unit_test(neighbour_discovery_speaks_of_the_pods_own_addresses),
		cmocka_unit_test(neighbour_discovery_of_another_shape_drops),
		cmocka_unit_test(routers_do_not_live_in_pods),
		cmocka_unit_test(pod_without_ipv6_sends_none),
	};

	return kern_main(tests);
}
