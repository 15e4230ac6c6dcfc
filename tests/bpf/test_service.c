// SPDX-License-Identifier: Apache-2.0
/* Services: each translated packet must be, byte for byte and with every checksum, the
 * packet that somebody who knew the backend would have sent. */
#include <unistd.h>

#include "lib/kern_main.h"
#include "bpf/service_frames.h"

#define SUBJECT 30

static struct kern_pod a, b;
static struct bh_addr vip, vip6, outside, outside6;
static uint16_t next_port = 20000;

static uint32_t flows_of(const struct kern_pod *pod)
{
	struct bh_usage usage;

	assert_int_equal(maps_usage_get(kern->maps, pod->slot, &usage, NULL), 0);
	return usage.flows;
}

static int fresh(void **state)
{
	(void)state;
	kern->config.udp_s = 120;
	kern->config.tcp_syn_s = 30;
	kern_configure(kern);
	kern_pod_subjects(kern, &a, 0, 0);
	kern_pod_subjects(kern, &b, 0, 0);
	return 0;
}

static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

/* --- there and back */

static void every_field_is_translated(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < sizeof(protos); i++) {
			const struct bh_addr *client = v6 ? &a.v6 : &a.v4, *front = v6 ? &vip6 : &vip;
			const struct bh_addr *near = v6 ? &b.v6 : &b.v4, *far = v6 ? &outside6 : &outside;
			uint8_t proto = protos[i];
			uint16_t port = next_port++;

			service_to(front, 80, proto, near, 8080);
			from_becomes(&a, (struct packet){ client, front, port, 80, proto, FRAME_SYN },
				     (struct packet){ client, near, port, 8080, proto, FRAME_SYN },
				     "to a pod here");
			from_becomes(
				&b, (struct packet){ near, client, 8080, port, proto, FRAME_SYN | FRAME_ACK },
				(struct packet){ front, client, 80, port, proto, FRAME_SYN | FRAME_ACK },
				"its answer");
			from_becomes(&a, (struct packet){ client, front, port, 80, proto, FRAME_ACK },
				     (struct packet){ client, near, port, 8080, proto, FRAME_ACK },
				     "more of it");
			service_to(front, 80, proto, far, 9);
			port = next_port++;
			from_becomes(&a, (struct packet){ client, front, port, 80, proto, FRAME_SYN },
				     (struct packet){ client, far, port, 9, proto, FRAME_SYN },
				     "to elsewhere");
			to_becomes(&a, (struct packet){ far, client, 9, port, proto, FRAME_SYN | FRAME_ACK },
				   (struct packet){ front, client, 80, port, proto, FRAME_SYN | FRAME_ACK },
				   "its answer");
		}
	}
}

static void a_udp_sum_of_none_stays_none(void **state)
{
	struct packet in = { &a.v4, &vip, next_port++, 80, IPPROTO_UDP, 0 };
	struct frame f = from(&a, &in), got;

	(void)state;
	service_to(&vip, 80, IPPROTO_UDP, &outside, 8080);
	f.data[f.l4 + 6] = f.data[f.l4 + 7] = 0;
	assert_int_not_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_DROP);
	assert_int_equal(got.data[f.l4 + 6] | got.data[f.l4 + 7], 0);
	assert_memory_equal(got.data + f.l3 + 16, &outside.b[12], 4);
}

static void a_pod_is_answered_by_its_own_service(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < sizeof(protos); i++) {
			const struct bh_addr *pod = v6 ? &a.v6 : &a.v4, *front = v6 ? &vip6 : &vip;
			uint16_t port = next_port++;
			uint8_t proto = protos[i];

			service_to(front, 80, proto, pod, 8080);
			kern_pod_subjects(kern, &a, 99, 99); /* R17: isolated from everyone */
			from_becomes(&a, (struct packet){ pod, front, port, 80, proto, FRAME_SYN },
				     (struct packet){ front, pod, port, 8080, proto, FRAME_SYN },
				     "to itself");
			from_becomes(&a,
				     (struct packet){ pod, front, 8080, port, proto, FRAME_SYN | FRAME_ACK },
				     (struct packet){ front, pod, 80, port, proto, FRAME_SYN | FRAME_ACK },
				     "its answer");
			from_becomes(&a, (struct packet){ pod, front, port, 80, proto, FRAME_ACK },
				     (struct packet){ front, pod, port, 8080, proto, FRAME_ACK },
				     "more of it");
		}
	}
}

