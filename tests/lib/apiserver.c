// SPDX-License-Identifier: Apache-2.0
#include "lib/apiserver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define KINDS	    4
#define REQUEST_MAX 8192
#define FAULTS_MAX  32
#define CONNS_MAX   256

static const struct {
	const char *name, *kind, *version;
} kinds[KINDS] = {
	{ "pods", "Pod", "v1" },
	{ "namespaces", "Namespace", "v1" },
	{ "networkpolicies", "NetworkPolicy", "networking.k8s.io/v1" },
	{ "nodes", "Node", "v1" },
};

struct item {
	char *namespace, *name, *uid, *labels, *rest;
	long version;
};

struct event {
	long version;
	int kind;
	char *line;
};

struct asked {
	char *target;
	int conn;
};

struct apiserver {
	pthread_mutex_t lock;
	pthread_cond_t news;
	pthread_t acceptor;
	SSL_CTX *tls;
	int fd, port;
	bool stopped;
	int conns[CONNS_MAX]; /* descriptors, -1: free */
	unsigned int n_threads, n_watching;
	int n_conns;
	struct item *items[KINDS];
	size_t n_items[KINDS];
	struct event *events;
	size_t n_events;
	struct asked *asked;
	size_t n_asked;
	long version, compacted;
	unsigned int cuts;
	bool cut_clean, bookmarks, lose;
	enum apiserver_streaming streaming;
	char token[256];
	struct apiserver_fault faults[FAULTS_MAX];
	size_t n_faults;
};

struct conn {
	struct apiserver *server;
	SSL *ssl;
	int fd, number;
};

/* One answer. */
struct out {
	struct conn *conn;
	bool chunked, bytewise, cut_clean;
	size_t left; /* bytes of body until the cut */
};

static char *copy(const char *text)
{
	char *out = strdup(text ? text : "");

	if (!out)
		abort();
	return out;
}

static int kind_of(const char *name)
{
	for (int i = 0; i < KINDS; i++)
		if (strstr(name, kinds[i].name))
			return i;
	return -1;
}

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

static ssize_t conn_read(struct conn *conn, char *bytes, size_t len)
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
		text_addf(text, "\"kind\":\"%s\",\"apiVersion\":\"%s\",", kinds[kind].kind,
			  kinds[kind].version);
	text_addf(text, "\"metadata\":{\"name\":\"%s\"", item->name);
	if (item->namespace[0])
		text_addf(text, ",\"namespace\":\"%s\"", item->namespace);
	text_addf(text, ",\"uid\":\"%s\",\"resourceVersion\":\"v%ldx\",\"labels\":{%s}}%s%s}", item->uid,
		  item->version, item->labels, item->rest[0] ? "," : "", item->rest);
}

static char *event_text(const char *type, int kind, const struct item *item)
{
	struct text text = { 0 };

	text_addf(&text, "{\"type\":\"%s\",\"object\":", type);
	object_text(&text, kind, item, true);
	text_addf(&text, "}\n");
	return text_take(&text);
}

static void event_add(struct apiserver *server, int kind, char *line)
{
	server->events = realloc(server->events, (server->n_events + 1) * sizeof(*server->events));
	server->events[server->n_events++] = (struct event){ server->version, kind, line };
	pthread_cond_broadcast(&server->news);
}

