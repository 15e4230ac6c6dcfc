/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the scripted API server share; not for tests. */
#ifndef LIB_APISERVER_ROOM_H
#define LIB_APISERVER_ROOM_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "base/text.h"
#include "lib/apiserver.h"

#define APISERVER_KINDS 6
#define FAULTS_MAX	32
#define CONNS_MAX	256

struct apiserver_kind {
	const char *name, *kind, *version;
};
extern const struct apiserver_kind apiserver_kinds[APISERVER_KINDS];
/* By name, or by a target that holds the name; -1: none. */
int apiserver_kind_of(const char *name);

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
	struct item *items[APISERVER_KINDS];
	size_t n_items[APISERVER_KINDS];
	struct apiserver_crowd crowd[APISERVER_KINDS];
	struct event *events;
	size_t n_events;
	struct asked *asked;
	size_t n_asked;
	long version, compacted[APISERVER_KINDS];
	_Atomic int64_t told_ns;
	unsigned int cuts[APISERVER_KINDS];
	unsigned int forgiven;
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

/* A new string; "" for null. */
char *apiserver_copy(const char *text);
/* A line of a watch. Allocated. */
char *apiserver_event_text(const char *type, int kind, const struct item *item);
/* Waits for news, but not for long. Locked. */
void apiserver_wait(struct apiserver *server);
/* Answers one request; negative: the connection is over. */
int apiserver_answer(struct conn *conn, const char *request);
ssize_t apiserver_read(struct conn *conn, char *bytes, size_t len);

#endif
