// SPDX-License-Identifier: Apache-2.0
/* One long connection. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

int cmd_hold(char **argv)
{
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_storage addr;
	unsigned long echoes = 0;
	socklen_t len;
	int fd;

	len = address_parse(argv[0], (uint16_t)strtoul(argv[1], NULL, 10), &addr);
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	stop_on_term();
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

int cmd_push(char **argv)
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
