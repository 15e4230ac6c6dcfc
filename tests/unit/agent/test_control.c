// SPDX-License-Identifier: Apache-2.0
/* The control socket under bad clients (THREATS F30): slow, silent, greedy, gone.
 * A real server on a real socket; the client's side runs in a thread. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "agent/connlimit.h"
#include "agent/control.h"
#include "agent/control_room.h"
#include "agent/stamp.h"
#include "base/cleanup.h"

struct scene {
	struct agent *agent;
	struct config config;
	char folder[64];
	char path[96];
	void (*client)(struct scene *scene);
	int failed; /* line of the client's first broken expectation */
	bool paced; /* events wait for two followers, and are no faster than one of them reads */
	bool has_two;
	_Atomic long owed;
};

#define EXPECT(scene, what)                                                                                  \
	do {                                                                                                 \
		if (!(what) && !(scene)->failed)                                                             \
			(scene)->failed = __LINE__;                                                          \
	} while (0)

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	snprintf(scene->folder, sizeof(scene->folder), "/tmp/bulkhead-control-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->path, sizeof(scene->path), "%s/s", scene->folder);
	scene->config.socket = scene->path;
	scene->config.metrics = (char *)"none";
	scene->agent = calloc(1, sizeof(*scene->agent));
	assert_non_null(scene->agent);
	scene->agent->config = &scene->config;
	scene->agent->base = event_base_new();
	assert_non_null(scene->agent->base);
	assert_int_equal(control_open(scene->agent, &scene->agent->control, NULL), 0);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	control_free(scene->agent->control);
	event_base_free(scene->agent->base);
	drops_done(&scene->agent->drops);
	free(scene->agent);
	unlink(scene->path);
	rmdir(scene->folder);
	free(scene);
	return 0;
}

/* --- the client's side */

