// SPDX-License-Identifier: Apache-2.0
/* Frames as a hostile pod really sends them: from a packet socket, over a veth,
 * counted by a packet socket at the victim (L1, C2). */
#include "lib/kern_main.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/loader.h"

#define SUBJECT	  70
#define SHOTS	  100
#define OPEN_PORT 53
#define SHUT_PORT 54

static struct kern_pod a, b;

static struct frame datagram(uint16_t sport, uint16_t dport, size_t payload)
{
	struct frame f;

	kern_frame_from(&f, &a, &a.v4, &b.v4);
	frame_udp(&f, sport, dport);
	frame_fill(&f, 'x', payload);
	frame_end(&f);
	return f;
}

/* UDP to `dport` that reached b's own interface since the last call. */
static unsigned int arrived(uint16_t dport)
{
	static uint8_t buf[FRAME_MAX];
	unsigned int n = 0;
	ssize_t len;

	for (int patience = 0; patience < 20;) {
		len = recv(b.inner, buf, sizeof(buf), 0);
		if (len < 0) {
			patience++;
			usleep(1000);
		} else if (len >= 42 && buf[23] == 17 && (buf[36] << 8 | buf[37]) == dport) {
			n++;
		}
	}
	return n;
}

static uint64_t denied(void)
{
	return kern_count(kern, b.slot, BH_INGRESS, BH_POLICY);
}

/* A frame beyond a page has 14 linear bytes: the very case of L1. */
static void headers_outside_the_linear_part_are_read(void **state)
{
	static const size_t payloads[] = { 10, 1400, 4950, 8900 };

	(void)state;
	for (size_t p = 0; p < sizeof(payloads) / sizeof(payloads[0]); p++) {
		struct frame good = datagram(1000, OPEN_PORT, payloads[p]);
		struct frame bad = datagram(1000, SHUT_PORT, payloads[p]);
		uint64_t before = denied();

		arrived(0);
		for (int i = 0; i < SHOTS; i++)
			kern_wire_from(kern, &a, &good);
		assert_int_equal(arrived(OPEN_PORT), SHOTS);
		for (int i = 0; i < SHOTS; i++)
			kern_wire_from(kern, &a, &bad);
		assert_int_equal(arrived(SHUT_PORT), 0);
		assert_int_equal(denied() - before, SHOTS);
	}
}

static bool send_with_header(const struct frame *f, uint16_t hdr_len, uint8_t gso_type)
{
	struct virtio_net_hdr hdr = { .hdr_len = hdr_len,
				      .gso_type = gso_type,
				      .gso_size = gso_type ? 1200 : 0 };
	struct iovec parts[2] = { { &hdr, sizeof(hdr) }, { (void *)f->data, f->len } };

	return writev(a.inner, parts, 2) == (ssize_t)(sizeof(hdr) + f->len);
}

/* PACKET_VNET_HDR lets the sender choose how much is linear and what the kernel
 * believes to be a segmented packet. Some combinations the kernel itself refuses. */
static void sender_chosen_layout_changes_no_verdict(void **state)
{
	static const uint16_t lengths[] = { 0, 14, 34, 42 };
	static const uint8_t types[] = { 0, VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_UDP,
					 5 /* UDP_L4 */ };
	struct frame good = datagram(1001, OPEN_PORT, 4950), bad = datagram(1001, SHUT_PORT, 4950);
	unsigned int sent_good = 0, sent_bad = 0;
	uint64_t before = denied();
	int on = 1, off = 0;

	(void)state;
	arrived(0);
	assert_int_equal(setsockopt(a.inner, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	for (size_t l = 0; l < 4; l++) {
		for (int i = 0; i < SHOTS; i++)
			sent_good += send_with_header(&good, lengths[l], 0);
	}
	assert_int_equal(sent_good, 4 * SHOTS);
	assert_int_equal(arrived(OPEN_PORT), 4 * SHOTS);
	for (size_t l = 0; l < 4; l++) {
		for (size_t t = 0; t < 4; t++) {
			for (int i = 0; i < SHOTS; i++)
				sent_bad += send_with_header(&bad, lengths[l], types[t]);
		}
	}
	assert_int_equal(setsockopt(a.inner, SOL_PACKET, PACKET_VNET_HDR, &off, sizeof(off)), 0);
	assert_int_equal(arrived(SHUT_PORT), 0);
	assert_true(sent_bad >= 4 * SHOTS);
	assert_int_equal(denied() - before, sent_bad);
}

static void real_vlan_tag_drops(void **state)
{
	struct frame f = datagram(1002, OPEN_PORT, 10);
	uint64_t before = kern_count(kern, a.slot, BH_EGRESS, BH_VLAN);

	(void)state;
	frame_vlan(&f, 0x8100, 0); /* the receive path moves it out of the frame */
	arrived(0);
	for (int i = 0; i < SHOTS; i++)
		kern_wire_from(kern, &a, &f);
	assert_int_equal(arrived(OPEN_PORT), 0);
	assert_int_equal(kern_count(kern, a.slot, BH_EGRESS, BH_VLAN) - before, SHOTS);
}

/* The daemon restarts again and again while traffic flows. */
static void replacing_programs_loses_nothing_and_passes_nothing(void **state)
{
	struct frame good = datagram(1003, OPEN_PORT, 10), bad = datagram(1003, SHUT_PORT, 10);
	unsigned int sent = 0, got = 0;
	uint64_t before = denied();
	pid_t child;
	int status = 0;

	(void)state;
	arrived(0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct err err = { 0 };

		for (int i = 0; i < 10; i++) {
			if (loader_run(KERN_ROOT, &kern->config, &err) < 0)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		for (int i = 0; i < 50; i++, sent++) {
			kern_wire_from(kern, &a, &good);
			kern_wire_from(kern, &a, &bad);
			usleep(50);
		}
		got += arrived(OPEN_PORT);
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(sent > 1000);
	assert_int_equal(got + arrived(OPEN_PORT), sent);
	assert_int_equal(denied() - before, sent);
}

static int pods_add(void **state)
{
	static const struct bh_port dns = {
		.first = OPEN_PORT, .last = OPEN_PORT, .proto = 17, .action = BH_ALLOW
	};
	struct kern_pod *pods[] = { &a, &b };

	(void)state;
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &b);
	for (size_t i = 0; i < 2; i++) {
		kern_run("ip link set dev %s mtu 9000 && ip link set dev p-%s mtu 9000", pods[i]->name,
			 pods[i]->name);
		kern_pod_move(kern, pods[i]);
		kern_wire(kern, pods[i]);
	}
	kern_row(kern, SUBJECT, BH_PEER_ANY, BH_DENY, &dns, 1);
	kern_pod_subjects(kern, &b, 0, SUBJECT);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_outside_the_linear_part_are_read),
		cmocka_unit_test(sender_chosen_layout_changes_no_verdict),
		cmocka_unit_test(real_vlan_tag_drops),
		cmocka_unit_test(replacing_programs_loses_nothing_and_passes_nothing),
	};

	return kern_main(tests);
}
