// SPDX-License-Identifier: Apache-2.0
/* The stream of drops: what is remembered, then what comes. A follower that reads
 * too slowly is let go and counted; nobody else waits for it. */
#include <string.h>

#include "agent/control_room.h"
#include "base/cleanup.h"
#include "base/log.h"

static void follower_unlink(struct follower *follower)
{
	struct control *control = follower->control;
	struct follower **at = &control->followers;

	while (*at != follower)
		at = &(*at)->next;
	*at = follower->next;
	control->n_followers--;
	free(follower);
}

/* The connection goes, by the client's will or by ours. After a failure on it the
 * request has no connection any more and is ours to free. */
static void on_close(struct evhttp_connection *connection, void *data)
{
	struct follower *follower = data;
	struct evhttp_request *request = follower->request;

	(void)connection;
	follower_unlink(follower);
	if (!evhttp_request_get_connection(request))
		evhttp_request_free(request);
}

void followers_free(struct control *control)
{
	while (control->followers)
		evhttp_connection_free(evhttp_request_get_connection(control->followers->request));
}

static bool is_behind(const struct follower *follower)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(follower->request);
	struct evbuffer *output = bufferevent_get_output(evhttp_connection_get_bufferevent(connection));

	return evbuffer_get_length(output) > CONTROL_BEHIND_MAX;
}

void control_event(struct control *control, const char *line)
{
	struct evbuffer *chunk = control->followers ? evbuffer_new() : NULL;
	struct follower *next;

	for (struct follower *follower = control->followers; chunk && follower; follower = next) {
		next = follower->next;
		if (is_behind(follower)) {
			control->agent->metrics.followers_cut++;
			log_warn("a follower of drops reads too slowly; closing its connection");
			evhttp_connection_free(evhttp_request_get_connection(follower->request));
			continue;
		}
		evbuffer_add_printf(chunk, "%s\n", line);
		evhttp_send_reply_chunk(follower->request, chunk);
		evbuffer_drain(chunk, evbuffer_get_length(chunk));
	}
	if (chunk)
		evbuffer_free(chunk);
}

static void remembered(const struct drops *drops, unsigned long limit, struct evbuffer *out)
{
	for (size_t i = drops->n > limit ? drops->n - limit : 0; i < drops->n; i++)
		evbuffer_add_printf(out, "%s\n", drops_line(drops, i));
}

/* From here on the client only listens: it may take for ever to say nothing. */
static void follow(struct call *call, struct evbuffer *first)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(call->request);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);
	const struct timeval patience = { .tv_sec = 10 };
	struct follower *follower = calloc(1, sizeof(*follower));

	if (!follower)
		return reply_error(call->control, call->request, 503, "out of memory");
	*follower = (struct follower){ call->control, call->request, call->control->followers };
	call->control->followers = follower;
	call->control->n_followers++;
	evhttp_connection_set_closecb(connection, on_close, follower);
	bufferevent_setwatermark(bev, EV_READ, 0, CONTROL_HEADERS_MAX);
	bufferevent_set_timeouts(bev, NULL, &patience);
	connlimit_expect(&call->control->limit, call->request, 0);
	evhttp_send_reply_start(call->request, 200, "OK");
	evhttp_send_reply_chunk(call->request, first);
}

void control_drops(struct call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);
	struct evbuffer *first = evbuffer_new();
	const char *following = call_query(call, "follow");
	unsigned long limit;

	if (!first)
		return reply_error(call->control, call->request, 503, "out of memory");
	if (call_query_number(call, "limit", DROPS_KEPT, DROPS_KEPT, &limit) < 0) {
		reply_error(call->control, call->request, 400, "limit: must be a number up to %d",
			    DROPS_KEPT);
	} else if (following && call->control->n_followers == CONTROL_FOLLOWERS_MAX) {
		reply_error(call->control, call->request, 503, "%d others follow already",
			    CONTROL_FOLLOWERS_MAX);
	} else {
		remembered(&call->agent->drops, limit, first);
		evhttp_add_header(headers, "Content-Type", "application/x-ndjson");
		evhttp_add_header(headers, "Connection", "close");
		if (following && strcmp(following, "0") != 0) {
			follow(call, first);
		} else {
			connlimit_expect(&call->control->limit, call->request, CONNLIMIT_REPLY_MS);
			evhttp_send_reply(call->request, 200, "OK", first);
		}
	}
	evbuffer_free(first);
}