static char *bookmark_text(int kind, long version, bool is_end)
{
	struct text text = { 0 };

	text_addf(&text,
		  "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
		  "\"resourceVersion\":\"v%ldx\"%s}}}\n",
		  kinds[kind].kind, kinds[kind].version, version,
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

static int answer_list(struct out *out, int kind, const char *target)
{
	struct apiserver *server = out->conn->server;
	size_t limit = number_of(target, "limit=", 0), first = number_of(target, "continue=at-", 0);
	struct text text = { 0 };
	size_t last;
	int r;

	pthread_mutex_lock(&server->lock);
	last = limit && first + limit < server->n_items[kind] ? first + limit : server->n_items[kind];
	text_addf(&text,
		  "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"v%ldx\"",
		  kinds[kind].kind, kinds[kind].version, server->version);
	if (last < server->n_items[kind])
		text_addf(&text, ",\"continue\":\"at-%zu\"", last);
	text_addf(&text, "},\"items\":[");
	for (size_t i = first; i < last; i++) {
		if (i > first)
			text_addf(&text, ",");
		object_text(&text, kind, &server->items[kind][i], false);
	}
	text_addf(&text, "]}\n");
	pthread_mutex_unlock(&server->lock);
	r = answer_text(out, 200, "application/json", "", text.data, text.len);
	text_done(&text);
	return r;
}

static int send_initial(struct out *out, int kind, long *version)
{
	struct apiserver *server = out->conn->server;
	struct text text = { 0 };
	char *line;
	int r;

	pthread_mutex_lock(&server->lock);
	*version = server->version;
	for (size_t i = 0; i < server->n_items[kind]; i++) {
		line = event_text("ADDED", kind, &server->items[kind][i]);
		text_add(&text, line, strlen(line));
		free(line);
	}
	pthread_mutex_unlock(&server->lock);
	if (server->streaming == APISERVER_STREAMS) {
		line = bookmark_text(kind, *version, true);
		text_add(&text, line, strlen(line));
		free(line);
	}
	r = text.len ? out_body(out, text.data, text.len) : 0;
	text_done(&text);
	return r;
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

static void wait_a_moment(struct apiserver *server)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 10000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&server->news, &server->lock, &until);
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
		if (!lines && !server->stopped && cuts == server->cuts)
			wait_a_moment(server);
		if (!lines && server->bookmarks)
			lines = bookmark_text(kind, server->version, false);
		version = server->cuts != cuts || server->stopped;
		pthread_mutex_unlock(&server->lock);
		if (lines)
			r = out_body(out, lines, strlen(lines));
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
	cuts = server->cuts;
	r = !initial && version < server->compacted;
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

static void stay_silent(struct conn *conn)
{
	struct apiserver *server = conn->server;

	pthread_mutex_lock(&server->lock);
	while (!server->stopped && !peer_is_gone(conn))
		wait_a_moment(server);
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

static int answer(struct conn *conn, const char *request)
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
	server->asked[server->n_asked++] = (struct asked){ copy(target), conn->number };
	has_fault = fault_take(server, target, &fault);
	authorised = is_authorised(server, request);
	pthread_mutex_unlock(&server->lock);
	out.bytewise = fault.bytewise;
	out.cut_clean = fault.cut_clean;
	if (fault.cut)
		out.left = fault.cut;
	if (fault.silent)
		return stay_silent(conn), -1;
	if (has_fault && (fault.status || fault.flood))
		return answer_fault(&out, &fault);
	if (!authorised)
		return answer_text(&out, 401, "application/json", "", status_unauthorized,
				   strlen(status_unauthorized));
	kind = kind_of(target);
	if (kind < 0)
		return answer_text(&out, 404, "text/plain", "", "404 page not found", 18);
	return strstr(target, "watch=1") ? answer_watch(&out, kind, target) : answer_list(&out, kind, target);
}

/* --- connections --- */

static void conn_talk(struct conn *conn)
{
	char request[REQUEST_MAX + 1];
	size_t len = 0;

	for (;;) {
		ssize_t n = conn_read(conn, request + len, REQUEST_MAX - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		if (answer(conn, request) < 0)
			return;
		len = 0;
	}
}

static void *conn_run(void *data)
{
	struct conn *conn = data;
	struct apiserver *server = conn->server;
	bool ok = true;

	if (conn->ssl) {
		SSL_set_fd(conn->ssl, conn->fd);
		ok = SSL_accept(conn->ssl) == 1;
	}
	if (ok)
		conn_talk(conn);
	SSL_free(conn->ssl);
	pthread_mutex_lock(&server->lock);
	for (int i = 0; i < CONNS_MAX; i++)
		if (server->conns[i] == conn->fd)
			server->conns[i] = -1;
	close(conn->fd);
	server->n_threads--;
	pthread_cond_broadcast(&server->news);
	pthread_mutex_unlock(&server->lock);
	free(conn);
	return NULL;
}

/* Locked. */
static void conn_open(struct apiserver *server, int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	const int on = 1;
	pthread_t thread;
	int i = 0;

	while (i < CONNS_MAX && server->conns[i] >= 0)
		i++;
	if (!conn || i == CONNS_MAX || server->stopped) {
		free(conn);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*conn = (struct conn){ server, server->tls ? SSL_new(server->tls) : NULL, fd, server->n_conns++ };
	server->conns[i] = fd;
	server->n_threads++;
	pthread_create(&thread, NULL, conn_run, conn);
	pthread_detach(thread);
}

static void *accept_run(void *data)
{
	struct apiserver *server = data;

	for (;;) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&server->lock);
		conn_open(server, fd);
		pthread_mutex_unlock(&server->lock);
	}
}

/* --- life --- */

void apiserver_start(struct apiserver *server)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	const int on = 1;

	addr.sin_port = htons((uint16_t)server->port);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(server->fd, 64) < 0 ||
	    getsockname(server->fd, (struct sockaddr *)&addr, &len) < 0)
		abort();
	server->port = ntohs(addr.sin_port);
	server->stopped = false;
	pthread_create(&server->acceptor, NULL, accept_run, server);
}

