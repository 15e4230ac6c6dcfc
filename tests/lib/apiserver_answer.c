// SPDX-License-Identifier: Apache-2.0
/* What the scripted API server says. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/apiserver_room.h"

#define SEND_BYTES (256u << 10)

/* One answer. */
struct out {
	struct conn *conn;
	bool chunked, bytewise, cut_clean;
	size_t left; /* bytes of body until the cut */
};
/* --- bytes --- */

static int conn_write(struct conn *conn, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = conn->ssl ? SSL_write(conn->ssl, bytes, (int)(len > 65536 ? 65536 : len))
				      : send(conn->fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t apiserver_read(struct conn *conn, char *bytes, size_t len)
{
	return conn->ssl ? SSL_read(conn->ssl, bytes, (int)len) : recv(conn->fd, bytes, len, 0);
}

static int out_raw(struct out *out, const char *bytes, size_t len)
{
	if (!out->bytewise)
		return conn_write(out->conn, bytes, len);
	for (size_t i = 0; i < len; i++)
		if (conn_write(out->conn, bytes + i, 1) < 0)
			return -1;
	return 0;
}

/* Part of the body; -1: that was the last of it. */
static int out_body(struct out *out, const char *bytes, size_t len)
{
	bool is_last = len >= out->left;
	char size[32];
	int r = 0;

	if (is_last)
		len = out->left;
	out->left -= len;
	if (len && out->chunked)
		r = conn_write(out->conn, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len));
	if (r == 0)
		r = out_raw(out, bytes, len);
	if (r == 0 && len && out->chunked)
		r = conn_write(out->conn, "\r\n", 2);
	if (r == 0 && is_last && out->cut_clean && out->chunked)
		conn_write(out->conn, "0\r\n\r\n", 5);
	return is_last ? -1 : r;
}

static int out_head(struct out *out, int status, const char *type, const char *headers, long len)
{
	char head[1024];
	int n;

	if (len < 0)
		n = snprintf(head, sizeof(head),
			     "HTTP/1.1 %d X\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n%s\r\n",
			     status, type, headers);
	else
		n = snprintf(head, sizeof(head),
			     "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %ld\r\n%s\r\n", status,
			     type, len, headers);
	out->chunked = len < 0;
	return out_raw(out, head, (size_t)n);
}

/* --- what is said --- */

static void object_text(struct text *text, int kind, const struct item *item, bool with_kind)
{
	text_addf(text, "{");
	if (with_kind)
		text_addf(text, "\"kind\":\"%s\",\"apiVersion\":\"%s\",", apiserver_kinds[kind].kind,
			  apiserver_kinds[kind].version);
	text_addf(text, "\"metadata\":{\"name\":\"%s\"", item->name);
	if (item->namespace[0])
		text_addf(text, ",\"namespace\":\"%s\"", item->namespace);
	text_addf(text, ",\"uid\":\"%s\",\"resourceVersion\":\"v%ldx\",\"labels\":{%s}}%s%s}", item->uid,
		  item->version, item->labels, item->rest[0] ? "," : "", item->rest);
}

char *apiserver_event_text(const char *type, int kind, const struct item *item)
{
	struct text text = { 0 };

	text_addf(&text, "{\"type\":\"%s\",\"object\":", type);
	object_text(&text, kind, item, true);
	text_addf(&text, "}\n");
	return text_take(&text);
}

static char *bookmark_text(int kind, long version, bool is_end)
{
	struct text text = { 0 };

	text_addf(&text,
		  "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
		  "\"resourceVersion\":\"v%ldx\"%s}}}\n",
		  apiserver_kinds[kind].kind, apiserver_kinds[kind].version, version,
		  is_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
	return text_take(&text);
}

static const char status_gone[] =
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
	"\"too old resource version\",\"reason\":\"Expired\",\"code\":410}";

static const char status_invalid[] = "{\"kind\":\"Status\",\"code\":422,\"reason\":\"Invalid\"}";
static const char status_unauthorized[] = "{\"kind\":\"Status\",\"code\":401,\"reason\":\"Unauthorized\"}";

/* --- answers --- */

static int answer_text(struct out *out, int status, const char *type, const char *headers, const char *body,
		       size_t len)
{
	if (out_head(out, status, type, headers, (long)len) < 0)
		return -1;
	return out_body(out, body, len);
}

static size_t number_of(const char *target, const char *key, size_t fallback)
{
	const char *at = strstr(target, key);

	return at ? strtoul(at + strlen(key), NULL, 10) : fallback;
}

/* Item i of a kind: those that were put, then the crowd. Locked. */
static void item_text(struct text *text, const struct apiserver *server, int kind, size_t i, bool with_kind)
{
	if (i < server->n_items[kind])
		object_text(text, kind, &server->items[kind][i], with_kind);
	else
		server->crowd[kind].write(text, i - server->n_items[kind], server->version, with_kind);
}

static int text_send(struct out *out, struct text *text)
{
	int r = text->len ? out_body(out, text->data, text->len) : 0;

	text->len = 0;
	return r;
}

/* Sends what has come together, so that a crowd is never held whole. Locked, but not
 * while it sends: the others are served meanwhile. */
static int crowd_send(struct out *out, struct text *text)
{
	int r;

	if (text->len < SEND_BYTES)
		return 0;
	pthread_mutex_unlock(&out->conn->server->lock);
	r = text_send(out, text);
	pthread_mutex_lock(&out->conn->server->lock);
	return r;
}

static void list_head(struct text *text, const struct apiserver *server, int kind, size_t last, bool is_whole)
{
	text_addf(text,
		  "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"v%ldx\"",
		  apiserver_kinds[kind].kind, apiserver_kinds[kind].version, server->version);
	if (!is_whole)
		text_addf(text, ",\"continue\":\"at-%zu\"", last);
	text_addf(text, "},\"items\":[");
}

static int answer_list(struct out *out, int kind, const char *target)
{
	struct apiserver *server = out->conn->server;
	size_t limit = number_of(target, "limit=", 0), first = number_of(target, "continue=at-", 0);
	auto_text struct text text = { 0 };
	size_t last, n;
	int r = 0;

	pthread_mutex_lock(&server->lock);
	n = server->n_items[kind] + server->crowd[kind].n;
	last = limit && first + limit < n ? first + limit : n;
	list_head(&text, server, kind, last, last == n);
	if (server->crowd[kind].n)
		r = out_head(out, 200, "application/json", "", -1);
	for (size_t i = first; r == 0 && i < last; i++) {
		if (i > first)
			text_addf(&text, ",");
		item_text(&text, server, kind, i, false);
		if (server->crowd[kind].n)
			r = crowd_send(out, &text);
	}
	text_addf(&text, "]}\n");
	pthread_mutex_unlock(&server->lock);
	if (!server->crowd[kind].n)
		return answer_text(out, 200, "application/json", "", text.data, text.len);
	if (r == 0)
		r = text_send(out, &text);
	return r == 0 ? conn_write(out->conn, "0\r\n\r\n", 5) : r;
}

static int send_initial(struct out *out, int kind, long *version)
{
	struct apiserver *server = out->conn->server;
	auto_text struct text text = { 0 };
	int r = 0;

	pthread_mutex_lock(&server->lock);
	*version = server->version;
	for (size_t i = 0; r == 0 && i < server->n_items[kind] + server->crowd[kind].n; i++) {
		text_addf(&text, "{\"type\":\"ADDED\",\"object\":");
		item_text(&text, server, kind, i, true);
		text_addf(&text, "}\n");
		if (server->crowd[kind].n)
			r = crowd_send(out, &text);
	}
	pthread_mutex_unlock(&server->lock);
	if (server->streaming == APISERVER_STREAMS) {
		char *line = bookmark_text(kind, *version, true);

		text_add(&text, line, strlen(line));
		free(line);
	}
	return r == 0 ? text_send(out, &text) : r;
}

/* The next lines for a watch at event `*at`; null: nothing new. Locked. */
static char *watch_news(struct apiserver *server, int kind, size_t *at)
{
	struct text text = { 0 };

	for (; *at < server->n_events; (*at)++)
		if (server->events[*at].kind == kind)
			text_add(&text, server->events[*at].line, strlen(server->events[*at].line));
	return text.len ? text_take(&text) : NULL;
}

static bool peer_is_gone(const struct conn *conn)
{
	struct pollfd poll_fd = { .fd = conn->fd, .events = POLLRDHUP };

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static int lines_tell(struct out *out, const char *lines)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	out->conn->server->told_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	return out_body(out, lines, strlen(lines));
}

static int watch_serve(struct out *out, int kind, size_t at, unsigned int cuts, time_t end)
{
	struct apiserver *server = out->conn->server;
	char *lines;
	int r = 0;

	while (r == 0) {
		long version;

		pthread_mutex_lock(&server->lock);
		lines = watch_news(server, kind, &at);
		if (!lines && !server->stopped && cuts == server->cuts[kind])
			apiserver_wait(server);
		version = server->cuts[kind] != cuts || server->stopped;
		if (!lines && server->bookmarks && !version)
			lines = bookmark_text(kind, server->version, false);
		pthread_mutex_unlock(&server->lock);
		if (lines)
			r = lines_tell(out, lines);
		else if (version && !server->cut_clean)
			r = -1;
		else if (version || time(NULL) >= end)
			return conn_write(out->conn, "0\r\n\r\n", 5);
		else if (peer_is_gone(out->conn))
			r = -1;
		free(lines);
	}
	return r;
}

static int answer_watch(struct out *out, int kind, const char *target)
{
	struct apiserver *server = out->conn->server;
	bool initial = strstr(target, "sendInitialEvents") || !strstr(target, "resourceVersion=");
	long version = (long)number_of(target, "resourceVersion=v", 0);
	time_t end = time(NULL) + (time_t)number_of(target, "timeoutSeconds=", 300);
	unsigned int cuts;
	size_t at;
	int r;

	if (strstr(target, "sendInitialEvents") && server->streaming == APISERVER_REFUSES)
		return answer_text(out, 422, "application/json", "", status_invalid, strlen(status_invalid));
	pthread_mutex_lock(&server->lock);
	cuts = server->cuts[kind];
	r = !initial && version < server->compacted[kind];
	pthread_mutex_unlock(&server->lock);
	if (r)
		return answer_text(out, 410, "application/json", "", status_gone, strlen(status_gone));
	if (out_head(out, 200, "application/json", "", -1) < 0 ||
	    (initial && send_initial(out, kind, &version) < 0))
		return -1;
	pthread_mutex_lock(&server->lock);
	for (at = 0; at < server->n_events && server->events[at].version <= version; at++)
		continue;
	server->n_watching++;
	pthread_mutex_unlock(&server->lock);
	r = watch_serve(out, kind, at, cuts, end);
	pthread_mutex_lock(&server->lock);
	server->n_watching--;
	pthread_mutex_unlock(&server->lock);
	return r;
}

/* Until the mistakes are forgiven. */
static void hold_back(struct conn *conn)
{
	struct apiserver *server = conn->server;
	unsigned int forgiven;

	pthread_mutex_lock(&server->lock);
	forgiven = server->forgiven;
	while (!server->stopped && server->forgiven == forgiven && !peer_is_gone(conn))
		apiserver_wait(server);
	pthread_mutex_unlock(&server->lock);
}

static int answer_flood(struct out *out, size_t left)
{
	static char block[65536];
	int r;

	memset(block, 'x', sizeof(block));
	r = out_head(out, 200, "application/json", "", -1);
	for (; r == 0 && left >= sizeof(block); left -= sizeof(block))
		r = out_body(out, block, sizeof(block));
	return r;
}

static int answer_fault(struct out *out, const struct apiserver_fault *fault)
{
	const char *body = fault->body ? fault->body : "";

	if (fault->flood)
		return answer_flood(out, fault->flood);
	return answer_text(out, fault->status, fault->type ? fault->type : "application/json",
			   fault->headers ? fault->headers : "", body,
			   fault->body_len ? fault->body_len : strlen(body));
}

/* Takes the first fault that matches. */
static bool fault_take(struct apiserver *server, const char *target, struct apiserver_fault *ret)
{
	for (size_t i = 0; i < server->n_faults; i++) {
		struct apiserver_fault *fault = &server->faults[i];

		if (!strstr(target, fault->match))
			continue;
		*ret = *fault;
		if (fault->times >= 0 && --fault->times <= 0) {
			memmove(fault, fault + 1, (server->n_faults - i - 1) * sizeof(*fault));
			server->n_faults--;
		}
		return true;
	}
	return false;
}

static bool is_authorised(struct apiserver *server, const char *request)
{
	char line[300];

	snprintf(line, sizeof(line), "Authorization: Bearer %s\r\n", server->token);
	return !server->token[0] || strstr(request, line);
}

int apiserver_answer(struct conn *conn, const char *request)
{
	struct apiserver *server = conn->server;
	struct out out = { .conn = conn, .left = SIZE_MAX };
	struct apiserver_fault fault = { 0 };
	char target[4096] = "";
	bool has_fault, authorised;
	int kind;

	sscanf(request, "GET %4095s ", target);
	pthread_mutex_lock(&server->lock);
	server->asked = realloc(server->asked, (server->n_asked + 1) * sizeof(*server->asked));
	server->asked[server->n_asked++] = (struct asked){ apiserver_copy(target), conn->number };
	has_fault = fault_take(server, target, &fault);
	authorised = is_authorised(server, request);
	pthread_mutex_unlock(&server->lock);
	out.bytewise = fault.bytewise;
	out.cut_clean = fault.cut_clean;
	if (fault.cut)
		out.left = fault.cut;
	if (fault.silent)
		return hold_back(conn), -1;
	if (fault.held)
		hold_back(conn);
	if (has_fault && (fault.status || fault.flood))
		return answer_fault(&out, &fault);
	if (!authorised)
		return answer_text(&out, 401, "application/json", "", status_unauthorized,
				   strlen(status_unauthorized));
	kind = apiserver_kind_of(target);
	if (kind < 0)
		return answer_text(&out, 404, "text/plain", "", "404 page not found", 18);
	return strstr(target, "watch=1") ? answer_watch(&out, kind, target) : answer_list(&out, kind, target);
}
