// SPDX-License-Identifier: Apache-2.0
/* Every shape of header: the kernel's parser against the reference one (L3, L4,
 * L5, S11, S12). */
#include "lib/kern_main.h"
#include "lib/refparse.h"

#include <stdlib.h>

#define CAPTURED_MIN 14
#define CAPTURED_MAX 80

/* The kernel's test run takes frames from a whole IP header up to about a page; what
 * is shorter or longer goes over the wire. */
#define TEST_RUN_MAX 3400

static struct kern_pod a;
static struct bh_addr world, world6;

/* Expected and counted, over a whole sweep: reading the counters per frame would
 * take longer than the frames. */
static uint64_t expected[2][BH_REASONS_MAX], before[2][BH_REASONS_MAX];
static unsigned int wrong_actions;

static void sweep_begin(void)
{
	struct err err = { 0 };

	memset(expected, 0, sizeof(expected));
	wrong_actions = 0;
	assert_int_equal(maps_counters_get(kern->maps, a.slot, before, &err), 0);
}

/* What the kernel must say of a frame with this shape: a fragment without its
 * first and TCP that does not open are judged behind the parser. */
static unsigned int reason_of(const struct refparse *ref, const struct frame *f)
{
	if (ref->reason != BH_PASS)
		return ref->reason;
	if (ref->later_fragment)
		return BH_FRAG_NO_FIRST;
	if (ref->proto == 6 && !(f->data[f->l4 + 13] & FRAME_SYN))
		return BH_NO_FLOW;
	return BH_PASS;
}

static void sweep_frame(const struct frame *f, bool from, bool ext_allowed)
{
	struct refparse ref = refparse_frame(f->data, f->len, ext_allowed);
	unsigned int reason = reason_of(&ref, f);
	int action;

	if (f->len < f->l3 + (f->v6 ? 40 : 20) || f->len > TEST_RUN_MAX) {
		expected[from ? BH_EGRESS : BH_INGRESS][reason]++;
		if (from)
			kern_wire_from(kern, &a, f);
		else
			kern_wire_to(kern, &a, f);
		return;
	}
	action = from ? kern_from_pod(kern, &a, f) : kern_to_pod(kern, &a, kern->uplink, f);

	expected[from ? BH_EGRESS : BH_INGRESS][reason]++;
	wrong_actions += (action == KERN_DROP) != (reason != BH_PASS);
}

static void sweep_end(void)
{
	uint64_t after[2][BH_REASONS_MAX];
	struct err err = { 0 };

	kern_settle(kern, &a);
	assert_int_equal(maps_counters_get(kern->maps, a.slot, after, &err), 0);
	for (int d = 0; d < 2; d++) {
		for (unsigned int i = 0; i < BH_REASONS_MAX; i++) {
			if (after[d][i] - before[d][i] != expected[d][i])
				fail_msg("direction %d, %s: wanted %llu, counted %llu", d, reason_name(i),
					 (unsigned long long)expected[d][i],
					 (unsigned long long)(after[d][i] - before[d][i]));
		}
	}
	assert_int_equal(wrong_actions, 0);
}

static struct frame syn(bool from, bool v6)
{
	struct bh_addr *own = v6 ? &a.v6 : &a.v4, *far = v6 ? &world6 : &world;
	struct frame f;

	if (from)
		kern_frame_from(&f, &a, own, far);
	else
		kern_frame_to(&f, &a, far, own);
	frame_tcp(&f, 1234, 80, FRAME_SYN);
	frame_fill(&f, 0x50, CAPTURED_MAX - f.len);
	frame_end(&f);
	return f;
}

/* 16 header lengths x 5 total lengths x 67 captured lengths, both hooks. */
static void every_ipv4_length_is_judged_like_the_reference(void **state)
{
	unsigned int frames = 0;

	(void)state;
	sweep_begin();
	for (int from = 0; from < 2; from++) {
		struct frame whole = syn(from, false);

		for (unsigned int ihl = 0; ihl < 16; ihl++) {
			const unsigned int totals[] = { 0, ihl * 4 - 1, ihl * 4, (unsigned int)whole.len - 14,
							65535 };

			for (size_t t = 0; t < 5; t++) {
				for (size_t len = CAPTURED_MIN; len <= CAPTURED_MAX; len++) {
					struct frame f = whole;

					f.data[14] = (uint8_t)(0x40 | ihl);
					f.data[16] = (uint8_t)(totals[t] >> 8);
					f.data[17] = (uint8_t)totals[t];
					f.len = len;
					sweep_frame(&f, from, false);
					frames++;
				}
			}
		}
	}
	assert_int_equal(frames, 2 * 5360);
	sweep_end();
}