/* --- verdicts */

static bool gives(const struct packet *packet, enum bh_reason reason)
{
	struct frame f = from(&a, packet);

	return kern_from_gives(kern, &a, &f, reason);
}

static void policy_sees_the_backend(void **state)
{
	struct bh_port served = { .first = 8080, .last = 8080, .proto = IPPROTO_TCP, .action = BH_ALLOW };
	struct bh_port dialled = { .first = 80, .last = 80, .proto = IPPROTO_TCP, .action = BH_ALLOW };
	struct packet syn = { &a.v4, &vip, next_port++, 80, IPPROTO_TCP, FRAME_SYN };
	struct packet ack = syn;

	(void)state;
	ack.flags = FRAME_ACK;
	service_to(&vip, 80, IPPROTO_TCP, &outside, 8080);
	kern_row(kern, SUBJECT, BH_PEER_ANY, BH_DENY, &served, 1);
	kern_row(kern, SUBJECT + 1, BH_PEER_ANY, BH_DENY, &dialled, 1);
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(gives(&syn, BH_PASS));
	assert_true(gives(&ack, BH_PASS));
	/* The rule names the Service's port instead: the live connection ends (R19, R25). */
	kern_pod_subjects(kern, &a, SUBJECT + 1, 0);
	assert_true(gives(&ack, BH_POLICY));
	syn.sport = next_port++;
	assert_true(gives(&syn, BH_POLICY));
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(gives(&ack, BH_PASS));
}

static void nobody_serves(void **state)
{
	struct packet packet = { &a.v4, &vip, next_port++, 81, IPPROTO_TCP, FRAME_SYN };
	uint32_t before = flows_of(&a);

	(void)state;
	service(&vip, 81, IPPROTO_TCP, NULL, 0, 0);
	assert_true(gives(&packet, BH_NO_BACKEND));
	packet.dport = 82; /* no Service at all: its own address, as ever */
	assert_true(gives(&packet, BH_PASS));
	packet.dport = 81;
	service_to(&vip, 81, IPPROTO_TCP, &outside, 8080);
	assert_true(gives(&packet, BH_PASS));
	assert_int_equal(flows_of(&a), before + 1 + 2);
}

/* Byte for byte what a host answers where nobody listens, and taken by to_pod as the
 * pod's own. */
static void who_dials_nobody_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		bool v6 = i & 1;
		struct packet packet = { v6 ? &a.v6 : &a.v4, v6 ? &vip6 : &vip, next_port++, 81,
					 protos[i / 2],	     FRAME_SYN };
		struct frame f = from(&a, &packet), want, got;

		service(packet.dst, 81, packet.proto, NULL, 0, 0);
		assert_int_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_REDIRECT);
		frame_eth(&want, a.mac, a.host_mac, v6 ? 0x86dd : 0x0800);
		frame_ip(&want, packet.dst, packet.src);
		frame_icmp(&want, v6 ? 1 : 3, v6 ? 4 : 3, 0);
		frame_bytes(&want, f.data + f.l3, f.l4 + 8 - f.l3);
		frame_end(&want);
		same_bytes(&got, &want, "what the client is told");
		assert_true(kern_to_gives(kern, &a, a.ifindex, &got, BH_PASS));
	}
}

/* S14: a Service is no way into the tunnel. */
static void the_tunnels_port_stays_shut(void **state)
{
	struct packet packet = { &a.v4, &vip, next_port++, 90, IPPROTO_UDP, 0 };

	(void)state;
	kern->config.tunnel_port = htons(4789);
	kern_configure(kern);
	service_to(&vip, 90, IPPROTO_UDP, &outside, 4789);
	assert_true(gives(&packet, BH_TUNNEL));
	kern->config.tunnel_port = 0;
	kern_configure(kern);
}

