// SPDX-License-Identifier: Apache-2.0
/*
 * The traffic of the end-to-end tests and of the demo: real sockets inside pods.
 *
 *   probe serve WHAT...        answers on tcp/80, udp/53, sctp/9 (IPv4 and IPv6) until killed
 *   probe try [-t MS] [-s ADDRESS] TARGET...  tries all targets at once; TARGET is ADDRESS,WHAT with
 *                              WHAT tcp/80, udp/53, sctp/9 or icmp; one line each:
 *                              "TARGET yes" or "TARGET no"
 *   probe hold ADDRESS PORT    one TCP connection that asks and waits for the echo every
 *                              20 ms; prints "up", then "cut" when an echo fails to come
 *                              for a second. SIGTERM: prints "alive N" and ends.
 *   probe sink PORT            takes what TCP connections bring, says how much it was
 *   probe push ADDRESS PORT BYTES  brings so much; prints "pushed BYTES in MS ms" once
 *                              the other side has it all
 *   probe repeat [-t MS] TARGET...  tries again and again until SIGTERM; each second
 *                              "yes N no M" of all attempts, and each "no" when it happens
 *   probe wait [MS]            does nothing, so long or until SIGTERM; reaps orphans
 *
 * The kernel may lack SCTP sockets, so sctp/N is an INIT chunk over a raw socket and
 * its INIT ACK.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX   512
#define SCTP_INIT     1
#define SCTP_INIT_ACK 2

enum kind { KIND_TCP, KIND_UDP, KIND_SCTP, KIND_ICMP };

struct what {
	enum kind kind;
	uint16_t port;
};

struct sctp_packet {
	uint16_t sport, dport;
	uint32_t tag, checksum;
	uint8_t type, flags;
	uint16_t length;
	uint32_t init_tag, window;
	uint16_t streams_out, streams_in;
	uint32_t tsn;
} __attribute__((packed));

static void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct what what_parse(const char *text)
{
	static const char *const names[] = { "tcp/", "udp/", "sctp/" };

	if (strcmp(text, "icmp") == 0)
		return (struct what){ KIND_ICMP, 0 };
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(names[i]);
		long port;

		if (strncmp(text, names[i], n) != 0)
			continue;
		port = strtol(text + n, NULL, 10);
		if (port > 0 && port < 65536)
			return (struct what){ (enum kind)i, (uint16_t)port };
	}
	fprintf(stderr, "probe: %s is not tcp/N, udp/N, sctp/N or icmp\n", text);
	exit(2);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static socklen_t address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	fprintf(stderr, "probe: %s is not an address\n", text);
	exit(2);
}

/* --- serving */

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
	int type = what.kind == KIND_TCP ? SOCK_STREAM : what.kind == KIND_UDP ? SOCK_DGRAM : SOCK_RAW;
	int one = 1, fd = socket(family, type | SOCK_CLOEXEC, what.kind == KIND_SCTP ? IPPROTO_SCTP : 0);
	struct sockaddr_storage any;
	socklen_t len = address_parse(family == AF_INET ? "0.0.0.0" : "::", what.port, &any);

	if (fd < 0 && family == AF_INET6 && errno == EAFNOSUPPORT)
		return;
	if (fd < 0)
		die("socket");
	if (what.kind == KIND_SCTP) {
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
	if (what.kind == KIND_UDP)
		setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			   family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof(one));
	server_add(fd, what, family, what.kind == KIND_TCP);
}

