// SPDX-License-Identifier: Apache-2.0
/* Which request comes when. What the answers say is in watch_event.c. */
#include "kube/watch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define PAGE_OBJECTS 500
#define ANSWER_MAX   (64u << 10)
/* Lists that lost their continue token: in pages, in pages again, then whole. */
#define EXPIRED_UNPAGED 2
#define EXPIRED_MAX	3

const struct watch_timing watch_timing_default = {
	.backoff_first = 800,
	.backoff_last = 30000,
	.healthy = 120000,
	.connect = 10000,
	.list_deadline = 300000,
	.silence = 90000,
	.initial_silence = 5000,
	.brief = 1000,
	.server_errors = 60000,
	.retry_after_max = 60000,
	.relist = 600000,
	.refresh = 60000,
	.timeout_min_s = 300,
	.timeout_max_s = 600,
	.timeout_slack = 30000,
};

static void list_begin(struct watch *watch);
static void page_begin(struct watch *watch);
static void watch_begin(struct watch *watch);

const char *watch_state_name(enum watch_state state)
{
	static const char *const names[] = { "cold", "listing", "listing", "watching", "waiting" };

	return names[state];
}

/* --- words --- */

void watch_report(const struct watch *watch, bool is_error, const char *fmt, ...)
{
	auto_text struct text line = { 0 };
	char words[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	text_addf(&line, "%s: %s", watch->kind->name, words);
	if (!line.failed)
		watch->env->report(is_error, line.data, watch->env->data);
}

size_t watch_lasting(const struct watch *watch)
{
	return watch->counts.refused + watch->live.n_faulty;
}

void watch_is_well(struct watch *watch)
{
	size_t lasting = watch_lasting(watch);

	backoff_healthy(&watch->backoff, pollset_now_ms());
	watch->errors_since_ms = 0;
	if (!watch->is_degraded || (lasting && lasting == watch->n_lasting))
		return;
	watch->n_lasting = lasting;
	watch->is_degraded = lasting;
	if (lasting)
		return (void)snprintf(watch->why, sizeof(watch->why),
				      "%zu objects are refused or not read wholly; the log names them", lasting);
	watch_report(watch, false, "recovered, %zu objects", watch->live.n);
}

void watch_degrade(struct watch *watch, const char *why, int64_t wait_ms)
{
	watch->counts.troubles++;
	watch->n_lasting = 0;
	if (watch->is_degraded && strcmp(watch->why, why) == 0)
		return; /* said already */
	if (!watch->is_degraded)
		watch->degraded_since = time(NULL);
	watch->is_degraded = true;
	snprintf(watch->why, sizeof(watch->why), "%s", why);
	if (wait_ms < 0)
		watch_report(watch, true, "%s; keeping the %zu objects known", why, watch->live.n);
	else
		watch_report(watch, true, "%s; keeping the %zu objects known, retrying in %lld ms", why,
			     watch->live.n, (long long)wait_ms);
}

int watch_judge(struct watch *watch, enum watch_next next, bool is_trouble, int64_t wait_ms, const char *fmt,
		...)
{
	struct watch_verdict *verdict = &watch->verdict;
	va_list args;

	va_start(args, fmt);
	vsnprintf(verdict->why, sizeof(verdict->why), fmt, args);
	va_end(args);
	verdict->next = next;
	verdict->is_trouble = is_trouble;
	verdict->wait_ms = wait_ms;
	return -ECANCELED;
}

/* --- waiting --- */

static void call_reset(struct watch *watch)
{
	watch->counts.partial_lines += line_reset(&watch->line) > 0;
	list_cut_reset(&watch->cut);
	text_done(&watch->answer);
	pollset_timer_stop(watch->env->set, &watch->settle);
	watch->status = 0;
	watch->verdict = (struct watch_verdict){ 0 };
}

static void wait_then(struct watch *watch, enum watch_next next, int64_t ms)
{
	call_reset(watch);
	objects_clear(&watch->shadow);
	free(watch->token);
	watch->token = NULL;
	if (next == WATCH_NEXT_LIST)
		watch->version[0] = '\0';
	watch->next = watch->version[0] ? WATCH_NEXT_WATCH : WATCH_NEXT_LIST;
	watch->state = WATCH_WAITING;
	pollset_timer_set(watch->env->set, &watch->timer, ms);
}

/* What the server told us to wait, else the backoff. */
static int64_t wait_of(struct watch *watch, int64_t told_ms)
{
	int64_t limit = watch->env->timing.retry_after_max;
	int64_t own = backoff_next_ms(&watch->backoff, pollset_now_ms(), random32());

	if (told_ms <= 0)
		return own;
	/* Never before it said, and not all nodes at the same moment. */
	return (told_ms < limit ? told_ms : limit) + own % (watch->env->timing.backoff_first + 1);
}

static void trouble(struct watch *watch, enum watch_next next, int64_t told_ms, const char *why)
{
	int64_t wait = wait_of(watch, told_ms);

	watch_degrade(watch, why, wait);
	if (watch->state == WATCH_STREAMING && watch->status == 200)
		watch->plain_once = true;
	watch->confirming = false;
	wait_then(watch, next, wait);
}

/* The server itself is in trouble: the other watches leave it alone too. */
static void server_trouble(struct watch *watch, enum watch_next next, int64_t told_ms, const char *why)
{
	int64_t now = pollset_now_ms();
	int64_t closed = breaker_failed(&watch->env->breaker, now, random32());

	if (told_ms > closed)
		watch->env->breaker.closed_until = now + (told_ms < watch->env->timing.retry_after_max
								  ? told_ms
								  : watch->env->timing.retry_after_max);
	trouble(watch, next, told_ms, why);
}

static void on_initial_silence(struct watch *watch)
{
	int64_t limit = watch->env->timing.initial_silence;
	int64_t left = watch->progress_ms + limit - pollset_now_ms();

	/* Without a head yet, it is slow and has ignored nothing: the call's own time ends it. */
	if (left > 0 || watch->status == 0) {
		pollset_timer_set(watch->env->set, &watch->timer, left > 0 ? left : limit);
		return;
	}
	/* A server that knows no streaming list may ignore the request for one, and
	 * then the end of the initial events never comes. */
	api_call_cancel(TAKE(watch->call));
	watch->no_streaming = true;
	watch_report(watch, false, "no streaming list within %lld ms; listing in pages", (long long)limit);
	wait_then(watch, WATCH_NEXT_LIST, 0);
}

static void on_timer(void *data)
{
	struct watch *watch = data;
	int64_t wait;

	if (watch->state == WATCH_STREAMING)
		return on_initial_silence(watch);
	if (watch->state != WATCH_WAITING)
		return;
	wait = breaker_wait_ms(&watch->env->breaker, pollset_now_ms(), watch->env->timing.connect);
	if (wait > 0)
		pollset_timer_set(watch->env->set, &watch->timer, wait);
	else if (watch->next == WATCH_NEXT_WATCH)
		watch_begin(watch);
	else
		list_begin(watch);
}

static void on_settled(void *data)
{
	struct watch *watch = data;

	if (watch->state == WATCH_WATCHING)
		watch_is_well(watch);
}

/* --- the shadow is whole --- */

int watch_commit(struct watch *watch, const char *version)
{
	bool first = !watch->synced;
	int changed;

	if (objects_count(&watch->shadow) == 0 && watch->live.n > 0 && !watch->confirming) {
		watch_report(watch, true, "suddenly empty; keeping the %zu objects known until a second list says so",
			     watch->live.n);
		watch->confirming = true;
		return 1;
	}
	changed = objects_commit(&watch->shadow, watch->env->feed);
	if (changed < 0)
		return changed;
	watch->counts.refused = 0;
	watch->n_lasting = watch_lasting(watch); /* the last of them was said while it came in */
	snprintf(watch->version, sizeof(watch->version), "%s", version);
	watch->state = WATCH_WATCHING;
	watch->synced = true;
	watch->confirming = watch->plain_once = false;
	watch->expired = 0;
	watch->listed_ms = pollset_now_ms();
	pollset_timer_stop(watch->env->set, &watch->timer);
	if (changed || first)
		watch->env->changed(watch->env->data);
	if (first)
		watch_report(watch, false, "synced, %zu objects", watch->live.n);
	return 0;
}

static void page_done(struct watch *watch)
{
	cleanup(list_page_done) struct list_page page = { 0 };
	struct err err = { 0 };
	char why[300];
	int r = list_cut_end(&watch->cut, watch->kind->list_kind, watch->kind->api_version, &page, &err);

	if (r == 0 && page.continue_token && watch->token && strcmp(page.continue_token, watch->token) == 0)
		r = err_set(&err, EBADMSG, "metadata.continue: the same page again");
	if (r < 0) {
		snprintf(why, sizeof(why), "list: %.280s", err.msg);
		return trouble(watch, WATCH_NEXT_LIST, -1, why);
	}
	if (!watch->token)
		memcpy(watch->list_version, page.version, sizeof(watch->list_version));
	call_reset(watch);
	free(watch->token);
	watch->token = TAKE(page.continue_token);
	if (watch->token)
		return page_begin(watch);
	r = watch_commit(watch, watch->list_version);
	if (r < 0)
		return trouble(watch, WATCH_NEXT_LIST, -1, "list: out of memory");
	wait_then(watch, r == 0 ? WATCH_NEXT_WATCH : WATCH_NEXT_LIST, 0);
}

/* --- the end of a call --- */

static enum watch_next same_again(const struct watch *watch)
{
	return watch->state == WATCH_WATCHING ? WATCH_NEXT_WATCH : WATCH_NEXT_LIST;
}

/* Listing again is the remedy for much; done too often it is the next ailment. */
static void list_again(struct watch *watch, const char *why)
{
	if (pollset_now_ms() - watch->listed_ms < watch->env->timing.brief)
		return trouble(watch, WATCH_NEXT_LIST, -1, why);
	watch_report(watch, false, "%s; listing again", why);
	wait_then(watch, WATCH_NEXT_LIST, 0);
}

/* A version that the server cannot serve for so long is not worth another try. */
static enum watch_next next_after_server_error(struct watch *watch)
{
	int64_t now = pollset_now_ms();

	if (!watch->errors_since_ms)
		watch->errors_since_ms = now;
	if (now - watch->errors_since_ms > watch->env->timing.server_errors)
		return WATCH_NEXT_LIST;
	return same_again(watch);
}

static void settle_verdict(struct watch *watch)
{
	struct watch_verdict verdict = watch->verdict;

	if (watch->confirming && !verdict.is_trouble)
		return wait_then(watch, WATCH_NEXT_LIST, 0);
	if (!verdict.is_trouble)
		return list_again(watch, verdict.why);
	if (verdict.next == WATCH_NEXT_WATCH)
		verdict.next = next_after_server_error(watch);
	trouble(watch, verdict.next, verdict.wait_ms, verdict.why);
}

static void on_expired(struct watch *watch, const char *why)
{
	if (watch->state == WATCH_LISTING && watch->token && ++watch->expired < EXPIRED_MAX)
		return wait_then(watch, WATCH_NEXT_LIST, 0);
	watch->expired = 0;
	if (watch->state == WATCH_WATCHING)
		return list_again(watch, why);
	trouble(watch, WATCH_NEXT_LIST, -1, why);
}

static void on_unauthorized(struct watch *watch, const char *why)
{
	bool first = !watch->has_renewed;

	watch->has_renewed = true;
	watch->env->renew_credentials(watch->env->data);
	if (first)
		wait_then(watch, same_again(watch), 0);
	else
		trouble(watch, same_again(watch), -1, why);
}

static void answer_words(const struct watch *watch, char *out, size_t out_size)
{
	auto_json cJSON *status = NULL;
	char words[240] = "";

	if (watch->answer.len && json_parse(watch->answer.data, watch->answer.len, &status, NULL) == 0)
		watch_status_words(status, words, sizeof(words));
	snprintf(out, out_size, "%s: HTTP %d%s%s", watch->state == WATCH_WATCHING ? "watch" : "list",
		 watch->status, words[0] ? ": " : "", words);
}

static void on_status(struct watch *watch, const struct api_reply *reply)
{
	/* May be repaired without us: rights, an API that comes back. Any other refusal of
	 * a watch may be of its version, which only a list renews. */
	bool is_transient = reply->status == 403 || reply->status == 404 || reply->status < 400;
	char why[300];

	answer_words(watch, why, sizeof(why));
	if (reply->status == 404 && watch->kind->older && !watch->synced) {
		watch->kind = watch->kind->older;
		watch_report(watch, false, "the server is older; asking for %s", watch->kind->api_version);
		return wait_then(watch, WATCH_NEXT_LIST, 0);
	}
	if (watch->state == WATCH_STREAMING && (reply->status == 400 || reply->status == 422)) {
		watch->no_streaming = true;
		watch_report(watch, false, "the server has no streaming list; listing in pages");
		return wait_then(watch, WATCH_NEXT_LIST, 0);
	}
	if (reply->status == 410 || strstr(why, "Too large resource version"))
		return on_expired(watch, why);
	if (reply->status == 401)
		return on_unauthorized(watch, why);
	if (reply->status == 429 || reply->status >= 500)
		return server_trouble(watch, next_after_server_error(watch), reply->retry_after_ms, why);
	trouble(watch, is_transient ? same_again(watch) : WATCH_NEXT_LIST, -1, why);
}

/* A watch that ended as watches do, or was silent, or ran into our own deadline. */
static void stream_ended(struct watch *watch, const struct api_reply *reply)
{
	int64_t now = pollset_now_ms();
	bool is_old = now - watch->listed_ms >= watch->env->timing.relist;
	char why[300];

	if (reply->error && reply->error != -ETIME && reply->error != -ETIMEDOUT) {
		snprintf(why, sizeof(why), "watch: %s", reply->what);
		return trouble(watch, WATCH_NEXT_WATCH, -1, why);
	}
	if (watch->call_events == 0 && now - watch->call_ms < watch->env->timing.brief)
		return trouble(watch, WATCH_NEXT_WATCH, -1, "watch: ended at once without an event");
	if (reply->error)
		watch_report(watch, false, "watch: %s; watching anew", reply->what);
	wait_then(watch, is_old ? WATCH_NEXT_LIST : WATCH_NEXT_WATCH, 0);
}

static void on_done(const struct api_reply *reply, void *data)
{
	struct watch *watch = data;
	char why[300];

	watch->call = NULL;
	if (watch->verdict.next != WATCH_NEXT_NONE)
		return settle_verdict(watch);
	if (reply->status == 0) {
		snprintf(why, sizeof(why), "no answer from the server: %s", reply->what);
		return server_trouble(watch, same_again(watch), -1, why);
	}
	if (reply->status != 200)
		return on_status(watch, reply);
	if (!watch->is_json)
		return trouble(watch, same_again(watch), -1,
			       "the answer is not JSON: something else answers");
	if (watch->state == WATCH_WATCHING)
		return stream_ended(watch, reply);
	if (watch->state == WATCH_LISTING && !reply->error)
		return page_done(watch);
	snprintf(why, sizeof(why), "list: %s", reply->error ? reply->what : "the stream ended in the middle");
	trouble(watch, WATCH_NEXT_LIST, -1, why);
}

/* --- a call --- */

static void on_head(int status, const char *content_type, void *data)
{
	struct watch *watch = data;

	watch->status = status;
	watch->is_json = strncmp(content_type, "application/json", 16) == 0;
	watch->progress_ms = pollset_now_ms();
	if (status < 500 && status != 429)
		breaker_ok(&watch->env->breaker, watch->progress_ms);
	if (status != 200)
		return;
	watch->has_renewed = false;
	if (watch->state == WATCH_WATCHING)
		pollset_timer_set(watch->env->set, &watch->settle, watch->env->timing.brief);
}

static int on_body(const char *bytes, size_t len, void *data)
{
	struct watch *watch = data;
	bool is_list = watch->state == WATCH_LISTING;
	struct err err = { 0 };
	int r;

	if (watch->status != 200 || !watch->is_json) {
		if (watch->answer.len + len <= ANSWER_MAX)
			text_add(&watch->answer, bytes, len);
		return 0;
	}
	r = is_list ? list_cut_feed(&watch->cut, bytes, len, &err)
		    : line_feed(&watch->line, bytes, len, &err);
	if (r < 0 && watch->verdict.next == WATCH_NEXT_NONE)
		watch_judge(watch, WATCH_NEXT_LIST, true, -1, "%s: %.280s", is_list ? "list" : "watch",
			    err.msg);
	return r;
}

static void call_begin(struct watch *watch, const char *target, int64_t deadline_ms, int64_t silence_ms)
{
	const struct api_request request = {
		.target = target,
		.fresh = watch->confirming,
		.connect_ms = watch->env->timing.connect,
		.deadline_ms = deadline_ms,
		.silence_ms = silence_ms,
	};
	const struct api_handler handler = { on_head, on_body, on_done, watch };
	struct err err = { 0 };

	watch->call_ms = watch->progress_ms = pollset_now_ms();
	watch->call_events = 0;
	if (api_http_get(watch->env->http, &request, &handler, &watch->call, &err) < 0)
		trouble(watch, same_again(watch), -1, err.msg);
}

/* Versions and tokens are the server's; nothing in them may become another
 * parameter. */
static void query_add(struct text *target, const char *key, const char *value)
{
	text_addf(target, "&%s=", key);
	for (; *value; value++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *value))
			text_add(target, value, 1);
		else
			text_addf(target, "%%%02X", (unsigned char)*value);
	}
}