/* S18: who is not the backend cannot answer for it, nor can the client skip the Service. */
static void others_do_not_fit_the_connection(void **state)
{
	uint16_t port = next_port++;
	struct packet syn = { &a.v4, &vip, port, 80, IPPROTO_TCP, FRAME_SYN };
	struct packet direct = { &a.v4, &outside, port, 8080, IPPROTO_TCP, FRAME_ACK };
	struct packet forged = { &outside6, &a.v6, 8080, port, IPPROTO_TCP, FRAME_ACK };
	struct packet as_service = { &vip, &a.v4, 80, port, IPPROTO_TCP, FRAME_ACK };
	struct frame f;

	(void)state;
	service_to(&vip, 80, IPPROTO_TCP, &outside, 8080);
	assert_true(gives(&syn, BH_PASS));
	assert_true(gives(&direct, BH_SERVICE_NAT));
	direct.flags = FRAME_SYN;
	assert_true(gives(&direct, BH_SERVICE_NAT));
	f = to(&a, &forged);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_NO_FLOW));
	f = to(&a, &as_service);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_NO_FLOW));
	f = from(&b, &(struct packet){ &vip, &a.v4, 80, port, IPPROTO_TCP, FRAME_ACK });
	assert_true(kern_from_gives(kern, &b, &f, BH_SRC_ADDR));
}

/* --- ports in use */

static void a_port_in_use_is_exchanged(void **state)
{
	uint16_t port = next_port++, other;
	struct packet direct = { &a.v4, &outside, port, 8080, IPPROTO_TCP, FRAME_SYN };
	struct packet syn = { &a.v4, &vip, port, 80, IPPROTO_TCP, FRAME_SYN };
	struct packet answer = { &outside, &a.v4, 8080, 0, IPPROTO_TCP, FRAME_SYN | FRAME_ACK };
	struct frame f, got;

	(void)state;
	service_to(&vip, 80, IPPROTO_TCP, &outside, 8080);
	assert_true(gives(&direct, BH_PASS));
	f = from(&a, &syn);
	assert_int_not_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_DROP);
	other = (uint16_t)(got.data[f.l4] << 8 | got.data[f.l4 + 1]);
	assert_int_not_equal(other, port);
	assert_true(other >= 1024);
	from_becomes(&a, syn, (struct packet){ &a.v4, &outside, other, 8080, IPPROTO_TCP, FRAME_SYN },
		     "sent again");
	answer.dport = other;
	to_becomes(&a, answer, (struct packet){ &vip, &a.v4, 80, port, IPPROTO_TCP, FRAME_SYN | FRAME_ACK },
		   "the translated one's answer");
	answer.dport = port;
	to_becomes(&a, answer, answer, "the direct one's answer");
}

/* --- who of many */

static void many(struct bh_backend *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t addr = htonl(0x0a630000u + i * 7919 % 65536);

		memset(&v[i], 0, sizeof(v[i]));
		v[i].addr.w[2] = htonl(0xffff);
		v[i].addr.w[3] = addr;
		v[i].port = htons((uint16_t)(1000 + i % 3));
	}
}

static uint32_t dialled(uint16_t port, uint8_t proto)
{
	struct packet packet = { &a.v4, &vip, port, 80, proto, FRAME_SYN };
	struct frame f = from(&a, &packet), got;
	uint32_t addr;

	assert_int_not_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_DROP);
	memcpy(&addr, got.data + f.l3 + 16, sizeof(addr));
	return addr;
}

static void the_lot_is_fair(void **state)
{
	enum { N = 20, TRIES = 2000 };
	struct bh_backend v[N];
	unsigned int hits[N] = { 0 };

	(void)state;
	many(v, N);
	service(&vip, 80, IPPROTO_UDP, v, N, 0);
	for (uint16_t i = 0; i < TRIES; i++) {
		uint32_t addr = dialled((uint16_t)(40000 + i), IPPROTO_UDP), k = 0;

		while (k < N && v[k].addr.w[3] != addr)
			k++;
		assert_true(k < N);
		hits[k]++;
	}
	for (int i = 0; i < N; i++)
		assert_in_range(hits[i], TRIES / N / 2, TRIES / N * 2);
}