static void serve_sctp(const struct server *server)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	uint8_t buffer[2048];
	ssize_t n = recvfrom(server->fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &len);
	size_t skip = server->family == AF_INET ? sizeof(struct iphdr) : 0;
	struct sctp_packet packet;

	if (n < (ssize_t)(skip + sizeof(packet)))
		return;
	memcpy(&packet, buffer + skip, sizeof(packet));
	if (packet.type != SCTP_INIT || ntohs(packet.dport) != server->what.port)
		return;
	packet.dport = packet.sport;
	packet.sport = htons(server->what.port);
	packet.type = SCTP_INIT_ACK;
	if (server->family == AF_INET6)
		((struct sockaddr_in6 *)&peer)->sin6_port = 0;
	sendto(server->fd, &packet, sizeof(packet), 0, (struct sockaddr *)&peer, len);
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
	if (server->what.kind == KIND_SCTP) {
		serve_sctp(server);
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

static __attribute__((noreturn)) int cmd_serve(int argc, char **argv)
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

/* --- trying */

struct attempt {
	const char *text;
	struct what what;
	struct sockaddr_storage addr;
	socklen_t len;
	int fd;
	bool asked; /* the question is on its way */
	bool yes;
	bool over;
};

static int attempt_socket(const struct attempt *attempt)
{
	int family = attempt->addr.ss_family, flags = SOCK_CLOEXEC | SOCK_NONBLOCK;

	switch (attempt->what.kind) {
	case KIND_TCP:
		return socket(family, SOCK_STREAM | flags, 0);
	case KIND_UDP:
		return socket(family, SOCK_DGRAM | flags, 0);
	case KIND_SCTP:
		return socket(family, SOCK_RAW | flags, IPPROTO_SCTP);
	default:
		return socket(family, SOCK_RAW | flags, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	}
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

static void attempt_ask(struct attempt *attempt, uint16_t id)
{
	attempt->asked = true;
	if (attempt->what.kind == KIND_TCP || attempt->what.kind == KIND_UDP) {
		if (send(attempt->fd, "hello", 5, MSG_NOSIGNAL) < 0)
			attempt->over = true;
	} else if (attempt->what.kind == KIND_SCTP) {
		struct sctp_packet packet = { .sport = htons((uint16_t)(40000 + id)),
					      .dport = htons(attempt->what.port),
					      .type = SCTP_INIT,
					      .length = htons(20),
					      .init_tag = htonl(id + 1u),
					      .window = htonl(65536),
					      .streams_out = htons(1),
					      .streams_in = htons(1),
					      .tsn = htonl(1) };

		send(attempt->fd, &packet, sizeof(packet), 0);
	} else {
		struct icmphdr echo = { .type = ICMP_ECHO, .un.echo.id = htons((uint16_t)(1000 + id)) };

		if (attempt->addr.ss_family == AF_INET6)
			echo.type = ICMP6_ECHO_REQUEST;
		else
			echo.checksum = icmp_checksum(&echo, sizeof(echo));
		send(attempt->fd, &echo, sizeof(echo), 0);
	}
}

static void attempt_start(struct attempt *attempt, uint16_t id, const char *from)
{
	uint16_t port =
		attempt->what.kind == KIND_TCP || attempt->what.kind == KIND_UDP ? attempt->what.port : 0;
	char copy[128], *comma;

	snprintf(copy, sizeof(copy), "%s", attempt->text);
	comma = strchr(copy, ',');
	*comma = '\0';
	attempt->len = address_parse(copy, port, &attempt->addr);
	attempt->fd = attempt_socket(attempt);
	if (attempt->fd < 0)
		die("socket");
	if (from) {
		struct sockaddr_storage source;
		socklen_t len = address_parse(from, 0, &source);

		if (bind(attempt->fd, (struct sockaddr *)&source, len) < 0)
			die(from);
	}
	if (connect(attempt->fd, (struct sockaddr *)&attempt->addr, attempt->len) < 0 &&
	    errno != EINPROGRESS) {
		attempt->over = true;
		return;
	}
	if (attempt->what.kind != KIND_TCP)
		attempt_ask(attempt, id);
}

/* Is this what was asked for, and not another's? */
static bool attempt_answered(const struct attempt *attempt, uint16_t id, const uint8_t *data, ssize_t n)
{
	size_t skip = attempt->addr.ss_family == AF_INET ? sizeof(struct iphdr) : 0;
	struct sctp_packet packet;
	struct icmphdr echo;

	if (attempt->what.kind == KIND_TCP || attempt->what.kind == KIND_UDP)
		return n == 5 && memcmp(data, "hello", 5) == 0;
	if (attempt->what.kind == KIND_SCTP) {
		if (n < (ssize_t)(skip + sizeof(packet)))
			return false;
		memcpy(&packet, data + skip, sizeof(packet));
		return packet.type == SCTP_INIT_ACK && ntohs(packet.dport) == 40000 + id;
	}
	if (n < (ssize_t)(skip + sizeof(echo)))
		return false;
	memcpy(&echo, data + skip, sizeof(echo));
	return (echo.type == ICMP_ECHOREPLY || echo.type == ICMP6_ECHO_REPLY) &&
	       ntohs(echo.un.echo.id) == 1000 + id;
}

static void attempt_ready(struct attempt *attempt, uint16_t id)
{
	uint8_t buffer[2048];
	ssize_t n;

	if (!attempt->asked) {
		int error = 0;
		socklen_t len = sizeof(error);

		getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error)
			attempt->over = true;
		else
			attempt_ask(attempt, id);
		return;
	}
	n = recv(attempt->fd, buffer, sizeof(buffer), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		attempt->over = true;
	else if (attempt_answered(attempt, id, buffer, n))
		attempt->yes = attempt->over = true;
}

struct trial {
	struct attempt attempts[SOCKETS_MAX];
	int n;
	long timeout;
	const char *from; /* address to ask from; null: as the routes say */
};

static void trial_parse(struct trial *trial, int argc, char **argv)
{
	trial->timeout = 400;
	for (; argc >= 2 && argv[0][0] == '-'; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "-t") == 0)
			trial->timeout = strtol(argv[1], NULL, 10);
		else
			trial->from = argv[1];
	}
	trial->n = argc > SOCKETS_MAX ? SOCKETS_MAX : argc;
	for (int i = 0; i < trial->n; i++) {
		const char *comma = strchr(argv[i], ',');

		if (!comma) {
			fprintf(stderr, "probe: %s is not ADDRESS,WHAT\n", argv[i]);
			exit(2);
		}
		trial->attempts[i].text = argv[i];
		trial->attempts[i].what = what_parse(comma + 1);
	}
}

static void trial_run(struct trial *trial)
{
	struct attempt *attempts = trial->attempts;
	int64_t deadline = now_ms() + trial->timeout;
	int argc = trial->n;

	for (int i = 0; i < argc; i++)
		attempt_start(&attempts[i], (uint16_t)i, trial->from);
	for (;;) {
		struct pollfd polls[SOCKETS_MAX];
		int waiting = 0;
		int64_t left = deadline - now_ms();

		for (int i = 0; i < argc; i++) {
			waiting += !attempts[i].over;
			polls[i] = (struct pollfd){ attempts[i].over ? -1 : attempts[i].fd,
						    attempts[i].asked ? POLLIN : POLLOUT, 0 };
		}
		if (!waiting || left <= 0 || poll(polls, (nfds_t)argc, (int)left) < 0)
			break;
		for (int i = 0; i < argc; i++) {
			if (polls[i].revents)
				attempt_ready(&attempts[i], (uint16_t)i);
		}
	}
	for (int i = 0; i < argc; i++)
		close(attempts[i].fd);
}

static int cmd_try(int argc, char **argv)
{
	static struct trial trial;

	trial_parse(&trial, argc, argv);
	trial_run(&trial);
	for (int i = 0; i < trial.n; i++)
		printf("%s %s\n", trial.attempts[i].text, trial.attempts[i].yes ? "yes" : "no");
	return 0;
}

/* --- holding */

static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	(void)sig;
	stopping = 1;
}

