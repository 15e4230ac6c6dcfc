/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET requests to the API server, over libcurl's multi interface, driven by a
 * pollset. libcurl stops in this file: others see status, bytes and an end.
 *
 * TLS 1.2 or later, peer and host verified, no redirects. A dead peer is noticed
 * by the kernel (keepalive, TCP_USER_TIMEOUT) or by silence.
 */
#ifndef KUBE_API_HTTP_H
#define KUBE_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kube/api_config.h"
#include "kube/pollset.h"

struct api_http;
struct api_call;

struct api_reply {
	int status;		/* of HTTP; 0: none came */
	int error;		/* 0: the body came to its end; negative errno otherwise */
	char what[256];		/* the error in words */
	int64_t retry_after_ms; /* -1: the server said nothing */
	int64_t date_s;		/* the server's clock, seconds since 1970; 0: it said nothing */
	int64_t cert_end_s;	/* its certificate's last second, if `certificate` asked; 0: unknown */
};

/* head and body are called in the middle of libcurl: they may not start or cancel
 * calls. done may. */
struct api_handler {
	void (*head)(int status, const char *content_type, void *data);
	int (*body)(const char *bytes, size_t len, void *data);	 /* negative: end the call */
	void (*done)(const struct api_reply *reply, void *data); /* the call is gone */
	void *data;
};

struct api_request {
	const char *target;  /* "/api/v1/pods?limit=500" */
	bool fresh;	     /* on a new connection */
	bool certificate;    /* tell until when the server's is valid */
	int64_t connect_ms;  /* name, TCP and TLS together */
	int64_t deadline_ms; /* for all of it */
	int64_t silence_ms;  /* no byte for so long ends it */
};

/* `config` and `set` outlive it. The pollset's on_fd must be api_http_on_fd. */
int api_http_new(const struct api_config *config, struct pollset *set, struct api_http **ret,
		 struct err *err);
struct api_http *api_http_free(struct api_http *http); /* ends calls without a word */
void api_http_on_fd(int fd, bool is_readable, bool is_writable, void *http);

int api_http_get(struct api_http *http, const struct api_request *request, const struct api_handler *handler,
		 struct api_call **ret_call, struct err *err);
void api_call_cancel(struct api_call *call);

#endif