static int dial(struct scene *scene)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 15 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", scene->path);
	EXPECT(scene, fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void say(struct scene *scene, int fd, const char *text)
{
	EXPECT(scene, send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Reads to the end; the status code, 0 when the server just closed. */
static int hear(int fd, char *out, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int code = 0;

	while (len + 1 < size && (n = recv(fd, out + len, size - len - 1, 0)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	sscanf(out, "HTTP/%*s %d", &code);
	close(fd);
	return code;
}

static int ask(struct scene *scene, const char *request)
{
	char reply[4096];
	int fd = dial(scene);

	say(scene, fd, request);
	return hear(fd, reply, sizeof(reply));
}

static void *client_run(void *data)
{
	struct scene *scene = data;

	scene->client(scene);
	return NULL;
}

/* The thread only uses sockets, so the loop need not know of it; the loop looks
 * whether it is done. */
static void on_look(evutil_socket_t fd, short what, void *data)
{
	(void)fd, (void)what, (void)data;
}

static void serve_until_done(struct scene *scene, void (*client)(struct scene *scene))
{
	const struct timeval often = { .tv_usec = 5000 };
	struct event *look = event_new(scene->agent->base, -1, EV_PERSIST, on_look, NULL);
	pthread_t thread;

	scene->client = client;
	assert_int_equal(event_add(look, &often), 0);
	assert_int_equal(pthread_create(&thread, NULL, client_run, scene), 0);
	while (pthread_tryjoin_np(thread, NULL) != 0)
		event_base_loop(scene->agent->base, EVLOOP_ONCE);
	event_free(look);
	assert_int_equal(scene->failed, 0);
}

/* --- the tests */

static void routes(struct scene *scene)
{
	EXPECT(scene, ask(scene, "GET /nothing HTTP/1.0\r\n\r\n") == 404);
	EXPECT(scene, ask(scene, "GET /v1/attachments HTTP/1.0\r\n\r\n") == 405);
	EXPECT(scene, ask(scene, "PUT /v1/attachments HTTP/1.0\r\n\r\n") == 501);
	EXPECT(scene, ask(scene, "GET /v1/ready HTTP/1.0\r\n\r\n") == 503);
	EXPECT(scene, ask(scene, "GET /v1/explain?from=a HTTP/1.0\r\n\r\n") == 503);
	EXPECT(scene, ask(scene, "GET /v1/drops?limit=x HTTP/1.0\r\n\r\n") == 400);
	EXPECT(scene, ask(scene, "nonsense\r\n\r\n") == 400);
	/* Only root may change attachments; anyone else is told so first. */
	EXPECT(scene, ask(scene, "POST /v1/attachments HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}") ==
			      (geteuid() == 0 ? 400 : 403));
	EXPECT(scene, ask(scene, "POST /v1/attachments HTTP/1.0\r\nContent-Length: 65537\r\n\r\n") == 413);
}

static void bad_requests_get_their_codes(void **state)
{
	serve_until_done(*state, routes);
}

static void greedy(struct scene *scene)
{
	char reply[4096], line[1024];
	int fd = dial(scene);

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	say(scene, fd, "GET /v1/ready HTTP/1.0\r\n");
	for (int i = 0; i < 9 && !scene->failed; i++) {
		say(scene, fd, "X: ");
		if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			break;
	}
	EXPECT(scene, hear(fd, reply, sizeof(reply)) != 200);
}

static void headers_over_the_limit_are_refused(void **state)
{
	serve_until_done(*state, greedy);
}

/* One byte at a time resets a read timeout; the deadline counts the whole. */
static void slow(struct scene *scene)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	int64_t start = stamp_now_ms();
	int fd = dial(scene);

	while (send(fd, "G", 1, MSG_NOSIGNAL) == 1 && stamp_now_ms() - start < 15000)
		nanosleep(&pause, NULL);
	EXPECT(scene, stamp_now_ms() - start < CONNLIMIT_REQUEST_MS + 2000);
	close(fd);
}

static void a_request_that_never_ends_is_cut(void **state)
{
	serve_until_done(*state, slow);
}

static void crowd(struct scene *scene)
{
	int fd[CONNLIMIT_MAX], last;
	struct pollfd wait;
	char reply[4096];

	for (int i = 0; i < CONNLIMIT_MAX; i++)
		fd[i] = dial(scene);
	last = dial(scene);
	say(scene, last, "GET /nothing HTTP/1.0\r\n\r\n");
	wait = (struct pollfd){ .fd = last, .events = POLLIN };
	EXPECT(scene, poll(&wait, 1, 700) == 0); /* it waits in the backlog */
	for (int i = 0; i < CONNLIMIT_MAX; i++)
		close(fd[i]);
	EXPECT(scene, hear(last, reply, sizeof(reply)) == 404);
	EXPECT(scene, ask(scene, "GET /nothing HTTP/1.0\r\n\r\n") == 404);
}

static void more_connections_than_the_limit_wait_their_turn(void **state)
{
	serve_until_done(*state, crowd);
}

static void remembered(struct scene *scene)
{
	char reply[4096];
	int fd = dial(scene);

	say(scene, fd, "GET /v1/drops?limit=2 HTTP/1.0\r\n\r\n");
	EXPECT(scene, hear(fd, reply, sizeof(reply)) == 200);
	EXPECT(scene, strstr(reply, "\r\n\r\n{\"n\":2}\n{\"n\":3}\n") != NULL);
	EXPECT(scene, !strstr(reply, "chunked"));
}

static void drops_are_lines_oldest_first(void **state)
{
	struct scene *scene = *state;

	drops_keep(&scene->agent->drops, strdup("{\"n\":1}"));
	drops_keep(&scene->agent->drops, strdup("{\"n\":2}"));
	drops_keep(&scene->agent->drops, strdup("{\"n\":3}"));
	serve_until_done(scene, remembered);
}

/* Sends events every few milliseconds while the clients do what they do. */
static void on_feed(evutil_socket_t fd, short what, void *data)
{
	struct scene *scene = data;
	static char line[32768];

	(void)fd, (void)what;
	scene->has_two |= scene->agent->control->n_followers > 1;
	if (scene->paced && (!scene->has_two || scene->owed > (long)sizeof(line)))
		return;
	scene->owed += 2 * (long)sizeof(line);
	memset(line, 'd', sizeof(line) - 1);
	for (int i = 0; i < 2; i++)
		control_event(scene->agent->control, line);
}

static void serve_with_events(struct scene *scene, void (*client)(struct scene *scene))
{
	const struct timeval often = { .tv_usec = 10000 };
	struct event *feed = event_new(scene->agent->base, -1, EV_PERSIST, on_feed, scene);

	assert_int_equal(event_add(feed, &often), 0);
	serve_until_done(scene, client);
	event_free(feed);
}

static void sleeper(struct scene *scene)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	int64_t start = stamp_now_ms();
	int asleep = dial(scene), awake = dial(scene);
	char part[65536];
	size_t heard = 0;
	ssize_t n;

	say(scene, asleep, "GET /v1/drops?follow=1 HTTP/1.0\r\n\r\n");
	say(scene, awake, "GET /v1/drops?follow=1 HTTP/1.0\r\n\r\n");
	do {
		n = recv(awake, part, sizeof(part), 0);
		EXPECT(scene, n > 0); /* a neighbour's sleep costs nothing */
		heard += n > 0 ? (size_t)n : 0;
		scene->owed -= n;
	} while (n > 0 && (heard < 4 * CONTROL_BEHIND_MAX || stamp_now_ms() - start < 1500));
	nanosleep(&pause, NULL);
	for (heard = 0; (n = recv(asleep, part, sizeof(part), 0)) > 0;)
		heard += (size_t)n;
	EXPECT(scene, n == 0 && heard > 0); /* what was on the way, then the end */
	close(asleep);
	close(awake);
}

static void a_follower_that_sleeps_is_cut_and_counted(void **state)
{
	struct scene *scene = *state;

	scene->paced = true; /* a busy machine is not a slow reader */
	serve_with_events(scene, sleeper);
	assert_int_equal(scene->agent->metrics.followers_cut, 1);
}

static void leavers(struct scene *scene)
{
	char part[4096];

	for (int i = 0; i < 40; i++) {
		int fd = dial(scene);

		say(scene, fd, "GET /v1/drops?follow=1 HTTP/1.0\r\n\r\n");
		EXPECT(scene, recv(fd, part, sizeof(part), 0) > 0);
		close(fd);
	}
	EXPECT(scene, ask(scene, "GET /nothing HTTP/1.0\r\n\r\n") == 404);
}

static void followers_that_leave_make_room(void **state)
{
	struct scene *scene = *state;

	serve_with_events(scene, leavers);
	assert_int_equal(scene->agent->metrics.followers_cut, 0);
}

static void many(struct scene *scene)
{
	int fd[16];
	char part[4096];

	for (int i = 0; i < 16; i++) {
		fd[i] = dial(scene);
		say(scene, fd[i], "GET /v1/drops?follow=1 HTTP/1.0\r\n\r\n");
		EXPECT(scene, recv(fd[i], part, sizeof(part), 0) > 0);
	}
	EXPECT(scene, ask(scene, "GET /v1/drops?follow=1 HTTP/1.0\r\n\r\n") == 503);
	for (int i = 0; i < 16; i++)
		close(fd[i]);
}

static void one_follower_too_many_is_refused(void **state)
{
	serve_until_done(*state, many);
}

static void the_socket_is_for_its_owner_and_group(void **state)
{
	struct scene *scene = *state;
	struct stat st;

	assert_int_equal(stat(scene->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_socket_is_for_its_owner_and_group),
		TEST(bad_requests_get_their_codes),
		TEST(headers_over_the_limit_are_refused),
		TEST(a_request_that_never_ends_is_cut),
		TEST(more_connections_than_the_limit_wait_their_turn),
		TEST(drops_are_lines_oldest_first),
		TEST(a_follower_that_sleeps_is_cut_and_counted),
		TEST(followers_that_leave_make_room),
		TEST(one_follower_too_many_is_refused),
	};

	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