static int cmd_hold(int argc, char **argv)
{
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_storage addr;
	unsigned long echoes = 0;
	socklen_t len;
	int fd;

	if (argc != 2)
		return 2;
	len = address_parse(argv[0], (uint16_t)strtoul(argv[1], NULL, 10), &addr);
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&addr, len) < 0)
		die("connect");
	printf("up\n");
	fflush(stdout);
	while (!stopping) {
		uint64_t number = echoes, back = ~number;

		if (send(fd, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number) ||
		    recv(fd, &back, sizeof(back), MSG_WAITALL) != sizeof(back) || back != number) {
			if (stopping)
				break;
			printf("cut after %lu\n", echoes);
			return 1;
		}
		echoes++;
		usleep(20000);
	}
	printf("alive %lu\n", echoes);
	return 0;
}

/* --- large transfers */

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

static __attribute__((noreturn)) int cmd_sink(const char *port)
{
	struct what what = { KIND_TCP, (uint16_t)strtoul(port, NULL, 10) };

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

static int cmd_push(char **argv)
{
	static char buffer[1 << 16];
	uint64_t total = strtoull(argv[2], NULL, 10), left = total, taken = 0;
	struct timeval patience = { .tv_sec = 5 };
	struct sockaddr_storage addr;
	socklen_t len = address_parse(argv[0], (uint16_t)strtoul(argv[1], NULL, 10), &addr);
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t start = now_ms();

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, len) < 0)
		die("connect");
	while (left) {
		ssize_t n = send(fd, buffer, left < sizeof(buffer) ? left : sizeof(buffer), MSG_NOSIGNAL);

		if (n <= 0)
			die("send");
		left -= (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &taken, sizeof(taken), MSG_WAITALL) != sizeof(taken) || taken != total)
		die("not all of it arrived");
	printf("pushed %llu in %lld ms\n", (unsigned long long)total, (long long)(now_ms() - start));
	return 0;
}