/* The same number for IPv6: 16 next headers x 5 payload lengths x 67. */
static void every_ipv6_length_is_judged_like_the_reference(void **state)
{
	static const uint8_t next[16] = { 6, 17, 58, 132, 0, 43, 44, 50, 51, 59, 60, 135, 139, 140, 4, 255 };
	unsigned int frames = 0;

	(void)state;
	sweep_begin();
	for (int from = 0; from < 2; from++) {
		struct frame whole = syn(from, true);
		unsigned int real = (unsigned int)whole.len - 54;
		const unsigned int payloads[] = { 0, 7, real - 1, real, 65535 };

		for (size_t n = 0; n < 16; n++) {
			for (size_t p = 0; p < 5; p++) {
				for (size_t len = CAPTURED_MIN; len <= CAPTURED_MAX; len++) {
					struct frame f = whole;

					/* A first ICMPv6 byte that is an echo request's. */
					f.data[f.l4] = next[n] == 58 ? 128 : f.data[f.l4];
					f.data[18] = (uint8_t)(payloads[p] >> 8);
					f.data[19] = (uint8_t)payloads[p];
					f.data[20] = next[n];
					f.len = len;
					sweep_frame(&f, from, false);
					frames++;
				}
			}
		}
	}
	assert_int_equal(frames, 2 * 5360);
	sweep_end();
}

static void version_must_agree_with_the_ethertype(void **state)
{
	(void)state;
	sweep_begin();
	for (int from = 0; from < 2; from++) {
		for (int v6 = 0; v6 < 2; v6++) {
			for (unsigned int version = 0; version < 16; version++) {
				struct frame f = syn(from, v6);

				f.data[14] = (uint8_t)(version << 4 | (f.data[14] & 15));
				sweep_frame(&f, from, false);
			}
		}
	}
	assert_int_equal(expected[BH_EGRESS][BH_MALFORMED], 30);
	assert_int_equal(expected[BH_INGRESS][BH_PASS], 2);
	sweep_end();
}

