/* SPDX-License-Identifier: Apache-2.0 */
/* What the control*.c files share. */
#ifndef AGENT_CONTROL_ROOM_H
#define AGENT_CONTROL_ROOM_H

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "agent/connlimit.h"
#include "agent/control.h"

#define CONTROL_BODY_MAX      (64 << 10)
#define CONTROL_HEADERS_MAX   (8 << 10)
#define CONTROL_FOLLOWERS_MAX 16
#define CONTROL_BEHIND_MAX    (1 << 20) /* bytes a follower may be behind */
#define CONTROL_FLOWS_DEFAULT 1000
#define CONTROL_FLOWS_MAX     20000

/* An attachment whose request is still open. */
struct waiter {
	struct control *control;
	struct evhttp_request *request;
	char *container_id;
	char *ifname;
	bool judged;  /* a recompile has seen it */
	bool expired; /* its time is up */
	struct event *timer;
	struct waiter *next;
};

struct follower {
	struct control *control;
	struct evhttp_request *request;
	struct follower *next;
};

struct control {
	struct agent *agent;
	struct evhttp *http;
	struct evconnlistener *listener; /* the evhttp's */
	struct connlimit limit;
	struct waiter *waiters;
	struct follower *followers;
	size_t n_followers;
};

/* A request taken apart. */
struct call {
	struct control *control;
	struct agent *agent;
	struct evhttp_request *request;
	struct evkeyvalq query;
};

/* Query parameter or null. */
const char *call_query(const struct call *call, const char *key);
/* The same as a number: the default when absent, -EINVAL when out of range. */
int call_query_number(const struct call *call, const char *key, unsigned long max, unsigned long fallback,
		      unsigned long *ret);

/* Both end the request. A null json is answered with 500. */
void reply_json(struct control *control, struct evhttp_request *request, int code, const cJSON *json);
void reply_error(struct control *control, struct evhttp_request *request, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void control_attach(struct call *call);
void control_detach(struct call *call);
void waiters_free(struct control *control);
void control_ready(struct call *call);
void control_status(struct call *call);
void control_endpoints(struct call *call);
void control_policies(struct call *call);
void control_nodes(struct call *call);
void control_services(struct call *call);
void control_flows(struct call *call);
void control_explain(struct call *call);
void control_matrix(struct call *call);
void control_lint(struct call *call);
void control_drops(struct call *call);
void followers_free(struct control *control);

#endif