static void udp_asks_again_and_tcp_stays(void **state)
{
	enum { N = 100 };
	struct bh_backend v[N];
	uint32_t had[N];
	uint16_t port = next_port++;

	(void)state;
	next_port += N;
	many(v, N);
	service(&vip, 80, IPPROTO_UDP, v, N, 0);
	for (uint16_t i = 0; i < N; i++)
		had[i] = dialled((uint16_t)(port + i), IPPROTO_UDP);
	/* Something changed, but all of them serve: each keeps its own. */
	udp_changed();
	for (uint16_t i = 0; i < N; i++)
		assert_int_equal(dialled((uint16_t)(port + i), IPPROTO_UDP), had[i]);
	/* One is left. */
	service(&vip, 80, IPPROTO_UDP, &v[37], 1, 0);
	for (uint16_t i = 0; i < N; i++)
		assert_int_equal(dialled((uint16_t)(port + i), IPPROTO_UDP), had[i]);
	udp_changed();
	for (uint16_t i = 0; i < N; i++)
		assert_int_equal(dialled((uint16_t)(port + i), IPPROTO_UDP), v[37].addr.w[3]);

	service_to(&vip, 80, IPPROTO_TCP, &outside, 8080);
	port = next_port++;
	from_becomes(&a, (struct packet){ &a.v4, &vip, port, 80, IPPROTO_TCP, FRAME_SYN },
		     (struct packet){ &a.v4, &outside, port, 8080, IPPROTO_TCP, FRAME_SYN }, "opened");
	service_to(&vip, 80, IPPROTO_TCP, &b.v4, 8080);
	udp_changed();
	from_becomes(&a, (struct packet){ &a.v4, &vip, port, 80, IPPROTO_TCP, FRAME_ACK },
		     (struct packet){ &a.v4, &outside, port, 8080, IPPROTO_TCP, FRAME_ACK }, "stays");
}

/* A flow that began before there was such a Service. */
static void udp_to_a_new_service_is_translated(void **state)
{
	uint16_t port = next_port++;
	struct packet to_front = { &a.v4, &vip, port, 91, IPPROTO_UDP, 0 };

	(void)state;
	from_becomes(&a, to_front, to_front, "before");
	service_to(&vip, 91, IPPROTO_UDP, &outside, 8080);
	udp_changed();
	from_becomes(&a, to_front, (struct packet){ &a.v4, &outside, port, 8080, IPPROTO_UDP, 0 }, "after");
}

static void affinity_lasts_while_it_is_used(void **state)
{
	enum { N = 50 };
	struct bh_backend v[N];
	uint32_t first;
	int others = 0;

	(void)state;
	many(v, N);
	service(&vip, 80, IPPROTO_TCP, v, N, 1);
	first = dialled(next_port++, IPPROTO_TCP);
	for (int i = 0; i < 20; i++)
		assert_int_equal(dialled(next_port++, IPPROTO_TCP), first);
	/* Gone from the set: another one, and that is kept. */
	for (int i = 0; i < N; i++)
		if (v[i].addr.w[3] == first) {
			v[i] = v[N - 1];
			break;
		}
	service(&vip, 80, IPPROTO_TCP, v, N - 1, 1);
	assert_int_not_equal(dialled(next_port, IPPROTO_TCP), first);
	first = dialled(next_port++, IPPROTO_TCP);
	for (int i = 0; i < 20; i++)
		assert_int_equal(dialled(next_port++, IPPROTO_TCP), first);
	/* Idle for longer than its time: the lot decides again. */
	for (int i = 0; i < 3; i++) {
		usleep(1300000);
		others += dialled(next_port++, IPPROTO_TCP) != first;
	}
	assert_int_not_equal(others, 0);
}

/* --- records */

