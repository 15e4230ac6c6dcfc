// SPDX-License-Identifier: Apache-2.0
/*
 * Steady traffic whose every loss shows, for tests of restarts and upgrades:
 *
 *   beat RATE ADDRESS PORT...
 *
 * To each PORT, RATE times a second: one numbered datagram on a socket that lasts, and
 * every fourth time also a datagram from a fresh socket and a fresh TCP connection
 * with one echo (new flows). Answers count if they come within 900 ms: before a lost
 * SYN would be sent again. SIGTERM: waits for what is under way, then a line each:
 *
 *   PORT lasting SENT ANSWERED udp SENT ANSWERED tcp SENT ANSWERED
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX   8
#define PATIENCE_MS 900
#define PENDING_MAX 8192

enum { LASTING, UDP, TCP, KINDS };
static const char *const kind_names[KINDS] = { "lasting", "udp", "tcp" };

struct target {
	const char *text;
	struct sockaddr_storage addr;
	socklen_t len;
	int lasting;
	unsigned long sent[KINDS], answered[KINDS];
	uint64_t last_back; /* number of the newest answer on the lasting socket */
};

/* A fresh socket that waits for its answer; the oldest are at `tail`. */
struct pending {
	int fd; /* -1: over */
	int kind;
	struct target *target;
	int64_t since_ms;
	bool asked;
};

static struct target targets[PORTS_MAX];
static int n_targets, poller;
static struct pending pending[PENDING_MAX];
static unsigned long head, tail;
static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	(void)sig;
	stopping = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "beat: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int socket_to(const struct target *target, int type)
{
	int fd = socket(target->addr.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (const struct sockaddr *)&target->addr, target->len) < 0 && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void target_init(struct target *target, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target->addr;
	uint16_t port_be = htons((uint16_t)strtoul(port, NULL, 10));
	int room = 8 << 20;

	target->text = port;
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port_be;
		target->len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port_be;
		target->len = sizeof(*v6);
	} else {
		errno = EINVAL;
		die(address);
	}
	target->lasting = socket_to(target, SOCK_DGRAM);
	/* A busy machine is not a lost answer. */
	setsockopt(target->lasting, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

static void lasting_send(struct target *target)
{
	uint64_t number = ++target->sent[LASTING];

	(void)!send(target->lasting, &number, sizeof(number), MSG_NOSIGNAL);
}

static void lasting_read(struct target *target)
{
	uint64_t number;

	while (recv(target->lasting, &number, sizeof(number), 0) == sizeof(number)) {
		target->answered[LASTING] += number > target->last_back;
		target->last_back = number;
	}
}

static void pending_end(struct pending *p, bool answered)
{
	struct linger reset = { .l_onoff = 1 }; /* no TIME_WAIT: ports would run out */

	p->target->answered[p->kind] += answered;
	if (p->kind == TCP)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(p->fd);
	p->fd = -1;
}

static void fresh_send(struct target *target, int kind)
{
	struct pending *p = &pending[head % PENDING_MAX];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = p };

	if (head - tail == PENDING_MAX)
		die("too much under way");
	*p = (struct pending){ socket_to(target, kind == TCP ? SOCK_STREAM : SOCK_DGRAM), kind, target,
			       now_us() / 1000, kind == UDP };
	head++;
	target->sent[kind]++;
	if (kind == UDP)
		(void)!send(p->fd, "fresh", 5, MSG_NOSIGNAL);
	else
		event.events = EPOLLOUT;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, p->fd, &event) < 0)
		die("epoll");
}

static void fresh_ready(struct pending *p)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = p };
	char back[8];

	if (p->fd < 0)
		return;
	if (p->asked) {
		pending_end(p, recv(p->fd, back, sizeof(back), 0) == 5 && memcmp(back, "fresh", 5) == 0);
		return;
	}
	p->asked = true;
	if (send(p->fd, "fresh", 5, MSG_NOSIGNAL) != 5)
		pending_end(p, false);
	else
		epoll_ctl(poller, EPOLL_CTL_MOD, p->fd, &event);
}

static void pending_expire(int64_t now_ms)
{
	for (; tail < head; tail++) {
		struct pending *p = &pending[tail % PENDING_MAX];

		if (p->fd >= 0 && now_ms - p->since_ms < PATIENCE_MS)
			return;
		if (p->fd >= 0)
			pending_end(p, false);
	}
}

static void answers_read(int wait_ms)
{
	struct epoll_event events[64];
	int n = epoll_wait(poller, events, 64, wait_ms);

	for (int i = 0; i < n; i++)
		fresh_ready(events[i].data.ptr);
	for (int i = 0; i < n_targets; i++)
		lasting_read(&targets[i]);
	pending_expire(now_us() / 1000);
}

static void run(long rate)
{
	int64_t start = now_us();

	for (unsigned long tick = 0; !stopping; tick++) {
		int64_t due = start + (int64_t)tick * 1000000 / rate;

		for (int i = 0; i < n_targets; i++) {
			lasting_send(&targets[i]);
			if (tick % 4 != 0)
				continue;
			fresh_send(&targets[i], UDP);
			fresh_send(&targets[i], TCP);
		}
		do
			answers_read(due > now_us() + 1000 ? 1 : 0);
		while (!stopping && now_us() < due);
	}
}

int main(int argc, char **argv)
{
	long rate = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
	int64_t end;

	if (rate < 1 || argc - 3 > PORTS_MAX) {
		fprintf(stderr, "usage: beat RATE ADDRESS PORT...\n");
		return 2;
	}
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0)
		die("epoll");
	for (int i = 3; i < argc; i++)
		target_init(&targets[n_targets++], argv[2], argv[i]);
	run(rate);
	for (end = now_us() + PATIENCE_MS * 1000; now_us() < end;)
		answers_read(10);
	for (int i = 0; i < n_targets; i++) {
		printf("%s", targets[i].text);
		for (int kind = 0; kind < KINDS; kind++)
			printf(" %s %lu %lu", kind_names[kind], targets[i].sent[kind],
			       targets[i].answered[kind]);
		printf("\n");
	}
	return 0;
}
