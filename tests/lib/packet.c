// SPDX-License-Identifier: Apache-2.0
#include "lib/packet.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

struct bh_addr addr_of(const char *text)
{
	struct bh_addr addr;

	if (addr_parse(text, &addr) < 0) {
		fprintf(stderr, "no address: %s\n", text);
		abort();
	}
	return addr;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

/* Room for `len` zero bytes at the end. */
static uint8_t *grow(struct frame *f, size_t len)
{
	uint8_t *at = f->data + f->len;

	assert(f->len + len <= FRAME_MAX);
	memset(at, 0, len);
	f->len += len;
	return at;
}

void frame_bytes(struct frame *f, const void *data, size_t len)
{
	memcpy(grow(f, len), data, len);
}

void frame_fill(struct frame *f, uint8_t byte, size_t len)
{
	memset(grow(f, len), byte, len);
}

void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t ethertype)
{
	uint8_t *at;

	f->len = f->l4 = f->next = 0;
	f->v6 = f->is_fragment = false;
	f->proto = 0;
	at = grow(f, 14);
	memcpy(at, dst, 6);
	memcpy(at + 6, src, 6);
	put16(at + 12, ethertype);
	f->l3 = f->len;
}

void frame_vlan(struct frame *f, uint16_t type, uint16_t tag)
{
	grow(f, 4);
	memmove(f->data + 16, f->data + 12, f->len - 16);
	put16(f->data + 12, type);
	put16(f->data + 14, tag);
	f->l3 += 4;
}

void frame_ip(struct frame *f, const struct bh_addr *src, const struct bh_addr *dst)
{
	uint8_t *ip;

	f->l3 = f->len;
	f->v6 = !addr_is_v4(src) || !addr_is_v4(dst);
	ip = grow(f, f->v6 ? 40 : 20);
	if (f->v6) {
		ip[0] = 0x60;
		ip[7] = 64;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, dst, 16);
		f->next = f->l3 + 6;
	} else {
		ip[0] = 0x45;
		ip[8] = 64;
		memcpy(ip + 12, src->b + 12, 4);
		memcpy(ip + 16, dst->b + 12, 4);
		f->next = f->l3 + 9;
	}
}

void frame_ip_option(struct frame *f, const uint8_t *option, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	memcpy(grow(f, padded), option, len);
	f->data[f->l3] = (uint8_t)(f->data[f->l3] + padded / 4);
}

/* Names the header that starts here, and where the one after it will be named. */
static uint8_t *header(struct frame *f, uint8_t proto, size_t len)
{
	f->data[f->next] = proto;
	f->proto = proto;
	f->l4 = f->len;
	return grow(f, len);
}

void frame_ext(struct frame *f, uint8_t type, uint8_t units, uint8_t routing_type)
{
	size_t len = type == 51 ? (units + 2u) * 4 : (units + 1u) * 8;
	uint8_t *ext = header(f, type, len);

	ext[1] = units;
	if (type == 43)
		ext[2] = routing_type;
	else if (type != 51)
		ext[2] = 1, ext[3] = (uint8_t)(len - 4 > 255 ? 255 : len - 4); /* PadN */
	f->next = f->l4;
	f->proto = 0;
}

void frame_fragment(struct frame *f, uint32_t id, uint16_t offset, bool more)
{
	uint8_t *at;

	f->is_fragment = offset || more;
	if (!f->v6) {
		put16(f->data + f->l3 + 4, (uint16_t)id);
		put16(f->data + f->l3 + 6, (uint16_t)(offset | (more ? 0x2000 : 0)));
		return;
	}
	at = header(f, 44, 8);
	put16(at + 2, (uint16_t)(offset << 3 | (more ? 1 : 0)));
	put32(at + 4, id);
	f->next = f->l4;
	f->proto = 0;
}

void frame_tcp(struct frame *f, uint16_t sport, uint16_t dport, uint8_t flags)
{
	uint8_t *tcp = header(f, IPPROTO_TCP, 20);

	put16(tcp, sport);
	put16(tcp + 2, dport);
	put32(tcp + 4, 1);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65535);
}