static void both_records_go_together(void **state)
{
	uint16_t port = next_port++;
	uint32_t before;
	struct packet packet = { &a.v4, &vip, port, 80, IPPROTO_UDP, 0 };

	(void)state;
	service_to(&vip, 80, IPPROTO_UDP, &outside, 8080);
	kern->config.udp_s = 2;
	kern_configure(kern);
	before = flows_of(&a);
	assert_true(gives(&packet, BH_PASS));
	assert_int_equal(flows_of(&a), before + 2);
	/* Used, it lives on, and its alias with it. */
	for (int i = 0; i < 5; i++) {
		usleep(900000);
		assert_true(gives(&packet, BH_PASS));
		assert_true(maps_flows_sweep(kern->maps, NULL) >= 0);
		assert_int_equal(flows_of(&a), before + 2);
	}
	usleep(3300000);
	assert_true(maps_flows_sweep(kern->maps, NULL) >= 0);
	usleep(1300000);
	assert_true(maps_flows_sweep(kern->maps, NULL) >= 0);
	assert_int_equal(flows_of(&a), before);
}

/* --- fragments and errors */

static struct frame fragment(const struct packet *packet, uint32_t id, bool first)
{
	struct frame f;

	kern_frame_from(&f, &a, packet->src, packet->dst);
	frame_fragment(&f, id, first ? 0 : 2, first);
	if (first)
		frame_udp(&f, packet->sport, packet->dport);
	else
		frame_proto(&f, IPPROTO_UDP, 8);
	frame_bytes(&f, "12345678", 8);
	frame_end(&f);
	return f;
}

static void fragments_follow_the_first(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet in = { v6 ? &a.v6 : &a.v4, v6 ? &vip6 : &vip, port, 80, IPPROTO_UDP, 0 };
		struct packet out = { in.src, v6 ? &outside6 : &outside, port, 8080, IPPROTO_UDP, 0 };
		struct frame f, want, got;

		service_to(in.dst, 80, IPPROTO_UDP, out.dst, 8080);
		f = fragment(&in, 7, true);
		want = fragment(&out, 7, true);
		assert_int_not_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_DROP);
		/* Its sum is over the whole message and was corrected by what changed. */
		assert_memory_equal(got.data + f.l3 + (v6 ? 24 : 16), want.data + f.l3 + (v6 ? 24 : 16),
				    v6 ? 16 : 4);
		assert_memory_equal(got.data + f.l4, want.data + f.l4, 4);
		f = fragment(&in, 7, false);
		want = fragment(&out, 7, false);
		assert_int_not_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_DROP);
		same_bytes(&got, &want, "a later one");
		f = fragment(&in, 8, false);
		assert_true(kern_from_gives(kern, &a, &f, BH_FRAG_NO_FIRST));
	}
}

/* An ICMP error to `pod` about a UDP packet of its. */
static struct frame error_about(const struct kern_pod *pod, const struct bh_addr *from_whom,
				const struct packet *quoted, uint8_t type, uint8_t code)
{
	struct frame inner, f;

	kern_frame_from(&inner, pod, quoted->src, quoted->dst);
	frame_udp(&inner, quoted->sport, quoted->dport);
	frame_end(&inner);
	/* What is quoted keeps the sum that it left with. */
	inner.data[inner.l4 + 6] = inner.data[inner.l4 + 7] = 0xab;
	kern_frame_to(&f, pod, from_whom, quoted->src);
	frame_icmp(&f, type, code, 1400);
	frame_bytes(&f, inner.data + inner.l3, inner.len - inner.l3);
	frame_end(&f);
	return f;
}

