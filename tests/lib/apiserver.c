// SPDX-License-Identifier: Apache-2.0
/* Life, connections and script of the scripted API server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/apiserver_room.h"

#define REQUEST_MAX 8192

const struct apiserver_kind apiserver_kinds[APISERVER_KINDS] = {
	{ "pods", "Pod", "v1" },
	{ "namespaces", "Namespace", "v1" },
	{ "networkpolicies", "NetworkPolicy", "networking.k8s.io/v1" },
	{ "nodes", "Node", "v1" },
	{ "services", "Service", "v1" },
	{ "endpointslices", "EndpointSlice", "discovery.k8s.io/v1" },
};
char *apiserver_copy(const char *text)
{
	char *out = strdup(text ? text : "");

	if (!out)
		abort();
	return out;
}
int apiserver_kind_of(const char *name)
{
	for (int i = 0; i < APISERVER_KINDS; i++)
		if (strstr(name, apiserver_kinds[i].name))
			return i;
	return -1;
}
void apiserver_wait(struct apiserver *server)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 10000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&server->news, &server->lock, &until);
}

static void event_add(struct apiserver *server, int kind, char *line)
{
	server->events = realloc(server->events, (server->n_events + 1) * sizeof(*server->events));
	server->events[server->n_events++] = (struct event){ server->version, kind, line };
	pthread_cond_broadcast(&server->news);
}

/* --- connections --- */

static void conn_talk(struct conn *conn)
{
	char request[REQUEST_MAX + 1];
	size_t len = 0;

	for (;;) {
		ssize_t n = apiserver_read(conn, request + len, REQUEST_MAX - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		if (apiserver_answer(conn, request) < 0)
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
		apiserver_wait(server);
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
	for (int kind = 0; kind < APISERVER_KINDS; kind++) {
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
	pthread_mutex_lock(&server->lock);
	server->n_faults = 0;
	server->forgiven++;
	pthread_cond_broadcast(&server->news);
	pthread_mutex_unlock(&server->lock);
}

void apiserver_compact(struct apiserver *server)
{
	pthread_mutex_lock(&server->lock);
	server->version++;
	for (int kind = 0; kind < APISERVER_KINDS; kind++)
		server->compacted[kind] = server->version;
	pthread_mutex_unlock(&server->lock);
}

void apiserver_end_watches(struct apiserver *server, bool clean)
{
	pthread_mutex_lock(&server->lock);
	for (int kind = 0; kind < APISERVER_KINDS; kind++)
		server->cuts[kind]++;
	server->cut_clean = clean;
	pthread_cond_broadcast(&server->news);
	pthread_mutex_unlock(&server->lock);
}

void apiserver_expire(struct apiserver *server, const char *kind_name)
{
	int kind = apiserver_kind_of(kind_name);

	pthread_mutex_lock(&server->lock);
	server->compacted[kind] = ++server->version;
	server->cuts[kind]++;
	server->cut_clean = true;
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
	int kind = apiserver_kind_of(kind_name);
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
	*item = (struct item){ apiserver_copy(namespace), apiserver_copy(name), apiserver_copy(uid),
			       apiserver_copy(labels),	  apiserver_copy(rest), ++server->version };
	if (!server->lose)
		event_add(server, kind, apiserver_event_text(is_new ? "ADDED" : "MODIFIED", kind, item));
	pthread_mutex_unlock(&server->lock);
}

void apiserver_delete(struct apiserver *server, const char *kind_name, const char *namespace,
		      const char *name)
{
	int kind = apiserver_kind_of(kind_name);
	struct item *item;

	pthread_mutex_lock(&server->lock);
	item = item_find(server, kind, namespace, name);
	if (!item)
		abort();
	item->version = ++server->version;
	if (!server->lose)
		event_add(server, kind, apiserver_event_text("DELETED", kind, item));
	item_done(item);
	*item = server->items[kind][--server->n_items[kind]];
	pthread_mutex_unlock(&server->lock);
}

void apiserver_crowd(struct apiserver *server, const char *kind, struct apiserver_crowd crowd)
{
	LOCKED(server, server->crowd[apiserver_kind_of(kind)] = crowd);
}

void apiserver_say(struct apiserver *server, const char *kind, const char *line)
{
	struct text text = { 0 };

	text_addf(&text, "%s\n", line);
	pthread_mutex_lock(&server->lock);
	server->version++;
	event_add(server, apiserver_kind_of(kind), text_take(&text));
	pthread_mutex_unlock(&server->lock);
}

void apiserver_repeat(struct apiserver *server, const char *kind_name, unsigned int back)
{
	int kind = apiserver_kind_of(kind_name);

	pthread_mutex_lock(&server->lock);
	for (size_t i = server->n_events; i-- > 0;)
		if (server->events[i].kind == kind && back-- == 0) {
			event_add(server, kind, apiserver_copy(server->events[i].line));
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

int64_t apiserver_told_ns(struct apiserver *server)
{
	return server->told_ns;
}
