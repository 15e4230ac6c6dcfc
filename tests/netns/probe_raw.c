// SPDX-License-Identifier: Apache-2.0
/* Packets of protocols that the kernel has no sockets for, or may have none: ICMP echo, an
 * SCTP INIT and its INIT ACK, and of any other protocol by number a question in place of
 * the payload. */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define SCTP_INIT     1
#define SCTP_INIT_ACK 2
#define SCTP_PORT     40000 /* the first asker's */
#define ICMP_ID	      1000
#define QUESTION      0x3f
#define ANSWER	      0x21

struct sctp_packet {
	uint16_t sport, dport;
	uint32_t tag, checksum;
	uint8_t type, flags;
	uint16_t length;
	uint32_t init_tag, window;
	uint16_t streams_out, streams_in;
	uint32_t tsn;
} __attribute__((packed));

struct proto_packet {
	uint8_t kind, pad;
	uint16_t id;
	uint32_t rest[4];
};

int raw_socket(struct what what, int family, int flags)
{
	int proto = what.kind == KIND_SCTP    ? IPPROTO_SCTP
		    : what.kind == KIND_PROTO ? what.port
		    : family == AF_INET	      ? IPPROTO_ICMP
					      : IPPROTO_ICMPV6;

	return socket(family, SOCK_RAW | SOCK_CLOEXEC | flags, proto);
}

static uint16_t icmp_checksum(const void *data, size_t len)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void echo_ask(int fd, int family, uint16_t id)
{
	struct icmphdr echo = { .type = ICMP_ECHO, .un.echo.id = htons((uint16_t)(ICMP_ID + id)) };

	if (family == AF_INET6)
		echo.type = ICMP6_ECHO_REQUEST;
	else
		echo.checksum = icmp_checksum(&echo, sizeof(echo));
	send(fd, &echo, sizeof(echo), 0);
}

static void sctp_ask(int fd, uint16_t port, uint16_t id)
{
	struct sctp_packet packet = { .sport = htons((uint16_t)(SCTP_PORT + id)),
				      .dport = htons(port),
				      .type = SCTP_INIT,
				      .length = htons(20),
				      .init_tag = htonl(id + 1u),
				      .window = htonl(65536),
				      .streams_out = htons(1),
				      .streams_in = htons(1),
				      .tsn = htonl(1) };

	send(fd, &packet, sizeof(packet), 0);
}

void raw_ask(int fd, struct what what, int family, uint16_t id)
{
	struct proto_packet question = { .kind = QUESTION, .id = htons(id) };

	if (what.kind == KIND_ICMP)
		echo_ask(fd, family, id);
	else if (what.kind == KIND_SCTP)
		sctp_ask(fd, what.port, id);
	else
		send(fd, &question, sizeof(question), 0);
}

/* Copies what is behind the IP header, which IPv4's raw sockets give too. */
static bool payload_read(int family, const uint8_t *data, ssize_t n, void *ret, size_t len)
{
	size_t skip = family == AF_INET ? sizeof(struct iphdr) : 0;

	if (n < (ssize_t)(skip + len))
		return false;
	memcpy(ret, data + skip, len);
	return true;
}

bool raw_is_answer(struct what what, int family, uint16_t id, const uint8_t *data, ssize_t n)
{
	struct proto_packet answer;
	struct sctp_packet packet;
	struct icmphdr echo;

	switch (what.kind) {
	case KIND_SCTP:
		return payload_read(family, data, n, &packet, sizeof(packet)) &&
		       packet.type == SCTP_INIT_ACK && ntohs(packet.dport) == SCTP_PORT + id;
	case KIND_PROTO:
		return payload_read(family, data, n, &answer, sizeof(answer)) && answer.kind == ANSWER &&
		       ntohs(answer.id) == id;
	default:
		return payload_read(family, data, n, &echo, sizeof(echo)) &&
		       (echo.type == ICMP_ECHOREPLY || echo.type == ICMP6_ECHO_REPLY) &&
		       ntohs(echo.un.echo.id) == ICMP_ID + id;
	}
}

/* Turns a question into its answer; its length, or 0: it is none. */
static size_t sctp_answer(uint16_t port, int family, uint8_t *data, ssize_t n)
{
	struct sctp_packet packet;

	if (!payload_read(family, data, n, &packet, sizeof(packet)) || packet.type != SCTP_INIT ||
	    ntohs(packet.dport) != port)
		return 0;
	packet.dport = packet.sport;
	packet.sport = htons(port);
	packet.type = SCTP_INIT_ACK;
	memcpy(data, &packet, sizeof(packet));
	return sizeof(packet);
}

static size_t proto_answer(int family, uint8_t *data, ssize_t n)
{
	struct proto_packet packet;

	if (!payload_read(family, data, n, &packet, sizeof(packet)) || packet.kind != QUESTION)
		return 0;
	packet.kind = ANSWER;
	memcpy(data, &packet, sizeof(packet));
	return sizeof(packet);
}

void raw_serve(int fd, struct what what, int family)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	uint8_t buffer[2048];
	ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &len);
	size_t answer = what.kind == KIND_SCTP ? sctp_answer(what.port, family, buffer, n)
					       : proto_answer(family, buffer, n);

	if (!answer)
		return;
	if (family == AF_INET6)
		((struct sockaddr_in6 *)&peer)->sin6_port = 0;
	sendto(fd, buffer, answer, 0, (struct sockaddr *)&peer, len);
}