void apiserver_stop(struct apiserver *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopped = true;
	pthread_mutex_unlock(&server->lock);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->fd);
	pthread_mutex_lock(&server->lock);
	for (int i = 0; i < CONNS_MAX; i++)
		if (server->conns[i] >= 0)
			shutdown(server->conns[i], SHUT_RDWR);
	while (server->n_threads)
		wait_a_moment(server);
	pthread_mutex_unlock(&server->lock);
}

void apiserver_certificate(struct apiserver *server, const char *cert, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (!tls || SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		abort();
	pthread_mutex_lock(&server->lock);
	SSL_CTX_free(server->tls);
	server->tls = tls;
	pthread_mutex_unlock(&server->lock);
}

void apiserver_want_client(struct apiserver *server, const char *ca)
{
	pthread_mutex_lock(&server->lock);
	if (SSL_CTX_load_verify_locations(server->tls, ca, NULL) != 1)
		abort();
	SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	pthread_mutex_unlock(&server->lock);
}

struct apiserver *apiserver_new(const char *cert, const char *key)
{
	struct apiserver *server = calloc(1, sizeof(*server));

	if (!server)
		abort();
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->news, NULL);
	server->version = 10;
	for (int i = 0; i < CONNS_MAX; i++)
		server->conns[i] = -1;
	if (cert)
		apiserver_certificate(server, cert, key);
	apiserver_start(server);
	return server;
}

static void item_done(struct item *item)
{
	free(item->namespace);
	free(item->name);
	free(item->uid);
	free(item->labels);
	free(item->rest);
}

void apiserver_free(struct apiserver *server)
{
	if (!server->stopped)
		apiserver_stop(server);
	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < server->n_items[kind]; i++)
			item_done(&server->items[kind][i]);
		free(server->items[kind]);
	}
	for (size_t i = 0; i < server->n_events; i++)
		free(server->events[i].line);
	for (size_t i = 0; i < server->n_asked; i++)
		free(server->asked[i].target);
	free(server->events);
	free(server->asked);
	SSL_CTX_free(server->tls);
	free(server);
}

int apiserver_port(const struct apiserver *server)
{
	return server->port;
}

/* --- the script --- */

#define LOCKED(server, what)                                                                                 \
	do {                                                                                                 \
		pthread_mutex_lock(&(server)->lock);                                                         \
		what;                                                                                        \
		pthread_mutex_unlock(&(server)->lock);                                                       \
	} while (0)

void apiserver_streaming(struct apiserver *server, enum apiserver_streaming streaming)
{
	LOCKED(server, server->streaming = streaming);
}

void apiserver_bookmarks(struct apiserver *server, bool on)
{
	LOCKED(server, server->bookmarks = on);
}

void apiserver_lose(struct apiserver *server, bool lose)
{
	LOCKED(server, server->lose = lose);
}

void apiserver_token(struct apiserver *server, const char *token)
{
	LOCKED(server, snprintf(server->token, sizeof(server->token), "%s", token ? token : ""));
}