static void errors_speak_of_the_service(void **state)
{
	static const struct {
		bool v6, from_backend;
		uint8_t type, code;
	} rows[] = {
		{ false, false, 3, 4 }, /* fragmentation needed, by a router */
		{ false, true, 3, 3 },	/* port unreachable, by the backend */
		{ true, false, 2, 0 },	/* packet too big */
		{ true, true, 1, 4 },
	};
	struct bh_addr router = addr_of("192.0.2.77"), router6 = addr_of("2001:db8::77");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool v6 = rows[i].v6;
		uint16_t port = next_port++;
		struct packet dialled_as = {
			v6 ? &a.v6 : &a.v4, v6 ? &vip6 : &vip, port, 80, IPPROTO_UDP, 0
		};
		struct packet sent_as = { dialled_as.src, v6 ? &outside6 : &outside,
					  port,		  8080,
					  IPPROTO_UDP,	  0 };
		const struct bh_addr *via = v6 ? &router6 : &router;
		struct frame f, want, got;

		service_to(dialled_as.dst, 80, IPPROTO_UDP, sent_as.dst, 8080);
		from_becomes(&a, dialled_as, sent_as, "the packet");
		f = error_about(&a, rows[i].from_backend ? sent_as.dst : via, &sent_as, rows[i].type,
				rows[i].code);
		want = error_about(&a, rows[i].from_backend ? dialled_as.dst : via, &dialled_as, rows[i].type,
				   rows[i].code);
		assert_int_not_equal(run(kern->to_pod, a.ifindex, kern->uplink, &f, &got), KERN_DROP);
		same_bytes(&got, &want, "the error");
		/* About a flow that is not there. */
		sent_as.sport++;
		f = error_about(&a, via, &sent_as, rows[i].type, rows[i].code);
		assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_ICMP_ERROR));
	}
}

/* The pod's own server refuses its own client. */
static struct frame error_to_itself(const struct bh_addr *src, const struct bh_addr *dst, bool v6,
				    const struct packet *quoted)
{
	struct frame like = error_about(&a, src, quoted, v6 ? 1 : 3, v6 ? 4 : 3), f;

	kern_frame_from(&f, &a, src, dst);
	frame_icmp(&f, v6 ? 1 : 3, v6 ? 4 : 3, 1400);
	frame_bytes(&f, like.data + like.l4 + 8, like.len - like.l4 - 8);
	frame_end(&f);
	return f;
}

static void errors_reach_the_pods_own_client(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const struct bh_addr *pod = v6 ? &a.v6 : &a.v4, *front = v6 ? &vip6 : &vip;
		uint16_t port = next_port++;
		struct packet dialled_as = { pod, front, port, 80, IPPROTO_UDP, 0 };
		struct packet met_as = { front, pod, port, 8080, IPPROTO_UDP, 0 };
		struct frame f, want, got;

		service_to(front, 80, IPPROTO_UDP, pod, 8080);
		from_becomes(&a, dialled_as, met_as, "to itself");
		f = error_to_itself(pod, front, v6, &met_as);
		want = error_to_itself(front, pod, v6, &dialled_as);
		assert_int_equal(run(kern->from_pod, a.ifindex, a.ifindex, &f, &got), KERN_REDIRECT);
		same_bytes(&got, &want, "the error");
	}
}

/* --- */

static int pods_add(void **state)
{
	(void)state;
	kern_pod_add(kern, "a", 1, BH_EP_ROUTED | BH_EP_TO_NODE, &a);
	kern_pod_add(kern, "b", 2, BH_EP_ROUTED | BH_EP_TO_NODE, &b);
	vip = addr_of("10.96.0.10");
	vip6 = addr_of("fd00:96::10");
	outside = addr_of("198.51.100.7");
	outside6 = addr_of("2001:db8::7");
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
	const struct CMUnitTest tests[] = {
		TEST(every_field_is_translated),
		TEST(a_udp_sum_of_none_stays_none),
		TEST(a_pod_is_answered_by_its_own_service),
		TEST(policy_sees_the_backend),
		TEST(nobody_serves),
		TEST(who_dials_nobody_is_told),
		TEST(the_tunnels_port_stays_shut),
		TEST(others_do_not_fit_the_connection),
		TEST(a_port_in_use_is_exchanged),
		TEST(the_lot_is_fair),
		TEST(udp_asks_again_and_tcp_stays),
		TEST(udp_to_a_new_service_is_translated),
		TEST(affinity_lasts_while_it_is_used),
		TEST(both_records_go_together),
		TEST(fragments_follow_the_first),
		TEST(errors_speak_of_the_service),
		TEST(errors_reach_the_pods_own_client),
	};

	return kern_main(tests);
}
