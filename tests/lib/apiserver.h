/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted Kubernetes API server on a loopback port of its own, in threads of
 * the test. It keeps pods, namespaces and network policies, lists them in pages,
 * streams their changes, and makes every mistake it is told to make. Versions look
 * like "v7x": whoever compares them as numbers fails.
 */
#ifndef LIB_APISERVER_H
#define LIB_APISERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct apiserver;

/* How it treats sendInitialEvents. */
enum apiserver_streaming { APISERVER_REFUSES, APISERVER_IGNORES, APISERVER_STREAMS };

/* A mistake, made in answer to requests whose target contains `match`. */
struct apiserver_fault {
	const char *match;
	int times;	     /* 0: once, negative: always */
	int status;	     /* 0: the usual answer, with what follows done to it */
	const char *headers; /* further ones, each with its \r\n */
	const char *type;    /* application/json */
	const char *body;
	size_t body_len; /* 0: strlen(body) */
	bool silent;	 /* never answers; forgiven, it hangs up */
	bool held;	 /* answers when it is forgiven, as if nothing had been */
	bool bytewise;	 /* one byte at a time */
	size_t cut;	 /* the connection breaks after so many bytes of the body; 0: never */
	bool cut_clean;	 /* it ends there as if that were all */
	size_t flood;	 /* a line of so many bytes instead */
};

/* Null cert: plain HTTP. Files are PEM. */
struct apiserver *apiserver_new(const char *cert, const char *key);
void apiserver_free(struct apiserver *server);
int apiserver_port(const struct apiserver *server);
/* Closes the port and every connection; opens the same port again. */
void apiserver_stop(struct apiserver *server);
void apiserver_start(struct apiserver *server);
void apiserver_certificate(struct apiserver *server, const char *cert, const char *key);

/* Clients must show a certificate of this authority. */
void apiserver_want_client(struct apiserver *server, const char *ca);

void apiserver_streaming(struct apiserver *server, enum apiserver_streaming streaming);
void apiserver_bookmarks(struct apiserver *server, bool on);
void apiserver_token(struct apiserver *server, const char *token); /* required; null: none */
void apiserver_fault(struct apiserver *server, struct apiserver_fault fault);
void apiserver_forgive(struct apiserver *server); /* no more mistakes */

/* kind is "pods", "namespaces", "networkpolicies" or "nodes"; labels and rest are members as
 * JSON text ("\"app\":\"web\"", "\"spec\":{}"), or null. */
void apiserver_put(struct apiserver *server, const char *kind, const char *namespace, const char *name,
		   const char *uid, const char *labels, const char *rest);
void apiserver_delete(struct apiserver *server, const char *kind, const char *namespace, const char *name);
/* The same, but the watches are not told. */
void apiserver_lose(struct apiserver *server, bool lose);
/* `n` further objects of a kind, written whenever they are listed and never held:
 * `write` appends the i-th at that version. Before anyone lists. */
struct apiserver_crowd {
	size_t n;
	void (*write)(struct text *out, size_t i, long version, bool with_kind);
};
void apiserver_crowd(struct apiserver *server, const char *kind, struct apiserver_crowd crowd);
/* A line of text to the watches of a kind, as it stands. */
void apiserver_say(struct apiserver *server, const char *kind, const char *line);
/* The event that was last sent for the kind, once more. */
void apiserver_repeat(struct apiserver *server, const char *kind, unsigned int back);
/* Watches end now. */
void apiserver_end_watches(struct apiserver *server, bool clean);
/* Watches of a kind end now, and only a list helps: their versions answer 410. */
void apiserver_expire(struct apiserver *server, const char *kind);
/* Watches from versions before now answer 410. */
void apiserver_compact(struct apiserver *server);

/* Requests so far whose target contains `match`. */
unsigned int apiserver_count(struct apiserver *server, const char *match);
/* The target of the last one of them, into `out`; its connection's number, or -1. */
int apiserver_last(struct apiserver *server, const char *match, char *out, size_t out_size);
/* Monotonic time at which lines last went to a watch's socket. */
int64_t apiserver_told_ns(struct apiserver *server);
/* Watches that are open now. */
unsigned int apiserver_watching(struct apiserver *server);

#endif
