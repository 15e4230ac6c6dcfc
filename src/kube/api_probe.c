// SPDX-License-Identifier: Apache-2.0
#include "kube/api_probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"

#define CONNECT_MS  5000
#define DEADLINE_MS 10000

struct probe {
	struct api_reply reply;
	bool over;
};

static void on_head(int status, const char *content_type, void *data)
{
	struct probe *probe = data;

	(void)content_type;
	probe->reply.status = status;
}

static int on_body(const char *bytes, size_t len, void *data)
{
	(void)bytes, (void)len, (void)data;
	return 0;
}

static void on_done(const struct api_reply *reply, void *data)
{
	struct probe *probe = data;

	probe->reply = *reply;
	probe->over = true;
}

static void drive(struct pollset *set, const struct probe *probe, bool is_watch)
{
	int64_t end = pollset_now_ms() + DEADLINE_MS + 1000;

	while (!probe->over && !(is_watch && probe->reply.status) && pollset_now_ms() < end) {
		struct pollfd poll_one = { .fd = set->epoll, .events = POLLIN };

		if (poll(&poll_one, 1, 200) < 0 && errno != EINTR)
			return;
		pollset_turn(set);
	}
}

DEFINE_AUTO(struct api_http, api_http_free)

int api_probe(const struct api_config *config, const char *target, struct api_reply *ret_reply,
	      struct err *err)
{
	const struct api_request request = { .target = target,
					     .fresh = true,
					     .certificate = true,
					     .connect_ms = CONNECT_MS,
					     .deadline_ms = DEADLINE_MS,
					     .silence_ms = DEADLINE_MS };
	struct probe probe = { .reply = { .error = -ETIMEDOUT, .what = "no answer" } };
	const struct api_handler handler = { on_head, on_body, on_done, &probe };
	cleanup(pollset_close) struct pollset set = POLLSET_NONE;
	cleanup(api_http_free_auto) struct api_http *http = NULL;
	struct api_call *call;
	int r = pollset_open(&set, err);

	if (r < 0 || (r = api_http_new(config, &set, &http, err)) < 0)
		return r;
	set.on_fd = api_http_on_fd;
	set.data = http;
	r = api_http_get(http, &request, &handler, &call, err);
	if (r < 0)
		return r;
	drive(&set, &probe, strstr(target, "watch=1") != NULL);
	*ret_reply = probe.reply;
	if (!probe.over && ret_reply->status)
		ret_reply->error = 0; /* a watch that was let in */
	return 0;
}
