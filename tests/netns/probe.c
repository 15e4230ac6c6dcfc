// SPDX-License-Identifier: Apache-2.0
/*
 * The traffic of the end-to-end tests and of the demo: real sockets inside pods.
 *
 *   probe serve WHAT...        answers on tcp/80, udp/53, sctp/9, proto/50 (IPv4 and IPv6) until killed
 *   probe try [-t MS] [-s ADDRESS] TARGET...  tries all targets at once; TARGET is ADDRESS,WHAT with
 *                              WHAT tcp/80, udp/53, sctp/9, proto/50 or icmp; one line each:
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
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

volatile sig_atomic_t stopping;

void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(2);
}

struct what what_parse(const char *text)
{
	static const char *const names[] = { "tcp/", "udp/", "sctp/", "proto/" };

	if (strcmp(text, "icmp") == 0)
		return (struct what){ KIND_ICMP, 0 };
	for (int i = 0; i < 4; i++) {
		size_t n = strlen(names[i]);
		long port;

		if (strncmp(text, names[i], n) != 0)
			continue;
		port = strtol(text + n, NULL, 10);
		if (port > 0 && port < (i == KIND_PROTO ? 256 : 65536))
			return (struct what){ (enum kind)i, (uint16_t)port };
	}
	fprintf(stderr, "probe: %s is not tcp/N, udp/N, sctp/N, proto/N or icmp\n", text);
	exit(2);
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

socklen_t address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret)
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

static void on_term(int sig)
{
	(void)sig;
	stopping = 1;
}

void stop_on_term(void)
{
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
}

static int cmd_wait(int argc, char **argv)
{
	int64_t end = argc ? now_ms() + strtol(argv[0], NULL, 10) : INT64_MAX;

	stop_on_term();
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
		return cmd_hold(argv + 2);
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		return cmd_sink(argv + 2);
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
