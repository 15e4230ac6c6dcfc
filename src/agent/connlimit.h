/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What evhttp lacks before 2.2: a limit on connections and a deadline for a whole
 * request (its own timeouts start anew with every byte). THREATS F30.
 *
 * evhttp lets us make each connection's bufferevent. We keep a second reference
 * to it, so the table of them is the count: when evhttp has let go of one (its
 * callbacks are gone) the slot is freed. A full table stops accepting; what
 * waits in the backlog is served as others leave.
 */
#ifndef AGENT_CONNLIMIT_H
#define AGENT_CONNLIMIT_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CONNLIMIT_MAX	     64
#define CONNLIMIT_REQUEST_MS 5000  /* for the whole request to arrive */
#define CONNLIMIT_REPLY_MS   30000 /* for the whole reply to leave */

struct connlimit {
	struct {
		struct bufferevent *bev;
		int64_t deadline_ms; /* 0: none */
	} conn[CONNLIMIT_MAX];
	size_t n;
	struct event_base *base;
	struct evconnlistener *listener; /* not ours */
	struct event *tick;
};

/* Puts the limit between a listener and the server it is bound to. */
int connlimit_init(struct connlimit *limit, struct event_base *base, struct evhttp *http,
		   struct evconnlistener *listener, struct err *err);
/* Before the evhttp is freed. */
void connlimit_stop(struct connlimit *limit);
/* After the evhttp is freed. */
void connlimit_done(struct connlimit *limit);

/* The request is read whole; from now on its connection has this long (0: as long
 * as it takes). */
void connlimit_expect(struct connlimit *limit, struct evhttp_request *request, int64_t ms);

#endif