static unsigned int timeout_s(const struct watch_timing *timing)
{
	return timing->timeout_min_s + random32() % (timing->timeout_max_s - timing->timeout_min_s + 1);
}

static void stream_begin(struct watch *watch, const char *query, int64_t list_ms)
{
	const struct watch_timing *timing = &watch->env->timing;
	auto_text struct text target = { 0 };
	unsigned int timeout = timeout_s(timing);

	text_addf(&target, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u%s", watch->kind->path,
		  timeout, query);
	if (watch->version[0])
		query_add(&target, "resourceVersion", watch->version);
	if (target.failed)
		return trouble(watch, same_again(watch), -1, "out of memory");
	call_begin(watch, target.data, timeout * INT64_C(1000) + timing->timeout_slack + list_ms,
		   timing->silence);
}

static void watch_begin(struct watch *watch)
{
	watch->state = WATCH_WATCHING;
	watch->counts.watches++;
	stream_begin(watch, "", 0);
}

static void page_begin(struct watch *watch)
{
	const struct watch_timing *timing = &watch->env->timing;
	auto_text struct text target = { 0 };

	text_addf(&target, "%s?", watch->kind->path);
	if (watch->expired < EXPIRED_UNPAGED)
		text_addf(&target, "limit=%d", PAGE_OBJECTS);
	if (watch->token)
		query_add(&target, "continue", watch->token);
	if (target.failed)
		return trouble(watch, WATCH_NEXT_LIST, -1, "out of memory");
	call_begin(watch, target.data, timing->list_deadline, timing->silence);
}

