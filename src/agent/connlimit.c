// SPDX-License-Identifier: Apache-2.0
#include "agent/connlimit.h"

#include <errno.h>

#include "agent/stamp.h"

static void release(struct connlimit *limit, size_t i)
{
	bufferevent_decref(limit->conn[i].bev);
	limit->conn[i] = limit->conn[--limit->n];
}

static bool is_abandoned(struct bufferevent *bev)
{
	bufferevent_event_cb event = NULL;

	bufferevent_getcb(bev, NULL, NULL, &event, NULL);
	return !event;
}

static void collect(struct connlimit *limit)
{
	for (size_t i = 0; i < limit->n;)
		if (is_abandoned(limit->conn[i].bev))
			release(limit, i);
		else
			i++;
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct connlimit *limit = data;
	int64_t now = stamp_now_ms();

	(void)fd, (void)what;
	for (size_t i = 0; i < limit->n; i++)
		if (limit->conn[i].deadline_ms && limit->conn[i].deadline_ms < now) {
			limit->conn[i].deadline_ms = 0;
			bufferevent_trigger_event(limit->conn[i].bev, BEV_EVENT_TIMEOUT | BEV_EVENT_READING,
						  0);
		}
	collect(limit);
	if (limit->n < CONNLIMIT_MAX)
		evconnlistener_enable(limit->listener);
}

static struct bufferevent *connection_new(struct event_base *base, void *data)
{
	struct connlimit *limit = data;
	struct bufferevent *bev;

	collect(limit);
	bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!bev || limit->n == CONNLIMIT_MAX)
		return bev; /* null lets evhttp make its own; the listener is off when full */
	bufferevent_incref(bev);
	limit->conn[limit->n].bev = bev;
	limit->conn[limit->n++].deadline_ms = stamp_now_ms() + CONNLIMIT_REQUEST_MS;
	if (limit->n == CONNLIMIT_MAX)
		evconnlistener_disable(limit->listener);
	return bev;
}

int connlimit_init(struct connlimit *limit, struct event_base *base, struct evhttp *http,
		   struct evconnlistener *listener, struct err *err)
{
	const struct timeval often = { .tv_usec = 500000 };

	*limit = (struct connlimit){ .base = base, .listener = listener };
	limit->tick = event_new(base, -1, EV_PERSIST, on_tick, limit);
	if (!limit->tick || event_add(limit->tick, &often) < 0)
		return err_set(err, ENOMEM, "connection limit: out of memory");
	evhttp_set_bevcb(http, connection_new, limit);
	return 0;
}

void connlimit_stop(struct connlimit *limit)
{
	if (limit->tick)
		event_free(limit->tick);
	limit->tick = NULL;
}

void connlimit_done(struct connlimit *limit)
{
	while (limit->n)
		release(limit, limit->n - 1);
}

void connlimit_expect(struct connlimit *limit, struct evhttp_request *request, int64_t ms)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct bufferevent *bev = connection ? evhttp_connection_get_bufferevent(connection) : NULL;

	for (size_t i = 0; i < limit->n; i++)
		if (limit->conn[i].bev == bev)
			limit->conn[i].deadline_ms = ms ? stamp_now_ms() + ms : 0;
}
