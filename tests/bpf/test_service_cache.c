// SPDX-License-Identifier: Apache-2.0
/* Connections through Services that are answered without their records (bpf/cache.h):
 * translated as if those had been asked, and never to where they no longer lead. */
#include "lib/kern_main.h"
#include "bpf/service_frames.h"

static struct kern_pod a, b;
static struct bh_addr vip, vip6, outside, outside6;
static uint16_t next_port = 20000;

/* One connection as its four kinds of packets. */
struct connection {
	struct packet ask, asked;	/* from the client, as it leaves and as it goes on */
	struct packet answer, answered; /* from the backend, the same */
	bool is_near;
};

static struct connection connection_of(bool v6, bool is_near, uint8_t proto)
{
	const struct bh_addr *client = v6 ? &a.v6 : &a.v4, *front = v6 ? &vip6 : &vip;
	const struct bh_addr *backend = is_near ? v6 ? &b.v6 : &b.v4 : v6 ? &outside6 : &outside;
	uint16_t port = next_port++;
	struct connection c = {
		{ client, front, port, 80, proto, FRAME_ACK },
		{ client, backend, port, 8080, proto, FRAME_ACK },
		{ backend, client, 8080, port, proto, FRAME_ACK },
		{ front, client, 80, port, proto, FRAME_ACK },
		is_near,
	};

	service_to(front, 80, proto, backend, 8080);
	return c;
}

static void asks(struct connection c, uint8_t flags, const char *what)
{
	c.ask.flags = c.asked.flags = flags;
	from_becomes(&a, c.ask, c.asked, what);
}

/* A backend of this node is a pod, whose answer is translated where it leaves. */
static void is_answered(struct connection c, uint8_t flags, const char *what)
{
	c.answer.flags = c.answered.flags = flags;
	if (c.is_near)
		from_becomes(&b, c.answer, c.answered, what);
	else
		to_becomes(&a, c.answer, c.answered, what);
}

static void converse(struct connection c)
{
	asks(c, FRAME_SYN, "opens");
	is_answered(c, FRAME_SYN | FRAME_ACK, "is answered");
	for (int i = 0; i < 3; i++) {
		asks(c, FRAME_ACK, "speaks");
		is_answered(c, FRAME_ACK, "is spoken to");
	}
}

/* Dropped where a record would have to be asked. */
static bool is_cached(struct connection c)
{
	struct frame f = from(&a, &c.ask);

	return kern_from_pod(kern, &a, &f) != KERN_DROP;
}

static void both_ways_are_translated_without_records(void **state)
{
	(void)state;
	for (int kind = 0; kind < 8; kind++) {
		uint8_t proto = kind & 4 ? IPPROTO_UDP : IPPROTO_TCP;
		struct connection c;
		int tries = 0;

		do { /* a machine that stalls for a second is given another chance */
			c = connection_of(kind & 1, kind & 2, proto);
			converse(c);
			kern_flows_forget(kern);
		} while (proto == IPPROTO_TCP && !is_cached(c) && ++tries < 20);
		asks(c, FRAME_ACK | FRAME_PSH, "speaks without records");
		is_answered(c, FRAME_ACK | FRAME_PSH, "is spoken to without records");
	}
}

/* Its backend serves no more, and it opens the connection anew over the same ports:
 * what was kept of the old one must not carry the new one's words. */
static void a_client_that_is_sent_elsewhere_goes_there(void **state)
{
	struct connection old = connection_of(false, false, IPPROTO_TCP), new;

	(void)state;
	converse(old);
	next_port--;
	new = connection_of(false, true, IPPROTO_TCP);
	asks(old, FRAME_ACK, "stays as long as it lasts");
	converse(new);
}

static void udp_follows_the_services(void **state)
{
	struct connection old = connection_of(false, false, IPPROTO_UDP), new;

	(void)state;
	converse(old);
	next_port--;
	new = connection_of(false, true, IPPROTO_UDP);
	udp_changed();
	converse(new);
}

static int pods_add(void **state)
{
	(void)state;
	kern_one_cpu();
	vip = addr_of("10.96.0.10");
	vip6 = addr_of("fd00:96::10");
	outside = addr_of("203.0.113.9");
	outside6 = addr_of("2001:db8::9");
	kern_pod_add(kern, "a", 1, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 2, BH_EP_ROUTED, &b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_are_translated_without_records),
		cmocka_unit_test(a_client_that_is_sent_elsewhere_goes_there),
		cmocka_unit_test(udp_follows_the_services),
	};

	return kern_main(tests);
}
