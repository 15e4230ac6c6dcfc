// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic for the end-to-end benchmark, one process an end, both on one CPU:
 *
 *   traffic serve              answers until killed
 *   traffic rr ADDRESS MS      one connection, one byte there and back: transactions/s
 *   traffic crr ADDRESS MS     connect, one byte there and back, close: transactions/s
 *   traffic udp ADDRESS MS     64-byte datagrams one way: datagrams/s that arrived
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT_ECHO 7000
#define PORT_SINK 7001

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sockaddr_in at(const char *address, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1) {
		fprintf(stderr, "traffic: %s is not an IPv4 address\n", address);
		exit(1);
	}
	return addr;
}

static int bound(int type, uint16_t port)
{
	struct sockaddr_in any = at("0.0.0.0", port);
	int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("bind");
	return fd;
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Counts datagrams; no call but recv(). */
static __attribute__((noreturn)) void serve_sink(_Atomic uint64_t *datagrams)
{
	int fd = bound(SOCK_DGRAM, PORT_SINK);
	char buffer[64];

	for (;;)
		if (recv(fd, buffer, sizeof(buffer), 0) > 0)
			++*datagrams;
}

/* Bytes are echoed one by one; a 'c' asks for the count of datagrams since the last. */
static void serve_connection(int fd, _Atomic uint64_t *datagrams)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1) {
		if (byte == 'c') {
			uint64_t count = atomic_exchange(datagrams, 0);

			send(fd, &count, sizeof(count), MSG_NOSIGNAL);
		} else {
			send(fd, &byte, 1, MSG_NOSIGNAL);
		}
	}
	close(fd);
}

/* One connection after the other, and no call but those a transaction needs: what the
 * server does besides is in both figures of a ratio, and hides the difference. */
static __attribute__((noreturn)) void serve(void)
{
	_Atomic uint64_t *datagrams =
		mmap(NULL, sizeof(*datagrams), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int listener = bound(SOCK_STREAM, PORT_ECHO);
	pid_t sink;

	if (datagrams == MAP_FAILED || listen(listener, 1024) < 0)
		die("listen");
	sink = fork();
	if (sink < 0)
		die("fork");
	if (sink == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_sink(datagrams);
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		no_delay(fd);
		serve_connection(fd, datagrams);
	}
}

static int connected(const char *address)
{
	struct sockaddr_in addr = at(address, PORT_ECHO);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("connect");
	no_delay(fd);
	return fd;
}

static void transact(int fd)
{
	char byte = 'r';

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
		die("transaction");
}

static double rr(const char *address, double seconds)
{
	int fd = connected(address);
	double start = now(), end = start + seconds;
	unsigned long n = 0;

	for (; now() < end; n++)
		transact(fd);
	close(fd);
	return (double)n / (now() - start);
}

static double crr(const char *address, double seconds)
{
	double start = now(), end = start + seconds;
	unsigned long n = 0;

	for (; now() < end; n++) {
		struct linger at_once = { 1, 0 }; /* leaves no TIME_WAIT: ports do not run out */
		int fd = connected(address);

		transact(fd);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
	}
	return (double)n / (now() - start);
}

static uint64_t arrived(const char *address)
{
	int fd = connected(address);
	uint64_t count = 0;

	if (send(fd, "c", 1, MSG_NOSIGNAL) != 1 ||
	    recv(fd, &count, sizeof(count), MSG_WAITALL) != sizeof(count))
		die("count");
	close(fd);
	return count;
}

static double udp(const char *address, double seconds)
{
	struct sockaddr_in addr = at(address, PORT_SINK);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	double start, end;
	char data[64] = { 0 };

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("udp");
	arrived(address);
	start = now();
	end = start + seconds;
	while (now() < end) {
		for (int i = 0; i < 16; i++)
			send(fd, data, sizeof(data), 0);
	}
	end = now();
	usleep(20000);
	close(fd);
	return (double)arrived(address) / (end - start);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*run)(const char *, double);
	} modes[] = { { "rr", rr }, { "crr", crr }, { "udp", udp } };

	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	for (size_t i = 0; argc == 4 && i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		printf("%.1f\n", modes[i].run(argv[2], strtod(argv[3], NULL) / 1000));
		return 0;
	}
	fprintf(stderr, "usage: traffic serve | rr ADDRESS MS | crr ADDRESS MS | udp ADDRESS MS\n");
	return 2;
}