static void ipv4_options_drop_whatever_they_are(void **state)
{
	static const uint8_t options[][12] = {
		{ 131, 7, 4, 10, 0, 0, 3 },
		{ 137, 7, 4, 10, 0, 0, 3 },
		{ 7, 7, 4, 0, 0, 0, 0 },
		{ 68, 8, 5, 0, 0, 0, 0, 0 },
		{ 0x04, 0xd2, 0, 80, 0, 0, 0, 1 },
		{ 148, 4, 0, 0 },
		{ 1, 1, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct frame f;

		kern_frame_from(&f, &a, &a.v4, &world);
		frame_ip_option(&f, options[i], sizeof(options[i]));
		frame_tcp(&f, 1234, 22, FRAME_SYN);
		frame_end(&f);
		assert_true(kern_from_gives(kern, &a, &f, BH_IP_OPTIONS));
	}
}

static void short_transport_headers_drop(void **state)
{
	static const uint8_t protos[] = { 6, 17, 132, 1 };

	(void)state;
	sweep_begin();
	for (size_t p = 0; p < sizeof(protos); p++) {
		for (size_t bytes = 0; bytes < 24; bytes++) {
			struct frame f;

			kern_frame_from(&f, &a, &a.v4, &world);
			frame_proto(&f, protos[p], 0);
			f.l4 = f.len;
			frame_fill(&f, 0x08, bytes);
			f.proto = 0;
			frame_end(&f);
			if (protos[p] == 6 && bytes > 13) {
				f.data[f.l4 + 12] = 0x50;
				f.data[f.l4 + 13] = FRAME_SYN;
			}
			if (protos[p] == 17 && bytes > 5)
				f.data[f.l4 + 4] = 0, f.data[f.l4 + 5] = (uint8_t)bytes;
			sweep_frame(&f, true, false);
		}
	}
	sweep_end();
}

static void lying_offsets_and_lengths_are_malformed(void **state)
{
	(void)state;
	sweep_begin();
	for (unsigned int words = 0; words < 16; words++) {
		struct frame f = syn(true, false);

		f.data[f.l4 + 12] = (uint8_t)(words << 4);
		sweep_frame(&f, true, false);
	}
	for (unsigned int len = 0; len < 64; len++) {
		struct frame f;

		kern_frame_from(&f, &a, &a.v4, &world);
		frame_udp(&f, 1000, 2000);
		frame_fill(&f, 'x', 24);
		frame_end(&f);
		f.data[f.l4 + 5] = (uint8_t)len;
		sweep_frame(&f, true, false);
	}
	assert_int_equal(expected[BH_EGRESS][BH_MALFORMED], 5 + 8 + 31);
	sweep_end();
}

/* All sequences of up to four headers out of eleven, with lengths 0, 1 and 255. */
enum ext_kind { HBH, DSTOPT, RH0, RH2, RH4, AUTH, ATOMIC, FIRST, MORE, ESP, NONE, EXT_KINDS };

static bool ext_add(struct frame *f, enum ext_kind kind, uint8_t units)
{
	switch (kind) {
	case HBH:
		frame_ext(f, 0, units, 0);
		return true;
	case DSTOPT:
		frame_ext(f, 60, units, 0);
		return true;
	case RH0:
	case RH2:
	case RH4:
		frame_ext(f, 43, units, kind == RH0 ? 0 : kind == RH2 ? 2 : 4);
		return true;
	case AUTH:
		frame_ext(f, 51, units, 0);
		return true;
	case ATOMIC:
		frame_fragment(f, 9, 0, false);
		return true;
	case FIRST:
		frame_fragment(f, 9, 0, true);
		return true;
	case MORE:
		frame_fragment(f, 10, 100, true); /* of another packet than FIRST's */
		return true;
	default:
		frame_proto(f, kind == ESP ? 50 : 59, 16);
		return false; /* nothing can follow */
	}
}

static void ext_sequence(const unsigned int kinds[4], size_t n, uint8_t units, bool allowed)
{
	struct frame f;
	bool open = true;

	kern_frame_from(&f, &a, &a.v6, &world6);
	for (size_t i = 0; i < n && open; i++)
		open = ext_add(&f, kinds[i], units);
	if (open) {
		frame_tcp(&f, 1234, 80, FRAME_SYN);
		frame_fill(&f, 'x', 28);
	}
	frame_end(&f);
	sweep_frame(&f, true, allowed);
}

static void ext_sequences(bool allowed)
{
	static const uint8_t lengths[] = { 0, 1, 255 };
	unsigned int total = 1;

	for (size_t n = 0; n <= 4; n++, total *= EXT_KINDS) {
		for (unsigned int code = 0; code < total; code++) {
			unsigned int rest = code, kinds[4] = { 0 };

			for (size_t i = 0; i < n; i++, rest /= EXT_KINDS)
				kinds[i] = rest % EXT_KINDS;
			for (size_t l = 0; l < sizeof(lengths); l++)
				ext_sequence(kinds, n, lengths[l], allowed);
		}
	}
}

static void extension_headers_drop_by_default(void **state)
{
	(void)state;
	sweep_begin();
	ext_sequences(false);
	sweep_end();
}

static void allowed_extension_headers_are_walked_like_the_reference(void **state)
{
	(void)state;
	kern->config.flags |= BH_CONFIG_ALLOW_EXT_HEADERS;
	kern_configure(kern);
	sweep_begin();
	ext_sequences(true);
	sweep_end();
	assert_true(expected[BH_EGRESS][BH_PASS] > 100);
	kern->config.flags &= ~(uint32_t)BH_CONFIG_ALLOW_EXT_HEADERS;
	kern_configure(kern);
}

/* The port judged is the real one, also behind an atomic fragment. */
static void atomic_fragment_does_not_shift_ports(void **state)
{
	static const struct bh_port web = { .first = 80, .last = 80, .proto = 6, .action = BH_ALLOW };
	struct frame f;

	(void)state;
	kern_row(kern, 30, BH_PEER_ANY, BH_DENY, &web, 1);
	kern_pod_subjects(kern, &a, 30, 0);
	for (uint16_t port = 79; port <= 81; port++) {
		kern_frame_from(&f, &a, &a.v6, &world6);
		frame_fragment(&f, 77, 0, false);
		frame_tcp(&f, (uint16_t)(4000 + port), port, FRAME_SYN);
		frame_end(&f);
		assert_true(kern_from_gives(kern, &a, &f, port == 80 ? BH_PASS : BH_POLICY));
	}
	kern_pod_subjects(kern, &a, 0, 0);
}

/* S12: what each of the 256 numbers gets from no policy, a rule with a port, a
 * rule without ports. */
static unsigned int proto_reason(unsigned int proto, bool v6, int policy)
{
	bool ext = v6 && (proto == 0 || proto == 43 || proto == 44 || proto == 51 || proto == 59 ||
			  proto == 60 || proto == 135 || proto == 139 || proto == 140);

	if (ext)
		return BH_EXT_HEADER;
	if (policy == 0)
		return BH_PASS;
	if (policy == 1)
		return proto == 6 ? BH_PASS : BH_POLICY;
	if (proto == 4 || proto == 41 || proto == 47)
		return BH_ENCAP;
	return BH_PASS;
}

static struct frame proto_frame(unsigned int proto, bool v6)
{
	/* Nobody has opened anything from there. */
	struct bh_addr dst = addr_of(v6 ? "2001:db8::51" : "203.0.113.51");
	struct frame f;

	kern_frame_from(&f, &a, v6 ? &a.v6 : &a.v4, &dst);
	if (proto == 6)
		frame_tcp(&f, 5000, 80, FRAME_SYN);
	else if (proto == 17)
		frame_udp(&f, 5000, 80);
	else if (proto == 132)
		frame_sctp(&f, 5000, 80, 1);
	else if (proto == (v6 ? 58 : 1))
		frame_echo(&f, true, 7);
	else if (v6 && proto == 44)
		frame_fragment(&f, 1, 0, false), frame_proto(&f, 59, 8);
	else
		frame_proto(&f, (uint8_t)proto, 40);
	frame_end(&f);
	return f;
}

static void every_protocol_number_is_judged_by_its_rule(void **state)
{
	static const struct bh_port web = { .first = 80, .last = 80, .proto = 6, .action = BH_ALLOW };
	static const uint32_t subjects[] = { 0, 31, 32 };

	(void)state;
	kern_row(kern, 31, BH_PEER_ANY, BH_DENY, &web, 1);
	kern_row(kern, 32, BH_PEER_ANY, BH_ALLOW, NULL, 0);
	for (int policy = 0; policy < 3; policy++) {
		kern_pod_subjects(kern, &a, subjects[policy], 0);
		for (int v6 = 0; v6 < 2; v6++) {
			for (unsigned int proto = 0; proto < 256; proto++) {
				struct frame f = proto_frame(proto, v6);

				if (!kern_from_gives(kern, &a, &f, proto_reason(proto, v6, policy)))
					fail_msg("protocol %u, IPv%d, policy %d", proto, v6 ? 6 : 4, policy);
			}
		}
	}
	kern_pod_subjects(kern, &a, 0, 0);
}

static void encapsulation_passes_when_the_operator_says_so(void **state)
{
	static const uint8_t protos[] = { 4, 41, 47 };

	(void)state;
	kern_pod_subjects(kern, &a, 32, 0);
	kern->config.flags |= BH_CONFIG_ALLOW_ENCAP;
	kern_configure(kern);
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct frame f = proto_frame(protos[i], false);

		assert_true(kern_from_gives(kern, &a, &f, BH_PASS));
	}
	kern->config.flags &= ~(uint32_t)BH_CONFIG_ALLOW_ENCAP;
	kern_configure(kern);
	kern_pod_subjects(kern, &a, 0, 0);
}