void frame_udp(struct frame *f, uint16_t sport, uint16_t dport)
{
	uint8_t *udp = header(f, IPPROTO_UDP, 8);

	put16(udp, sport);
	put16(udp + 2, dport);
	put16(udp + 4, 8);
}

void frame_sctp(struct frame *f, uint16_t sport, uint16_t dport, uint8_t chunk)
{
	uint8_t *sctp = header(f, IPPROTO_SCTP, 16);

	put16(sctp, sport);
	put16(sctp + 2, dport);
	sctp[12] = chunk;
	put16(sctp + 14, 4);
}

void frame_icmp(struct frame *f, uint8_t type, uint8_t code, uint32_t rest)
{
	uint8_t *icmp = header(f, f->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8);

	icmp[0] = type;
	icmp[1] = code;
	put32(icmp + 4, rest);
}

void frame_echo(struct frame *f, bool request, uint16_t id)
{
	uint8_t type = f->v6 ? (request ? 128 : 129) : (request ? 8 : 0);

	frame_icmp(f, type, 0, (uint32_t)id << 16 | 1);
}

void frame_proto(struct frame *f, uint8_t proto, size_t len)
{
	header(f, proto, len);
}

void frame_nd(struct frame *f, uint8_t type, const struct bh_addr *target, uint8_t option,
	      const uint8_t mac[6])
{
	frame_icmp(f, type, 0, 0);
	frame_bytes(f, target, 16);
	f->data[f->l3 + 7] = 255;
	if (option) {
		uint8_t *at = grow(f, 8);

		at[0] = option;
		at[1] = 1;
		memcpy(at + 2, mac, 6);
	}
}

void frame_arp(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t op, const uint8_t sha[6],
	       const struct bh_addr *spa, const uint8_t tha[6], const struct bh_addr *tpa)
{
	uint8_t *arp;

	frame_eth(f, dst, src, 0x0806);
	arp = grow(f, 28);
	put16(arp, 1);
	put16(arp + 2, 0x0800);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, op);
	memcpy(arp + 8, sha, 6);
	memcpy(arp + 14, spa->b + 12, 4);
	memcpy(arp + 18, tha, 6);
	memcpy(arp + 24, tpa->b + 12, 4);
}

static uint32_t sum(uint32_t acc, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		acc += (uint32_t)(data[i] << 8 | data[i + 1]);
	if (len & 1)
		acc += (uint32_t)data[len - 1] << 8;
	return acc;
}

static uint16_t fold(uint32_t acc)
{
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)~acc;
}

/* Where the checksum stands in the protocol's header; 0 for none. */
static size_t checksum_offset(const struct frame *f)
{
	switch (f->proto) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return 0;
	}
}

static void l4_checksum(struct frame *f)
{
	size_t at = checksum_offset(f), len = f->len - f->l4;
	uint32_t acc = 0;

	if (!at || f->is_fragment || len < at + 2)
		return;
	if (f->proto != IPPROTO_ICMP) {
		acc = f->v6 ? sum(0, f->data + f->l3 + 8, 32) : sum(0, f->data + f->l3 + 12, 8);
		acc += f->proto + (uint32_t)len;
	}
	put16(f->data + f->l4 + at, 0);
	put16(f->data + f->l4 + at, fold(sum(acc, f->data + f->l4, len)));
}

void frame_end(struct frame *f)
{
	uint8_t *ip = f->data + f->l3;

	if (f->proto == IPPROTO_UDP && !f->is_fragment)
		put16(f->data + f->l4 + 4, (uint16_t)(f->len - f->l4));
	if (f->v6) {
		put16(ip + 4, (uint16_t)(f->len - f->l3 - 40));
	} else {
		put16(ip + 2, (uint16_t)(f->len - f->l3));
		put16(ip + 10, 0);
		put16(ip + 10, fold(sum(0, ip, (size_t)(ip[0] & 15) * 4)));
	}
	l4_checksum(f);
}
