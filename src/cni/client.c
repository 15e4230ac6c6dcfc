// SPDX-License-Identifier: Apache-2.0
#include "cni/client.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/unixhttp.h"

#define FORGET_TIMEOUT_MS 2000
#define READY_TIMEOUT_MS  2000

static void socket_path(const struct netconf *conf, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/bulkhead.sock", conf->run_dir);
}

static void reply_auto(struct unixhttp_reply *reply)
{
	unixhttp_reply_done(reply);
}
#define auto_reply cleanup(reply_auto)

/* The daemon's own words: {"error": "..."}. */
static int reply_failure(const struct unixhttp_reply *reply, int code, const char *what,
			 struct failure *failure)
{
	auto_json cJSON *json = NULL;
	const char *text = NULL;

	if (json_parse(reply->body, reply->len, &json, NULL) == 0)
		(void)json_get_string(json, "error", &text, NULL);
	failure_set(failure, code, "%s", what);
	snprintf(failure->details, sizeof(failure->details), "%s (HTTP %d)", text ?: "no reason given",
		 reply->status);
	return -1;
}

int client_announce(const struct netconf *conf, const struct attachment *attachment, struct failure *failure)
{
	auto_reply struct unixhttp_reply reply = { 0 };
	auto_json cJSON *json = attachment_json(attachment);
	auto_free char *body = json ? cJSON_PrintUnformatted(json) : NULL;
	char path[PATH_MAX];
	struct err err = { 0 };

	if (!body)
		return failure_set(failure, CODE_TRY_LATER, "out of memory");
	socket_path(conf, path);
	if (unixhttp_request(path, "POST", "/v1/attachments", body, conf->daemon_timeout_ms, &reply, &err) <
	    0)
		return failure_from(failure, CODE_TRY_LATER, &err, "the Bulkhead daemon does not answer");
	if (reply.status == 200)
		return 0;
	if (reply.status >= 500)
		return reply_failure(&reply, CODE_TRY_LATER, "the Bulkhead daemon is not ready for this pod",
				     failure);
	return reply_failure(&reply, CODE_DAEMON, "the Bulkhead daemon refuses this pod", failure);
}

/* Container ids and interface names of ours need no escaping but '%', '&', '+'
 * and '#'. */
static void query_escape(const char *in, char *out, size_t size)
{
	size_t at = 0;

	for (; *in && at + 4 < size; in++) {
		if (*in == '%' || *in == '&' || *in == '+' || *in == '#' || *in == '=' || *in == '?')
			at += (size_t)snprintf(out + at, size - at, "%%%02x", (unsigned char)*in);
		else
			out[at++] = *in;
	}
	out[at] = '\0';
}

void client_forget(const struct netconf *conf, const char *container_id, const char *ifname)
{
	auto_reply struct unixhttp_reply reply = { 0 };
	char path[PATH_MAX], query[CNI_ID_MAX + 128], escaped[4 * IF_NAMESIZE];
	struct err err = { 0 };

	socket_path(conf, path);
	query_escape(ifname, escaped, sizeof(escaped));
	snprintf(query, sizeof(query), "/v1/attachments?containerID=%s&ifname=%s", container_id, escaped);
	if (unixhttp_request(path, "DELETE", query, NULL, FORGET_TIMEOUT_MS, &reply, &err) < 0)
		log_debug("daemon not told, its sweep will find out: container=%s reason=\"%s\"",
			  container_id, err.msg);
}

int client_ready(const struct netconf *conf, struct failure *failure)
{
	auto_reply struct unixhttp_reply reply = { 0 };
	char path[PATH_MAX];
	struct err err = { 0 };

	socket_path(conf, path);
	if (unixhttp_request(path, "GET", "/v1/ready", NULL, READY_TIMEOUT_MS, &reply, &err) < 0) {
		failure_from(failure, CODE_NOT_AVAILABLE, &err, "the Bulkhead daemon does not answer");
		failure->code = CODE_NOT_AVAILABLE;
		return -1;
	}
	if (reply.status == 200)
		return 0;
	return reply_failure(&reply, CODE_NOT_AVAILABLE, "the Bulkhead daemon is not ready", failure);
}
