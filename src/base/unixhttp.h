/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.0 client over a Unix socket: what the plugin and the CLI need to
 * talk to the daemon. The plugin lives milliseconds, and a full HTTP library
 * would take longer to load than the request takes; the server side is
 * libevent's.
 */
#ifndef BASE_UNIXHTTP_H
#define BASE_UNIXHTTP_H

#include <stddef.h>

#include "base/err.h"

#define UNIXHTTP_DEFAULT_SOCKET "/run/bulkhead/bulkhead.sock"

struct unixhttp_reply {
	int status; /* 200, ... */
	char *body; /* terminated; owned */
	size_t len;
};
void unixhttp_reply_done(struct unixhttp_reply *reply);

/* One request, the whole reply. `body` may be null. timeout_ms bounds the whole
 * exchange. -ECONNREFUSED or -ENOENT: no daemon; -ETIMEDOUT; -EBADMSG. */
int unixhttp_request(const char *socket_path, const char *method, const char *path, const char *body,
		     unsigned int timeout_ms, struct unixhttp_reply *ret_reply, struct err *err);

/* A streamed reply of lines (GET): calls `line` for each until it returns non-zero
 * or the server ends. -EPROTO: the server refused, and *ret_refusal is what it
 * said. */
int unixhttp_stream(const char *socket_path, const char *path, int (*line)(char *line, void *data),
		    void *data, struct unixhttp_reply *ret_refusal, struct err *err);

#endif
