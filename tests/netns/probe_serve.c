// SPDX-License-Identifier: Apache-2.0
/* Whoever is asked: sockets that answer. */
#include "probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct server {
	int fd;
	struct what what;
	int family;
	bool is_listener;
};

static struct server servers[SOCKETS_MAX];
static int n_servers;

static void server_add(int fd, struct what what, int family, bool is_listener)
{
	if (n_servers == SOCKETS_MAX) {
		close(fd);
		return;
	}
	servers[n_servers++] = (struct server){ fd, what, family, is_listener };
}

static void serve_socket(struct what what, int family)
{
	int type = what.kind == KIND_TCP ? SOCK_STREAM : SOCK_DGRAM, one = 1, room = 8 << 20;
	int fd = what_is_raw(what) ? raw_socket(what, family, 0) : socket(family, type | SOCK_CLOEXEC, 0);
	struct sockaddr_storage any;
	socklen_t len = address_parse(family == AF_INET ? "0.0.0.0" : "::", what.port, &any);

	if (fd < 0 && family == AF_INET6 && errno == EAFNOSUPPORT)
		return;
	if (fd < 0)
		die("socket");
	if (what_is_raw(what)) {
		server_add(fd, what, family, false);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, len) < 0)
		die("bind");
	if (what.kind == KIND_TCP && listen(fd, 128) < 0)
		die("listen");
	if (what.kind == KIND_UDP) {
		/* A busy machine is not a lost datagram. */
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
		setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			   family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof(one));
	}
	server_add(fd, what, family, what.kind == KIND_TCP);
}

/* Answers from the address that was asked: a node has several. The interface that the
 * question came by is not for the answer. */
static void serve_udp(const struct server *server)
{
	union {
		char bytes[256];
		struct cmsghdr align;
	} control;
	struct sockaddr_storage peer;
	char buffer[2048];
	struct iovec data = { buffer, sizeof(buffer) };
	struct msghdr message = { .msg_name = &peer,
				  .msg_namelen = sizeof(peer),
				  .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(server->fd, &message, 0);

	if (n <= 0)
		return;
	data.iov_len = (size_t)n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0;
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
	}
	sendmsg(server->fd, &message, 0);
}

/* True when the socket is finished with. */
static bool serve_ready(struct server *server)
{
	char buffer[2048];
	ssize_t n;

	if (server->is_listener) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			server_add(fd, server->what, server->family, false);
		return false;
	}
	if (what_is_raw(server->what)) {
		raw_serve(server->fd, server->what, server->family);
		return false;
	}
	if (server->what.kind == KIND_UDP) {
		serve_udp(server);
		return false;
	}
	n = read(server->fd, buffer, sizeof(buffer));
	return n == 0 || (n < 0 && errno != EAGAIN) ||
	       (n > 0 && send(server->fd, buffer, (size_t)n, MSG_NOSIGNAL) < 0);
}

int cmd_serve(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		serve_socket(what_parse(argv[i]), AF_INET);
		serve_socket(what_parse(argv[i]), AF_INET6);
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd polls[SOCKETS_MAX];
		int n = n_servers;

		for (int i = 0; i < n; i++)
			polls[i] = (struct pollfd){ servers[i].fd, POLLIN, 0 };
		if (poll(polls, (nfds_t)n, -1) < 0 && errno != EINTR)
			die("poll");
		for (int i = n - 1; i >= 0; i--) {
			if (!polls[i].revents || !serve_ready(&servers[i]))
				continue;
			close(servers[i].fd);
			servers[i] = servers[--n_servers];
		}
	}
}

static void sink_take(int fd)
{
	static char buffer[1 << 16];
	uint64_t total = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		total += (uint64_t)n;
	send(fd, &total, sizeof(total), MSG_NOSIGNAL);
	close(fd);
}

int cmd_sink(char **argv)
{
	struct what what = { KIND_TCP, (uint16_t)strtoul(argv[0], NULL, 10) };

	serve_socket(what, AF_INET);
	serve_socket(what, AF_INET6);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd polls[2] = { { servers[0].fd, POLLIN, 0 }, { servers[1].fd, POLLIN, 0 } };

		if (poll(polls, (nfds_t)n_servers, -1) < 0)
			die("poll");
		for (int i = 0; i < n_servers; i++)
			if (polls[i].revents)
				sink_take(accept(servers[i].fd, NULL, NULL));
	}
}
