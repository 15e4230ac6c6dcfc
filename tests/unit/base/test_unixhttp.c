// SPDX-License-Identifier: Apache-2.0
/* The client against a server that says exactly what a test tells it to. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/unixhttp.h"

static char folder[] = "/tmp/unixhttp-XXXXXX";
static char path[64];
static pid_t server = -1;

/* Answers one connection with `pieces` (null-terminated), pausing between them,
 * after it has seen the end of the request's head. An empty piece stalls. */
static void serve(int fd, const char *const *pieces, int out)
{
	char in[4096];
	ssize_t n;
	int client = accept(fd, NULL, NULL);

	if (client < 0)
		_exit(1);
	n = read(client, in, sizeof(in));
	if (n > 0 && write(out, in, (size_t)n) != n)
		_exit(1);
	for (; *pieces; pieces++) {
		if (!**pieces)
			pause();
		if (write(client, *pieces, strlen(*pieces)) < 0)
			_exit(1);
		usleep(2000);
	}
	_exit(0);
}

/* Returns the descriptor on which the request can be read back. */
static int server_start(const char *const *pieces)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), pipes[2];

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	fflush(NULL);
	server = fork();
	if (server == 0)
		serve(fd, pieces, pipes[1]);
	close(fd);
	close(pipes[1]);
	return pipes[0];
}

static int server_stop(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = -1;
	unlink(path);
	return 0;
}

static int ask_for(unsigned int timeout_ms, const char *const *pieces, struct unixhttp_reply *reply)
{
	close(server_start(pieces));
	return unixhttp_request(path, "GET", "/v1/ready", NULL, timeout_ms, reply, NULL);
}

/* On a busy machine, too, that is time enough. */
static int ask(const char *const *pieces, struct unixhttp_reply *reply)
{
	return ask_for(20000, pieces, reply);
}

