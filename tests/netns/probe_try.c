// SPDX-License-Identifier: Apache-2.0
/* Whoever asks: many questions at once, once or again and again. */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

	if (what_is_raw(attempt->what))
		return raw_socket(attempt->what, family, SOCK_NONBLOCK);
	return socket(family, (attempt->what.kind == KIND_TCP ? SOCK_STREAM : SOCK_DGRAM) | flags, 0);
}

static void attempt_ask(struct attempt *attempt, uint16_t id)
{
	attempt->asked = true;
	if (what_is_raw(attempt->what))
		raw_ask(attempt->fd, attempt->what, attempt->addr.ss_family, id);
	else if (send(attempt->fd, "hello", 5, MSG_NOSIGNAL) < 0)
		attempt->over = true;
}

static void attempt_start(struct attempt *attempt, uint16_t id, const char *from)
{
	uint16_t port = what_is_raw(attempt->what) ? 0 : attempt->what.port;
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
	if (what_is_raw(attempt->what))
		return raw_is_answer(attempt->what, attempt->addr.ss_family, id, data, n);
	return n == 5 && memcmp(data, "hello", 5) == 0;
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

int cmd_try(int argc, char **argv)
{
	static struct trial trial;

	trial_parse(&trial, argc, argv);
	trial_run(&trial);
	for (int i = 0; i < trial.n; i++)
		printf("%s %s\n", trial.attempts[i].text, trial.attempts[i].yes ? "yes" : "no");
	return 0;
}

int cmd_repeat(int argc, char **argv)
{
	static struct trial trial;
	unsigned long yes = 0, no = 0;
	int64_t told = now_ms();

	stop_on_term();
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
