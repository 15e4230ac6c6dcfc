// SPDX-License-Identifier: Apache-2.0
#include "base/unixhttp.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

#define REPLY_MAX	       (64u << 20) /* a matrix of a large cluster is some megabytes */
#define HEAD_MAX	       (16u << 10)
#define LINE_MAX_BYTES	       (1u << 20)
#define STREAM_HEAD_TIMEOUT_MS 10000

/* One exchange: the socket and the moment by which it must be over. */
struct exchange {
	const char *socket_path;
	int fd;
	int64_t deadline_ms; /* CLOCK_MONOTONIC; -1: none */
	struct text in;	     /* what has arrived */
	bool ended;
};

static void exchange_done(struct exchange *x)
{
	if (x->fd >= 0)
		close(x->fd);
	text_done(&x->in);
}
#define auto_exchange cleanup(exchange_done)

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(struct exchange *x, short events, struct err *err)
{
	struct pollfd p = { .fd = x->fd, .events = events };
	int r;

	do {
		int64_t left = x->deadline_ms < 0 ? -1 : x->deadline_ms - now_ms();

		if (x->deadline_ms >= 0 && left <= 0)
			return err_set(err, ETIMEDOUT, "%s: no answer in time", x->socket_path);
		r = poll(&p, 1, (int)left);
	} while (r == 0 || (r < 0 && errno == EINTR));
	return r < 0 ? err_set(err, errno, "poll %s: %s", x->socket_path, strerror(errno)) : 0;
}

/* A full backlog answers EAGAIN at once instead of blocking: ask again until
 * the deadline. */
static int exchange_connect(struct exchange *x, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(x->socket_path) >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "socket path %s is too long", x->socket_path);
	memcpy(addr.sun_path, x->socket_path, strlen(x->socket_path) + 1);
	x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (x->fd < 0)
		return err_set(err, errno, "socket: %s", strerror(errno));
	while (connect(x->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return err_set(err, errno, "connect to %s: %s", x->socket_path, strerror(errno));
		if (x->deadline_ms >= 0 && now_ms() >= x->deadline_ms)
			return err_set(err, ETIMEDOUT, "connect to %s: no answer in time", x->socket_path);
		poll(NULL, 0, 5);
	}
	return 0;
}