#define PIECES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void request_carries_method_path_and_body(void **state)
{
	struct unixhttp_reply reply = { 0 };
	char seen[512];
	int fd = server_start(PIECES("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
	ssize_t n;

	(void)state;
	assert_int_equal(unixhttp_request(path, "POST", "/v1/attachments", "{\"a\":1}", 20000, &reply, NULL),
			 0);
	n = read(fd, seen, sizeof(seen) - 1);
	close(fd);
	assert_true(n > 0);
	seen[n] = '\0';
	assert_true(strncmp(seen, "POST /v1/attachments HTTP/1.0\r\n", 31) == 0);
	assert_non_null(strstr(seen, "\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(seen, "\r\n\r\n{\"a\":1}"));
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "{}");
	unixhttp_reply_done(&reply);
}

static void reply_in_pieces_is_put_together(void **state)
{
	struct unixhttp_reply reply = { 0 };

	(void)state;
	assert_int_equal(
		ask(PIECES("HTTP", "/1.1 5", "03 No\r", "\nX: y\r\ncontent-LENGTH:  5\r\n\r", "\nab", "cde"),
		    &reply),
		0);
	assert_int_equal(reply.status, 503);
	assert_string_equal(reply.body, "abcde");
	assert_int_equal(reply.len, 5);
	unixhttp_reply_done(&reply);
}

static void reply_without_a_length_ends_with_the_connection(void **state)
{
	struct unixhttp_reply reply = { 0 };

	(void)state;
	assert_int_equal(ask(PIECES("HTTP/1.0 200 OK\r\n\r\nall of", " it"), &reply), 0);
	assert_string_equal(reply.body, "all of it");
	unixhttp_reply_done(&reply);
}

static void truncated_reply_is_an_error(void **state)
{
	struct unixhttp_reply reply = { 0 };

	(void)state;
	assert_int_equal(ask(PIECES("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nshort"), &reply), -EBADMSG);
	server_stop(NULL);
	assert_int_equal(ask(PIECES("HTTP/1.0 200 OK\r\nContent-Le"), &reply), -EBADMSG);
	server_stop(NULL);
	assert_int_equal(ask(PIECES("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\ntoo long"), &reply),
			 -EBADMSG);
	assert_null(reply.body);
}

static void nonsense_is_an_error(void **state)
{
	static const char *const answers[] = {
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.0 99 OK\r\n\r\n",
		"HTTP/1.0 OK\r\n\r\n",
		"\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
	};
	struct unixhttp_reply reply = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_int_equal(ask(PIECES(answers[i]), &reply), -EBADMSG);
		server_stop(NULL);
	}
}

static void head_without_an_end_is_refused(void **state)
{
	struct unixhttp_reply reply = { 0 };
	char *head = malloc(40000);

	(void)state;
	memset(head, 'x', 39999);
	head[39999] = '\0';
	memcpy(head, "HTTP/1.0 200 OK\r\nA: ", 20);
	assert_int_equal(ask(PIECES(head), &reply), -EBADMSG);
	free(head);
}

static void silence_ends_with_the_deadline(void **state)
{
	struct unixhttp_reply reply = { 0 };

	(void)state;
	assert_int_equal(ask_for(300, PIECES(""), &reply), -ETIMEDOUT);
	server_stop(NULL);
	assert_int_equal(ask_for(300, PIECES("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n1", ""), &reply),
			 -ETIMEDOUT);
}

static void absent_daemon_is_told_apart(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct unixhttp_reply reply = { 0 };
	struct err err = { 0 };
	char name[200];
	int fd;

	(void)state;
	assert_int_equal(unixhttp_request(path, "GET", "/", NULL, 300, &reply, &err), -ENOENT);
	assert_non_null(strstr(err.msg, path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(unixhttp_request(path, "GET", "/", NULL, 300, &reply, NULL), -ECONNREFUSED);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(unixhttp_request(name, "GET", "/", NULL, 300, &reply, NULL), -ENAMETOOLONG);
}

static char lines[256];
static struct unixhttp_reply refusal;

static int line_note(char *line, void *data)
{
	int *left = data;

	strncat(lines, line, sizeof(lines) - strlen(lines) - 1);
	strncat(lines, "|", sizeof(lines) - strlen(lines) - 1);
	return --*left == 0;
}

static int stream(const char *const *pieces, int max)
{
	lines[0] = '\0';
	close(server_start(pieces));
	unixhttp_reply_done(&refusal);
	return unixhttp_stream(path, "/v1/drops", line_note, &max, &refusal, NULL);
}

static void stream_hands_out_whole_lines(void **state)
{
	(void)state;
	assert_int_equal(stream(PIECES("HTTP/1.0 200 OK\r\n\r\none\ntw", "o\n", "three\nfour"), 9), 0);
	assert_string_equal(lines, "one|two|three|four|");
}

static void stream_ends_when_the_reader_has_enough(void **state)
{
	(void)state;
	assert_int_equal(stream(PIECES("HTTP/1.0 200 OK\r\n\r\none\ntwo\nthree\n", ""), 2), 0);
	assert_string_equal(lines, "one|two|");
}

static void stream_that_is_refused_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(stream(PIECES("HTTP/1.0 403 No\r\nContent-Length: 7\r\n\r\nnot", " you"), 9),
			 -EPROTO);
	assert_string_equal(lines, "");
	assert_int_equal(refusal.status, 403);
	assert_string_equal(refusal.body, "not you");
	assert_int_equal(stream(PIECES("HTTP/1.0 503 No\r\nContent-Length: 7\r\n\r\nnot"), 9), -EBADMSG);
	assert_null(refusal.body);
}

#define SERVED(test) cmocka_unit_test_teardown(test, server_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(request_carries_method_path_and_body),
		SERVED(reply_in_pieces_is_put_together),
		SERVED(reply_without_a_length_ends_with_the_connection),
		SERVED(truncated_reply_is_an_error),
		SERVED(nonsense_is_an_error),
		SERVED(head_without_an_end_is_refused),
		SERVED(silence_ends_with_the_deadline),
		SERVED(absent_daemon_is_told_apart),
		SERVED(stream_hands_out_whole_lines),
		SERVED(stream_ends_when_the_reader_has_enough),
		SERVED(stream_that_is_refused_is_an_error),
	};
	int r;

	if (!mkdtemp(folder))
		return 2;
	snprintf(path, sizeof(path), "%s/sock", folder);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	r = cmocka_run_group_tests_name("unixhttp", tests, NULL, NULL);
	rmdir(folder);
	return r;
}