/* Random bytes over a good frame, both families and hooks; the seed is printed. */
static void random_damage_is_judged_like_the_reference(void **state)
{
	unsigned int seed = 20260401;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	sweep_begin();
	for (int round = 0; round < 20000; round++) {
		bool v6 = random() & 1;
		struct frame f = syn(true, v6);
		size_t header = v6 ? 40 : 20;

		/* IP and TCP headers but the addresses. */
		for (int hits = 1 + (int)(random() % 3); hits > 0; hits--) {
			size_t at = (size_t)random() % (header + 20);

			if (at >= (v6 ? 8u : 12u) && at < header)
				continue;
			if (v6 && at == 6)
				continue; /* next headers have their own sweep */
			if (!v6 && at == 9)
				continue;
			f.data[14 + at] = (uint8_t)random();
		}
		if (random() % 4 == 0)
			f.len = CAPTURED_MIN + (size_t)random() % (f.len - CAPTURED_MIN);
		/* Whether it opens is not the parser's: make it a SYN. */
		f.data[f.l4 + 13] = FRAME_SYN;
		sweep_frame(&f, true, false);
	}
	sweep_end();
}

static int pods_add(void **state)
{
	(void)state;
	world = addr_of("203.0.113.50");
	world6 = addr_of("2001:db8::50");
	kern->config.flow_quota = 200000;
	kern->config.event_rate = 0;
	kern_configure(kern);
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_run("ip link set dev a mtu 9200 && ip link set dev p-a mtu 9200");
	kern_wire(kern, &a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ipv4_length_is_judged_like_the_reference),
		cmocka_unit_test(every_ipv6_length_is_judged_like_the_reference),
		cmocka_unit_test(version_must_agree_with_the_ethertype),
		cmocka_unit_test(ipv4_options_drop_whatever_they_are),
		cmocka_unit_test(short_transport_headers_drop),
		cmocka_unit_test(lying_offsets_and_lengths_are_malformed),
		cmocka_unit_test(extension_headers_drop_by_default),
		cmocka_unit_test(allowed_extension_headers_are_walked_like_the_reference),
		cmocka_unit_test(atomic_fragment_does_not_shift_ports),
		cmocka_unit_test(every_protocol_number_is_judged_by_its_rule),
		cmocka_unit_test(encapsulation_passes_when_the_operator_says_so),
		cmocka_unit_test(random_damage_is_judged_like_the_reference),
	};

	return kern_main(tests);
}
