/* SPDX-License-Identifier: Apache-2.0 */
/* Services' rows, and packets before and after their translation. Include once, after
 * lib/kern_main.h. */
#ifndef BPF_SERVICE_FRAMES_H
#define BPF_SERVICE_FRAMES_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>

static uint32_t next_set = 1;

/* --- rows */

static void put(const struct bh_service_write *writes, size_t n)
{
	struct err err = { 0 };

	if (maps_services_apply(kern->maps, writes, n, &err) < 0)
		fail_msg("%s", err.msg);
}

static int backend_compare(const void *x, const void *y)
{
	const struct bh_backend *p = x, *q = y;

	return bh_sorts_after(&p->addr, p->port, &q->addr, q->port) ? 1 : -1;
}

static void service(const struct bh_addr *addr, uint16_t port, uint8_t proto, struct bh_backend *backends,
		    uint32_t n, uint32_t affinity_s)
{
	struct bh_service_write write = { .kind = BH_GROUP_PUT };
	uint32_t set = next_set++;

	if (n) /* none is null, which qsort() does not take */
		qsort(backends, n, sizeof(*backends), backend_compare);
	for (uint32_t i = 0; i < n; i += BH_GROUP_SIZE) {
		uint32_t some = n - i < BH_GROUP_SIZE ? n - i : BH_GROUP_SIZE;

		memset(&write.group, 0, sizeof(write.group));
		write.group.key = (struct bh_group_key){ set, i / BH_GROUP_SIZE };
		memcpy(write.group.group.backend, backends + i, some * sizeof(*backends));
		put(&write, 1);
	}
	write = (struct bh_service_write){ .kind = BH_FRONT_PUT };
	write.front.key = (struct bh_front){ .addr = *addr, .port = htons(port), .proto = proto };
	write.front.service = (struct bh_service){ set, n, affinity_s, 0 };
	put(&write, 1);
}

static void service_to(const struct bh_addr *addr, uint16_t port, uint8_t proto,
		       const struct bh_addr *backend, uint16_t backend_port)
{
	struct bh_backend one = { *backend, htons(backend_port), 0 };

	service(addr, port, proto, &one, 1, 0);
}

static void udp_changed(void)
{
	struct bh_service_write write = { .kind = BH_UDP_CHANGED };

	put(&write, 1);
}

/* --- packets */

static uint32_t crc32c(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

struct packet {
	const struct bh_addr *src, *dst;
	uint16_t sport, dport;
	uint8_t proto;
	uint8_t flags; /* of TCP */
};

static void l4_write(struct frame *f, const struct packet *packet)
{
	if (packet->proto == IPPROTO_TCP)
		frame_tcp(f, packet->sport, packet->dport, packet->flags);
	else if (packet->proto == IPPROTO_UDP)
		frame_udp(f, packet->sport, packet->dport);
	else
		frame_sctp(f, packet->sport, packet->dport, 1);
	frame_bytes(f, "some words of an odd length", 27);
	frame_end(f);
	if (packet->proto == IPPROTO_SCTP) {
		uint32_t crc;

		memset(f->data + f->l4 + 8, 0, 4);
		crc = crc32c(f->data + f->l4, f->len - f->l4);
		for (int i = 0; i < 4; i++)
			f->data[f->l4 + 8 + i] = (uint8_t)(crc >> 8 * i);
	}
}

static struct frame from(const struct kern_pod *pod, const struct packet *packet)
{
	struct frame f;

	kern_frame_from(&f, pod, packet->src, packet->dst);
	l4_write(&f, packet);
	return f;
}

static struct frame to(const struct kern_pod *pod, const struct packet *packet)
{
	struct frame f;

	kern_frame_to(&f, pod, packet->src, packet->dst);
	l4_write(&f, packet);
	return f;
}

/* The frame as the program leaves it. */
static int run(int prog, uint32_t ifindex, uint32_t ingress, const struct frame *f, struct frame *ret)
{
	struct __sk_buff ctx = { .ifindex = ifindex, .ingress_ifindex = ingress };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = (__u32)f->len,
		    .data_out = ret->data, .data_size_out = sizeof(ret->data), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(prog, &opts), 0);
	ret->len = opts.data_size_out;
	return (int)opts.retval;
}

static void same_bytes(const struct frame *got, const struct frame *want, const char *what)
{
	assert_int_equal(got->len, want->len);
	for (size_t i = 0; i < want->len; i++)
		if (got->data[i] != want->data[i])
			fail_msg("%s: byte %zu (IP header at %zu, protocol's at %zu) is %02x, wanted %02x",
				 what, i, want->l3, want->l4, got->data[i], want->data[i]);
}

static void from_becomes(const struct kern_pod *pod, struct packet in, struct packet out, const char *what)
{
	struct frame f = from(pod, &in), want = from(pod, &out), got;

	assert_int_not_equal(run(kern->from_pod, pod->ifindex, pod->ifindex, &f, &got), KERN_DROP);
	same_bytes(&got, &want, what);
}

static void to_becomes(const struct kern_pod *pod, struct packet in, struct packet out, const char *what)
{
	struct frame f = to(pod, &in), want = to(pod, &out), got;

	assert_int_not_equal(run(kern->to_pod, pod->ifindex, kern->uplink, &f, &got), KERN_DROP);
	same_bytes(&got, &want, what);
}

#endif