static void list_begin(struct watch *watch)
{
	watch->counts.lists++;
	if (watch->no_streaming || watch->plain_once || watch->confirming || watch->expired) {
		watch->state = WATCH_LISTING;
		return page_begin(watch);
	}
	watch->state = WATCH_STREAMING;
	pollset_timer_set(watch->env->set, &watch->timer, watch->env->timing.initial_silence);
	stream_begin(watch, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
		     watch->env->timing.list_deadline);
}

/* --- life --- */

void watch_init(struct watch *watch, const struct object_kind *kind, struct watch_env *env, size_t max)
{
	const struct watch_timing *timing = &env->timing;

	*watch = (struct watch){ .kind = kind, .env = env, .max = max };
	watch->live.round = 1; /* no object of it is marked yet */
	watch->shadow.base = &watch->live;
	watch->line = (struct line){ .each = watch_on_line, .data = watch };
	watch->cut = (struct list_cut){ .each = watch_on_item, .data = watch };
	watch->timer = (struct pollset_timer){ .run = on_timer, .data = watch };
	watch->settle = (struct pollset_timer){ .run = on_settled, .data = watch };
	watch->backoff = (struct backoff){ .first_ms = timing->backoff_first,
					   .last_ms = timing->backoff_last,
					   .healthy_ms = timing->healthy };
}

void watch_start(struct watch *watch)
{
	wait_then(watch, WATCH_NEXT_LIST, 0);
}

void watch_done(struct watch *watch)
{
	if (watch->call)
		api_call_cancel(TAKE(watch->call));
	call_reset(watch);
	pollset_timer_stop(watch->env->set, &watch->timer);
	objects_clear(&watch->shadow);
	objects_clear(&watch->live);
	free(watch->token);
	watch->token = NULL;
}