void apiserver_fault(struct apiserver *server, struct apiserver_fault fault)
{
	LOCKED(server, server->faults[server->n_faults++] = fault);
}

void apiserver_forgive(struct apiserver *server)
{
	LOCKED(server, server->n_faults = 0);
}

void apiserver_compact(struct apiserver *server)
{
	LOCKED(server, server->compacted = ++server->version);
}

void apiserver_end_watches(struct apiserver *server, bool clean)
{
	pthread_mutex_lock(&server->lock);
	server->cuts++;
	server->cut_clean = clean;
	pthread_cond_broadcast(&server->news);
	pthread_mutex_unlock(&server->lock);
}

static struct item *item_find(struct apiserver *server, int kind, const char *namespace, const char *name)
{
	for (size_t i = 0; i < server->n_items[kind]; i++) {
		struct item *item = &server->items[kind][i];

		if (strcmp(item->namespace, namespace) == 0 && strcmp(item->name, name) == 0)
			return item;
	}
	return NULL;
}

void apiserver_put(struct apiserver *server, const char *kind_name, const char *namespace, const char *name,
		   const char *uid, const char *labels, const char *rest)
{
	int kind = kind_of(kind_name);
	struct item *item;
	bool is_new;

	pthread_mutex_lock(&server->lock);
	item = item_find(server, kind, namespace, name);
	is_new = !item;
	if (item) {
		item_done(item);
	} else {
		server->items[kind] =
			realloc(server->items[kind], (server->n_items[kind] + 1) * sizeof(*item));
		item = &server->items[kind][server->n_items[kind]++];
	}
	*item = (struct item){ copy(namespace), copy(name), copy(uid),
			       copy(labels),	copy(rest), ++server->version };
	if (!server->lose)
		event_add(server, kind, event_text(is_new ? "ADDED" : "MODIFIED", kind, item));
	pthread_mutex_unlock(&server->lock);
}

void apiserver_delete(struct apiserver *server, const char *kind_name, const char *namespace,
		      const char *name)
{
	int kind = kind_of(kind_name);
	struct item *item;

	pthread_mutex_lock(&server->lock);
	item = item_find(server, kind, namespace, name);
	if (!item)
		abort();
	item->version = ++server->version;
	if (!server->lose)
		event_add(server, kind, event_text("DELETED", kind, item));
	item_done(item);
	*item = server->items[kind][--server->n_items[kind]];
	pthread_mutex_unlock(&server->lock);
}

void apiserver_say(struct apiserver *server, const char *kind, const char *line)
{
	struct text text = { 0 };

	text_addf(&text, "%s\n", line);
	pthread_mutex_lock(&server->lock);
	server->version++;
	event_add(server, kind_of(kind), text_take(&text));
	pthread_mutex_unlock(&server->lock);
}

void apiserver_repeat(struct apiserver *server, const char *kind_name, unsigned int back)
{
	int kind = kind_of(kind_name);

	pthread_mutex_lock(&server->lock);
	for (size_t i = server->n_events; i-- > 0;)
		if (server->events[i].kind == kind && back-- == 0) {
			event_add(server, kind, copy(server->events[i].line));
			break;
		}
	pthread_mutex_unlock(&server->lock);
}

unsigned int apiserver_count(struct apiserver *server, const char *match)
{
	unsigned int n = 0;

	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->n_asked; i++)
		n += strstr(server->asked[i].target, match) != NULL;
	pthread_mutex_unlock(&server->lock);
	return n;
}

int apiserver_last(struct apiserver *server, const char *match, char *out, size_t out_size)
{
	int conn = -1;

	out[0] = '\0';
	pthread_mutex_lock(&server->lock);
	for (size_t i = server->n_asked; i-- > 0 && conn < 0;)
		if (strstr(server->asked[i].target, match)) {
			snprintf(out, out_size, "%s", server->asked[i].target);
			conn = server->asked[i].conn;
		}
	pthread_mutex_unlock(&server->lock);
	return conn;
}

unsigned int apiserver_watching(struct apiserver *server)
{
	unsigned int n;

	LOCKED(server, n = server->n_watching);
	return n;
}