static int exchange_send(struct exchange *x, const struct text *request, struct err *err)
{
	size_t done = 0;
	int r;

	while (done < request->len) {
		ssize_t n = send(x->fd, request->data + done, request->len - done, MSG_NOSIGNAL);

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(err, errno, "send to %s: %s", x->socket_path, strerror(errno));
		r = wait_for(x, POLLOUT, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Appends what is there, waiting for the first byte; sets `ended` at the end. */
static int exchange_read(struct exchange *x, struct err *err)
{
	char chunk[16384];
	ssize_t n;
	int r = wait_for(x, POLLIN, err);

	if (r < 0)
		return r;
	n = recv(x->fd, chunk, sizeof(chunk), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_set(err, errno, "read from %s: %s", x->socket_path, strerror(errno));
	if (n == 0)
		x->ended = true;
	else
		text_add(&x->in, chunk, (size_t)n);
	return x->in.failed ? err_set(err, ENOMEM, "reply of %s: out of memory", x->socket_path) : 0;
}

static int bad_reply(const struct exchange *x, const char *why, struct err *err)
{
	return err_set(err, EBADMSG, "reply of %s: %s", x->socket_path, why);
}

struct head {
	int status;
	size_t body_at;		/* offset of the body */
	int64_t content_length; /* -1: not said */
};

static int head_parse(const struct exchange *x, const char *end, struct head *ret_head, struct err *err)
{
	const char *line = x->in.data;
	struct head head = { .content_length = -1, .body_at = (size_t)(end + 4 - x->in.data) };

	if (sscanf(line, "HTTP/1.%*1[01] %3d", &head.status) != 1 || head.status < 100)
		return bad_reply(x, "not HTTP", err);
	while ((line = strstr(line, "\r\n")) && line < end) {
		unsigned long length;
		char digits[16];

		line += 2;
		if (strncasecmp(line, "Content-Length:", 15) != 0)
			continue;
		if (sscanf(line + 15, " %15[0-9]", digits) != 1 ||
		    text_to_ulong(digits, 0, REPLY_MAX, &length) < 0)
			return bad_reply(x, "unusable Content-Length", err);
		head.content_length = (int64_t)length;
	}
	*ret_head = head;
	return 0;
}

static int head_read(struct exchange *x, struct head *ret_head, struct err *err)
{
	for (;;) {
		const char *end = x->in.len ? strstr(x->in.data, "\r\n\r\n") : NULL;
		int r;

		if (end)
			return head_parse(x, end, ret_head, err);
		if (x->ended)
			return bad_reply(x, "ends within its head", err);
		if (x->in.len > HEAD_MAX)
			return bad_reply(x, "head too large", err);
		r = exchange_read(x, err);
		if (r < 0)
			return r;
	}
}

static int exchange_start(struct exchange *x, const char *method, const char *path, const char *body,
			  struct err *err)
{
	auto_text struct text request = { 0 };
	int r;

	text_addf(&request, "%s %s HTTP/1.0\r\nHost: localhost\r\n", method, path);
	if (body)
		text_addf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			  strlen(body));
	text_addf(&request, "\r\n%s", body ?: "");
	if (request.failed)
		return err_set(err, ENOMEM, "request to %s: out of memory", x->socket_path);
	r = exchange_connect(x, err);
	return r < 0 ? r : exchange_send(x, &request, err);
}

void unixhttp_reply_done(struct unixhttp_reply *reply)
{
	free(reply->body);
	*reply = (struct unixhttp_reply){ 0 };
}

/* What follows the head, to its end. */
static int body_read(struct exchange *x, const struct head *head, struct unixhttp_reply *ret_reply,
		     struct err *err)
{
	size_t len;
	char *copy;

	while (!x->ended && x->in.len <= REPLY_MAX) {
		int r;

		if (head->content_length >= 0 && x->in.len - head->body_at >= (size_t)head->content_length)
			break;
		r = exchange_read(x, err);
		if (r < 0)
			return r;
	}
	len = x->in.len - head->body_at;
	if (x->in.len > REPLY_MAX)
		return bad_reply(x, "too large", err);
	if (head->content_length >= 0 && len != (size_t)head->content_length)
		return bad_reply(x, "length differs from its Content-Length", err);
	copy = malloc(len + 1);
	if (!copy)
		return err_set(err, ENOMEM, "reply of %s: out of memory", x->socket_path);
	memcpy(copy, x->in.data + head->body_at, len);
	copy[len] = '\0';
	*ret_reply = (struct unixhttp_reply){ .status = head->status, .body = copy, .len = len };
	return 0;
}

int unixhttp_request(const char *socket_path, const char *method, const char *path, const char *body,
		     unsigned int timeout_ms, struct unixhttp_reply *ret_reply, struct err *err)
{
	auto_exchange struct exchange x = { .socket_path = socket_path,
					    .fd = -1,
					    .deadline_ms = now_ms() + timeout_ms };
	struct head head;
	int r = exchange_start(&x, method, path, body, err);

	if (r == 0)
		r = head_read(&x, &head, err);
	return r < 0 ? r : body_read(&x, &head, ret_reply, err);
}

/* Hands out the whole lines at the front of the buffer and drops them from it.
 * At the end of the stream a last line without a newline counts too. */
static int lines_deliver(struct text *in, bool ended, int (*line)(char *line, void *data), void *data)
{
	char *at = in->data, *end = in->data + in->len, *newline;
	int stop = 0;

	while (!stop && at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		*newline = '\0';
		stop = line(at, data);
		at = newline + 1;
	}
	if (!stop && ended && at < end) {
		stop = line(at, data);
		at = end;
	}
	in->len = (size_t)(end - at);
	memmove(in->data, at, in->len + 1);
	return stop;
}

int unixhttp_stream(const char *socket_path, const char *path, int (*line)(char *line, void *data),
		    void *data, struct unixhttp_reply *ret_refusal, struct err *err)
{
	auto_exchange struct exchange x = { .socket_path = socket_path,
					    .fd = -1,
					    .deadline_ms = now_ms() + STREAM_HEAD_TIMEOUT_MS };
	struct head head;
	int r;

	r = exchange_start(&x, "GET", path, NULL, err);
	if (r == 0)
		r = head_read(&x, &head, err);
	if (r < 0)
		return r;
	if (head.status != 200) {
		r = body_read(&x, &head, ret_refusal, err);
		if (r < 0)
			return r;
		return err_set(err, EPROTO, "%s answered %d to %s", socket_path, head.status, path);
	}
	x.deadline_ms = -1; /* the next event may take hours */
	x.in.len -= head.body_at;
	memmove(x.in.data, x.in.data + head.body_at, x.in.len + 1);
	while (!lines_deliver(&x.in, x.ended, line, data) && !x.ended) {
		if (x.in.len > LINE_MAX_BYTES)
			return bad_reply(&x, "line too long", err);
		r = exchange_read(&x, err);
		if (r < 0)
			return r;
	}
	return 0;
}