/* --- again and again */

static int cmd_repeat(int argc, char **argv)
{
	static struct trial trial;
	unsigned long yes = 0, no = 0;
	int64_t told = now_ms();

	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	trial_parse(&trial, argc, argv);
	while (!stopping) {
		trial_run(&trial);
		for (int i = 0; i < trial.n; i++) {
			struct attempt *attempt = &trial.attempts[i];

			if (attempt->yes)
				yes++;
			else if (!stopping)
				no++, printf("no %s\n", attempt->text);
			*attempt = (struct attempt){ .text = attempt->text, .what = attempt->what };
		}
		if (now_ms() - told >= 1000) {
			printf("yes %lu no %lu\n", yes, no);
			told = now_ms();
		}
		usleep(20000);
	}
	printf("yes %lu no %lu\n", yes, no);
	return 0;
}

static int cmd_wait(int argc, char **argv)
{
	int64_t end = argc ? now_ms() + strtol(argv[0], NULL, 10) : INT64_MAX;

	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	signal(SIGCHLD, SIG_IGN);
	while (!stopping && now_ms() < end)
		poll(NULL, 0, argc ? (int)(end - now_ms()) : -1);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "serve") == 0)
		return cmd_serve(argc - 2, argv + 2);
	if (argc >= 3 && strcmp(argv[1], "try") == 0)
		return cmd_try(argc - 2, argv + 2);
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return cmd_hold(argc - 2, argv + 2);
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		return cmd_sink(argv[2]);
	if (argc == 5 && strcmp(argv[1], "push") == 0)
		return cmd_push(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "repeat") == 0)
		return cmd_repeat(argc - 2, argv + 2);
	if (argc >= 2 && strcmp(argv[1], "wait") == 0)
		return cmd_wait(argc - 2, argv + 2);
	fprintf(stderr, "usage: probe serve WHAT... | try [-t MS] ADDRESS,WHAT... | hold ADDRESS PORT | "
			"sink PORT | push ADDRESS PORT BYTES | repeat [-t MS] ADDRESS,WHAT... | wait [MS]\n");
	return 2;
}
