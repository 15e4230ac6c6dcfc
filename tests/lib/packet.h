/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames written byte by byte, right or wrong on purpose. Headers follow each
 * other in the order of the calls and link themselves (protocol and next-header
 * fields); frame_end() fills lengths and checksums, and whoever wants a lie pokes
 * the bytes after it.
 *
 *	struct frame f;
 *
 *	frame_eth(&f, node_mac, pod_mac, 0x0800);
 *	frame_ip(&f, &pod, &db);
 *	frame_tcp(&f, 40000, 5432, FRAME_SYN);
 *	frame_end(&f);
 */
#ifndef LIB_PACKET_H
#define LIB_PACKET_H

#include <bulkhead/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 9216

enum frame_tcp_flags {
	FRAME_FIN = 0x01,
	FRAME_SYN = 0x02,
	FRAME_RST = 0x04,
	FRAME_PSH = 0x08,
	FRAME_ACK = 0x10,
	FRAME_URG = 0x20,
};

struct frame {
	uint8_t data[FRAME_MAX];
	size_t len;
	size_t l3;   /* offset of the IP header */
	size_t l4;   /* of the last protocol header written */
	size_t next; /* of the byte that names what follows: protocol or next header */
	bool v6;
	uint8_t proto;
	bool is_fragment;
};

void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t ethertype);
/* Puts a VLAN tag behind the addresses. */
void frame_vlan(struct frame *f, uint16_t type, uint16_t tag);

/* IPv4 or IPv6 by the addresses' form. */
void frame_ip(struct frame *f, const struct bh_addr *src, const struct bh_addr *dst);
void frame_ip_option(struct frame *f, const uint8_t *option, size_t len); /* IPv4, padded to 4 */
/* IPv6: `type` 0 hop-by-hop, 43 routing (with routing_type), 60 destination options,
 * 51 authentication; `units` as in the header's length field. */
void frame_ext(struct frame *f, uint8_t type, uint8_t units, uint8_t routing_type);
/* Fragment fields, or header; offset in units of 8 bytes. Nothing but plain bytes
 * checksums behind it. */
void frame_fragment(struct frame *f, uint32_t id, uint16_t offset, bool more);

void frame_tcp(struct frame *f, uint16_t sport, uint16_t dport, uint8_t flags);
void frame_udp(struct frame *f, uint16_t sport, uint16_t dport);
void frame_sctp(struct frame *f, uint16_t sport, uint16_t dport, uint8_t chunk);
/* rest: the four bytes after the checksum, host order. */
void frame_icmp(struct frame *f, uint8_t type, uint8_t code, uint32_t rest);
void frame_echo(struct frame *f, bool request, uint16_t id);
/* Any protocol number, `len` bytes of it. */
void frame_proto(struct frame *f, uint8_t proto, size_t len);

void frame_bytes(struct frame *f, const void *data, size_t len);
void frame_fill(struct frame *f, uint8_t byte, size_t len);

/* Neighbour discovery, 135 or 136; option 0 for none, else 1 or 2 with mac. */
void frame_nd(struct frame *f, uint8_t type, const struct bh_addr *target, uint8_t option,
	      const uint8_t mac[6]);
/* A whole ARP frame. */
void frame_arp(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t op, const uint8_t sha[6],
	       const struct bh_addr *spa, const uint8_t tha[6], const struct bh_addr *tpa);

void frame_end(struct frame *f);

struct bh_addr addr_of(const char *text); /* aborts on bad text: tests only */

#endif
