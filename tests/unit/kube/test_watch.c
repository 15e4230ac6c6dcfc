// SPDX-License-Identifier: Apache-2.0
/* Watches: events in every wrong order, errors, streams that break, servers that
 * go away. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/kubeclient.h"

#define STATUS(code, reason)                                                                                 \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"         \
	"\"message\":\"told so\",\"reason\":\"" reason "\",\"code\":" #code "}}"
#define POD_EVENT(type, name, uid, version)                                                                  \
	"{\"type\":\"" type                                                                                  \
	"\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name               \
	"\",\"namespace\":\"shop\",\"uid\":\"" uid "\",\"resourceVersion\":\"" version "\"}}}"

static int setup(void **state)
{
	struct kubeclient *client = kubeclient_new();

	apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"web\"", NULL);
	apiserver_put(client->server, "networkpolicies", "shop", "deny", "y-1", NULL, "\"spec\":{}");
	*state = client;
	return 0;
}

static int teardown(void **state)
{
	kubeclient_free(*state);
	return 0;
}

static bool is_watching(const struct kubeclient *client)
{
	return cluster_synced(client->cluster) && apiserver_watching(client->server) == CLUSTER_KINDS;
}

static void start_synced(struct kubeclient *client)
{
	kubeclient_start(client);
	UNTIL(client, is_watching(client));
	/* Past the time in which listing again counts as a failure. */
	TURN_FOR(client, client->options.timing.brief + 10);
}

static const struct pod *pod(const struct kubeclient *client, const char *name)
{
	return cluster_pod_for(client->cluster, "shop", name);
}

static unsigned int lists(struct kubeclient *client)
{
	return apiserver_count(client->server, "/pods?limit");
}

/* Something arrives on the pods' watch, so all before it has been read. */
static void sync_pods(struct kubeclient *client, const char *name)
{
	apiserver_put(client->server, "pods", "shop", name, name, NULL, NULL);
	UNTIL(client, pod(client, name));
}

static void last_watch(struct kubeclient *client, char target[4096])
{
	apiserver_last(client->server, "pods?watch=1", target, 4096);
}

/* --- events --- */

static void an_object_is_removed_by_its_uid_only(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_say(client->server, "pods", POD_EVENT("DELETED", "web", "p-0", "v50x"));
	sync_pods(client, "after");
	assert_non_null(pod(client, "web"));
	apiserver_say(client->server, "pods", POD_EVENT("DELETED", "web", "p-1", "v51x"));
	UNTIL(client, !pod(client, "web"));
	assert_int_equal(lists(client), 1);
}

static void a_name_that_is_used_again_is_another_object(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_delete(client->server, "pods", "shop", "web");
	apiserver_put(client->server, "pods", "shop", "web", "p-2", "\"app\":\"db\"", NULL);
	UNTIL(client, pod(client, "web") && strcmp(pod(client, "web")->uid, "p-2") == 0);
	apiserver_repeat(client->server, "pods", 1); /* the DELETED of p-1, once more */
	sync_pods(client, "after");
	assert_string_equal(pod(client, "web")->uid, "p-2");
	assert_int_equal(lists(client), 1);
}

static void a_lost_delete_is_noticed_and_listed(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_lose(client->server, true);
	apiserver_delete(client->server, "pods", "shop", "web");
	apiserver_lose(client->server, false);
	apiserver_put(client->server, "pods", "shop", "web", "p-2", NULL, NULL);
	UNTIL(client, pod(client, "web") && strcmp(pod(client, "web")->uid, "p-2") == 0);
	assert_int_equal(lists(client), 2);
	assert_int_equal(client->errors, 0);
}

static void events_in_the_wrong_order_end_in_what_is_true(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_lose(client->server, true);
	apiserver_delete(client->server, "pods", "shop", "web");
	apiserver_put(client->server, "pods", "shop", "web", "p-2", NULL, NULL);
	apiserver_lose(client->server, false);
	apiserver_say(client->server, "pods", POD_EVENT("ADDED", "web", "p-2", "v14x"));
	apiserver_say(client->server, "pods", POD_EVENT("DELETED", "web", "p-1", "v13x"));
	apiserver_say(client->server, "pods", POD_EVENT("MODIFIED", "web", "p-1", "v12x"));
	UNTIL(client,
	      pod(client, "web") && strcmp(pod(client, "web")->uid, "p-2") == 0 && is_watching(client));
	sync_pods(client, "after");
	assert_string_equal(pod(client, "web")->uid, "p-2");
}

static void repeated_events_change_nothing(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"new\"", NULL);
	for (int i = 0; i < 5; i++)
		apiserver_repeat(client->server, "pods", 0);
	sync_pods(client, "after");
	assert_string_equal(labels_get(&pod(client, "web")->labels, "app"), "new");
	assert_int_equal(kubeclient_world(client)->n_pods, 2);
	assert_int_equal(client->errors, 0);
}

static void a_modified_of_an_unknown_object_adds_it(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_say(client->server, "pods", POD_EVENT("MODIFIED", "late", "p-9", "v60x"));
	UNTIL(client, pod(client, "late"));
	assert_int_equal(lists(client), 1);
}

static void a_bookmark_only_advances_the_version(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	start_synced(client);
	apiserver_say(
		client->server, "pods",
		"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{"
		"\"resourceVersion\":\"v 7/&x\"}}}");
	UNTIL(client, kubeclient_status(client, "pods").counts.bookmarks == 1);
	client->changes = 0;
	apiserver_end_watches(client->server, true);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") == 3);
	last_watch(client, target);
	assert_non_null(strstr(target, "&resourceVersion=v%207%2F%26x"));
	assert_int_equal(client->changes, 0);
	assert_int_equal(lists(client), 1);
}

static void an_applied_event_advances_the_version(void **state)
{
	struct kubeclient *client = *state;
	char target[4096], want[64];

	start_synced(client);
	sync_pods(client, "one");
	apiserver_end_watches(client->server, true);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") == 3);
	last_watch(client, target);
	snprintf(want, sizeof(want), "&resourceVersion=v13x");
	assert_non_null(strstr(target, want));
}

static void assert_lists_again(void **state, const char *line, const char *says)
{
	struct kubeclient *client;

	teardown(state);
	setup(state);
	client = *state;
	start_synced(client);
	apiserver_say(client->server, "pods", line);
	UNTIL(client, lists(client) == 2 && is_watching(client));
	if (!kubeclient_said(client, says))
		fail_msg("%s does not say %s", client->reports.data, says);
	assert_non_null(pod(client, "web"));
}

static void what_is_not_understood_is_listed_again(void **state)
{
	assert_lists_again(state, "{\"type\":\"PATCHED\",\"object\":{}}", "unknown type \"PATCHED\"");
	assert_lists_again(state,
			   "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}}",
			   "kind: is Secret, not Pod");
	assert_lists_again(state, "{\"type\":\"ADDED\"}", "not an object");
	assert_lists_again(state, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Node\"}}",
			   "bookmark of another kind");
	assert_lists_again(state, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{}}}",
			   "bookmark without a resourceVersion");
	assert_lists_again(state,
			   "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
			   "\"metadata\":{\"name\":\"x\",\"namespace\":\"y\",\"uid\":\"z\"}}}",
			   "y/x: no resourceVersion");
	assert_lists_again(state,
			   "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
			   "\"metadata\":{\"name\":\"x\",\"namespace\":\"y\"}}}",
			   "metadata.uid: missing");
	assert_lists_again(state, "not JSON", "event: line 1");
	assert_lists_again(state, "[1]", "unknown type");
}

/* --- errors in the stream --- */

static void an_expired_watch_lists_again(void **state)
{
	assert_lists_again(state, STATUS(410, "Gone"), "pods: watch expired: Gone: told so; listing again");
	assert_lists_again(state, STATUS(0, "Expired"), "listing again");
}

static void an_unknown_error_lists_again(void **state)
{
	assert_lists_again(state, STATUS(400, "BadRequest"),
			   "! pods: error in the watch: BadRequest: told so");
}

static void a_busy_server_is_left_alone_as_long_as_it_says(void **state)
{
	struct kubeclient *client = *state;
	int64_t start;

	client->options.timing.retry_after_max = 200;
	start_synced(client);
	apiserver_say(client->server, "pods",
		      "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":429,\"details\":{"
		      "\"retryAfterSeconds\":1000}}}");
	UNTIL(client, kubeclient_status(client, "pods").degraded);
	start = kubeclient_now();
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") == 3);
	assert_true(kubeclient_now() - start >= 190);
	assert_int_equal(lists(client), 1);
}

static void an_error_500_keeps_the_version_for_a_while(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	start_synced(client);
	apiserver_say(client->server, "pods", STATUS(500, "InternalError"));
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") >= 3);
	last_watch(client, target);
	assert_non_null(strstr(target, "&resourceVersion=v"));
	UNTIL(client, lists(client) == 2); /* the log says it again and again, so in the end it lists */
	assert_non_null(pod(client, "web"));
}

static void a_watch_that_is_too_old_lists_again(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_compact(client->server);
	apiserver_end_watches(client->server, true);
	UNTIL(client, lists(client) == 2 && is_watching(client));
	assert_non_null(pod(client, "web"));
}

static void a_version_that_is_refused_lists_again(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "pods?watch=1", .status = 400 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, lists(client) == 2 && is_watching(client));
	assert_true(kubeclient_said(client, "! pods: watch: HTTP 400"));
}

static void rights_that_are_missing_for_a_while_cost_no_list(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "pods?watch=1", .times = 3, .status = 403 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, kubeclient_said(client, "! pods: watch: HTTP 403"));
	UNTIL(client, is_watching(client));
	assert_int_equal(lists(client), 1);
	assert_non_null(pod(client, "web"));
}

static void a_version_from_the_future_lists_again(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server,
			(struct apiserver_fault){
				.match = "pods?watch=1",
				.status = 504,
				.body = "{\"kind\":\"Status\",\"reason\":\"Timeout\",\"message\":\"Too "
					"large resource version: 9\"}" });
	apiserver_end_watches(client->server, true);
	UNTIL(client, lists(client) == 2 && is_watching(client));
}

/* --- streaming lists --- */

static void a_streaming_list_takes_no_pages(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	apiserver_streaming(client->server, APISERVER_STREAMS);
	start_synced(client);
	assert_int_equal(apiserver_count(client->server, "limit="), 0);
	last_watch(client, target);
	assert_non_null(strstr(target, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
	assert_null(strstr(target, "resourceVersion="));
	assert_non_null(pod(client, "web"));
	sync_pods(client, "later"); /* on the same stream */
	assert_int_equal(apiserver_count(client->server, "pods"), 1);
	assert_int_equal(client->errors, 0);
}

static void the_version_after_a_streaming_list_is_the_bookmarks(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	apiserver_streaming(client->server, APISERVER_STREAMS);
	start_synced(client);
	apiserver_end_watches(client->server, true);
	UNTIL(client, apiserver_count(client->server, "pods") == 2);
	last_watch(client, target);
	assert_non_null(strstr(target, "&resourceVersion=v12x")); /* of the collection, not of an object */
	assert_null(strstr(target, "sendInitialEvents"));
}

static void a_streaming_list_that_breaks_is_no_list(void **state)
{
	struct kubeclient *client = *state;

	apiserver_streaming(client->server, APISERVER_STREAMS);
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "pods?watch=1", .cut = 250 });
	kubeclient_start(client);
	UNTIL(client, kubeclient_status(client, "pods").degraded);
	assert_int_equal(kubeclient_status(client, "pods").objects, 0);
	UNTIL(client, is_watching(client));
	assert_non_null(pod(client, "web"));
	assert_int_equal(lists(client), 1);
}

static void a_server_that_ignores_the_wish_is_listed_in_pages(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.initial_silence = 150;
	apiserver_streaming(client->server, APISERVER_IGNORES);
	start_synced(client);
	assert_int_equal(lists(client), 1);
	assert_true(kubeclient_said(client, "no streaming list within 150 ms"));
	assert_non_null(pod(client, "web"));
	assert_int_equal(client->errors, 0);
}

static void a_streaming_list_that_is_suddenly_empty_is_confirmed(void **state)
{
	struct kubeclient *client = *state;

	apiserver_streaming(client->server, APISERVER_STREAMS);
	start_synced(client);
	apiserver_fault(
		client->server,
		(struct apiserver_fault){
			.match = "pods?watch=1&allowWatchBookmarks",
			.status = 200,
			.body = "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
				"\"annotations\":{"
				"\"k8s.io/initial-events-end\":\"true\"},\"resourceVersion\":\"v9x\"}}}\n" });
	apiserver_say(client->server, "pods", STATUS(410, "Gone"));
	UNTIL(client, lists(client) == 1 && is_watching(client));
	assert_non_null(pod(client, "web"));
}

/* --- streams that break --- */

static void a_clean_end_is_watched_on_from_where_it_was(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	for (int i = 0; i < 3; i++) {
		apiserver_end_watches(client->server, true);
		UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") == (unsigned int)i + 3 &&
				      is_watching(client));
		TURN_FOR(client, 50);
	}
	assert_int_equal(lists(client), 1);
	assert_int_equal(client->errors, 0);
}

static void a_watch_that_ends_at_once_is_an_error(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "pods?watch=1", .times = 3, .status = 200 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, kubeclient_said(client, "! pods: watch: ended at once without an event"));
	UNTIL(client, !kubeclient_status(client, "pods").degraded);
	assert_int_equal(lists(client), 1);
}

/* Every event of the stream arrives in the end, whichever byte the stream breaks
 * at; what was half said is not read. */
static void a_stream_may_break_at_every_byte(void **state)
{
	static const char event[] = POD_EVENT("ADDED", "two", "p-2", "v90040x") "\n" POD_EVENT(
		"DELETED", "two", "p-2", "v90041x") "\n";
	struct kubeclient *client = *state;

	client->options.timing.brief = 0;
	client->options.timing.backoff_last = 1;
	start_synced(client);
	for (size_t cut = 1; cut < sizeof(event); cut++) {
		unsigned int n = apiserver_count(client->server, "pods?watch=1");
		struct apiserver_fault fault = { .match = "pods?watch=1",
						 .status = 200,
						 .body = event,
						 .cut = cut,
						 .cut_clean = cut % 2 };

		apiserver_fault(client->server, fault);
		apiserver_end_watches(client->server, false);
		UNTIL(client,
		      apiserver_count(client->server, "pods?watch=1") >= n + 2 && is_watching(client));
		assert_non_null(pod(client, "web"));
		assert_int_equal(pod(client, "two") != NULL,
				 cut > strlen(POD_EVENT("ADDED", "two", "p-2", "v90040x")) &&
					 cut < sizeof(event) - 1);
		if (cut < sizeof(event) - 1 && pod(client, "two"))
			apiserver_say(client->server, "pods", POD_EVENT("DELETED", "two", "p-2", "v90042x"));
		UNTIL(client, !pod(client, "two"));
	}
	assert_int_equal(lists(client), 1);
	assert_true(kubeclient_status(client, "pods").counts.partial_lines > 100);
}

static void a_stream_may_come_byte_by_byte(void **state)
{
	struct kubeclient *client = *state;

	apiserver_streaming(client->server, APISERVER_STREAMS);
	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "pods?watch=1", .bytewise = true });
	start_synced(client);
	sync_pods(client, "slow");
	assert_int_equal(apiserver_count(client->server, "pods"), 1);
}

static void a_line_without_end_is_cut_off_and_listed(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "pods?watch=1", .flood = 64u << 20 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, lists(client) == 2 && is_watching(client));
	assert_true(kubeclient_said(client, "! pods: watch: line of more than 8388608 bytes"));
	assert_non_null(pod(client, "web"));
}

static void a_nul_in_the_stream_is_an_error(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "pods?watch=1",
								  .status = 200,
								  .body = "{\"ty\0pe\"}\n",
								  .body_len = 11 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, lists(client) == 2 && is_watching(client));
	assert_true(kubeclient_said(client, "NUL byte in the stream"));
}

static void silence_is_watched_anew(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.silence = 100;
	client->options.timing.brief = 10;
	start_synced(client);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") >= 4);
	assert_true(kubeclient_said(client, "pods: watch: silent for 100 ms; watching anew"));
	assert_int_equal(lists(client), 1);
	assert_int_equal(client->errors, 0);
	sync_pods(client, "still");
}

static void a_watch_past_its_deadline_is_watched_anew(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.timeout_min_s = client->options.timing.timeout_max_s = 3;
	client->options.timing.timeout_slack = -1500; /* ours comes before the server's */
	client->options.timing.list_deadline = 10000;
	start_synced(client);
	UNTIL(client, kubeclient_said(client, "pods: watch: Operation timed out"));
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") >= 3);
	assert_int_equal(lists(client), 1);
	assert_int_equal(client->errors, 0);
}

static void bookmarks_are_signs_of_life(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.silence = 500;
	apiserver_bookmarks(client->server, true);
	start_synced(client);
	TURN_FOR(client, 1100);
	assert_int_equal(apiserver_count(client->server, "pods?watch=1&allow"), 2);
}

/* --- the server --- */

static void the_store_outlives_the_server(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	client->changes = 0;
	apiserver_stop(client->server);
	UNTIL(client, kubeclient_status(client, "pods").degraded &&
			      kubeclient_status(client, "namespaces").degraded &&
			      kubeclient_status(client, "networkpolicies").degraded);
	TURN_FOR(client, 150);
	assert_non_null(pod(client, "web"));
	assert_int_equal(kubeclient_world(client)->n_netpols, 1);
	assert_true(cluster_synced(client->cluster));
	assert_int_equal(client->changes, 0);
	apiserver_lose(client->server, true);
	apiserver_put(client->server, "pods", "shop", "meanwhile", "m", NULL, NULL);
	apiserver_compact(client->server);
	apiserver_start(client->server);
	UNTIL(client, pod(client, "meanwhile") && is_watching(client));
	UNTIL(client, !kubeclient_status(client, "pods").degraded);
}

static uint64_t troubles(const struct kubeclient *client)
{
	uint64_t sum = 0;

	for (unsigned int kind = 0; kind < CLUSTER_KINDS; kind++)
		sum += cluster_status(client->cluster, kind).counts.troubles;
	return sum;
}

static void watches_knock_one_at_a_time(void **state)
{
	struct kubeclient *client = *state;
	uint64_t before;

	client->options.timing.backoff_first = 50;
	client->options.timing.backoff_last = 50;
	start_synced(client);
	apiserver_stop(client->server);
	TURN_FOR(client, 100);
	before = troubles(client);
	TURN_FOR(client, 600);
	/* Watches on their own would each come 24 times in that time. */
	assert_in_range(troubles(client) - before, 0, 45);
	UNTIL(client, troubles(client) - before >= 3);
	apiserver_start(client->server);
	UNTIL(client, is_watching(client));
}

static void retry_after_is_honoured_up_to_a_limit(void **state)
{
	struct kubeclient *client = *state;
	int64_t start = kubeclient_now();

	client->options.timing.retry_after_max = 250;
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "/pods?limit",
								  .status = 429,
								  .headers = "Retry-After: 86400\r\n" });
	kubeclient_start(client);
	UNTIL(client, is_watching(client));
	assert_true(kubeclient_now() - start >= 240);
	assert_true(kubeclient_said(client, "! pods: list: HTTP 429"));
}

/* --- credentials --- */

static void put_token(const char *path, const char *token)
{
	char next[80];
	FILE *file;

	snprintf(next, sizeof(next), "%s.new", path);
	file = fopen(next, "w");
	fputs(token, file);
	fclose(file);
	assert_int_equal(rename(next, path), 0);
}

static void use_token_file(struct kubeclient *client, const char *path)
{
	struct err err;

	client->config.token_file = strdup(path);
	if (api_config_refresh(&client->config, &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_401_reads_the_token_again_at_once(void **state)
{
	struct kubeclient *client = *state;
	char path[] = "/tmp/bulkhead-token-XXXXXX";

	close(mkstemp(path));
	put_token(path, "canary-old\n");
	apiserver_token(client->server, "canary-old");
	use_token_file(client, path);
	start_synced(client);
	put_token(path, "canary-new\n");
	apiserver_token(client->server, "canary-new");
	apiserver_end_watches(client->server, true);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") >= 4 && is_watching(client));
	assert_int_equal(client->errors, 0);
	unlink(path);
}

static void a_token_that_stays_wrong_is_said_and_the_store_kept(void **state)
{
	struct kubeclient *client = *state;
	char path[] = "/tmp/bulkhead-token-XXXXXX";

	close(mkstemp(path));
	put_token(path, "canary-old\n");
	apiserver_token(client->server, "canary-old");
	use_token_file(client, path);
	start_synced(client);
	apiserver_token(client->server, "canary-other");
	put_token(path, "");
	apiserver_end_watches(client->server, true);
	UNTIL(client, kubeclient_said(client, "! pods: watch: HTTP 401: Unauthorized"));
	assert_true(kubeclient_said(client, "credentials: "));
	assert_true(kubeclient_said(client, "the token is empty; keeping those known"));
	assert_non_null(pod(client, "web"));
	put_token(path, "canary-other");
	UNTIL(client, is_watching(client));
	assert_false(kubeclient_said(client, "canary")); /* C20 */
	unlink(path);
}

static void a_token_is_read_again_in_time(void **state)
{
	struct kubeclient *client = *state;
	char path[] = "/tmp/bulkhead-token-XXXXXX";

	close(mkstemp(path));
	put_token(path, "first");
	apiserver_token(client->server, "first");
	use_token_file(client, path);
	client->options.timing.refresh = 50;
	start_synced(client);
	put_token(path, "second");
	TURN_FOR(client, 400);
	apiserver_token(client->server, "second");
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "never", .times = -1 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") == 3 && is_watching(client));
	assert_int_equal(client->errors, 0);
	unlink(path);
}

/* --- waiting --- */

static void the_backoff_doubles_to_a_limit_with_full_jitter(void **state)
{
	struct backoff backoff = { .first_ms = 800, .last_ms = 30000, .healthy_ms = 120000 };
	const int64_t want[] = { 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_int_equal(backoff_next_ms(&backoff, 1000, UINT32_MAX), want[i]);
	assert_int_equal(backoff_next_ms(&backoff, 1000, 0), 0);
	assert_in_range(backoff_next_ms(&backoff, 1000, UINT32_MAX / 2), 14990, 15010);
	backoff_healthy(&backoff, 2000);
	assert_int_equal(backoff_next_ms(&backoff, 121999, UINT32_MAX), 30000);
	backoff_healthy(&backoff, 200000);
	backoff_healthy(&backoff, 300000);
	assert_int_equal(backoff_next_ms(&backoff, 320000, UINT32_MAX), 800);
}

static void the_breaker_lets_one_through(void **state)
{
	struct breaker breaker = { .backoff = { .first_ms = 100, .last_ms = 1000, .healthy_ms = 1000 } };

	(void)state;
	assert_int_equal(breaker_wait_ms(&breaker, 0, 50), 0);
	assert_int_equal(breaker_failed(&breaker, 1000, UINT32_MAX), 100);
	assert_int_equal(breaker_failed(&breaker, 1010, UINT32_MAX), 90); /* the same failure */
	assert_int_equal(breaker_wait_ms(&breaker, 1050, 50), 50);
	assert_int_equal(breaker_wait_ms(&breaker, 1100, 50), 0); /* the one */
	assert_int_equal(breaker_wait_ms(&breaker, 1101, 50), 49);
	assert_int_equal(breaker_failed(&breaker, 1110, UINT32_MAX), 200);
	assert_int_equal(breaker_wait_ms(&breaker, 1310, 50), 0);
	breaker_ok(&breaker, 1320);
	assert_int_equal(breaker_wait_ms(&breaker, 1320, 50), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_object_is_removed_by_its_uid_only),
		T(a_name_that_is_used_again_is_another_object),
		T(a_lost_delete_is_noticed_and_listed),
		T(events_in_the_wrong_order_end_in_what_is_true),
		T(repeated_events_change_nothing),
		T(a_modified_of_an_unknown_object_adds_it),
		T(a_bookmark_only_advances_the_version),
		T(an_applied_event_advances_the_version),
		T(what_is_not_understood_is_listed_again),
		T(an_expired_watch_lists_again),
		T(an_unknown_error_lists_again),
		T(a_busy_server_is_left_alone_as_long_as_it_says),
		T(an_error_500_keeps_the_version_for_a_while),
		T(a_watch_that_is_too_old_lists_again),
		T(a_version_that_is_refused_lists_again),
		T(rights_that_are_missing_for_a_while_cost_no_list),
		T(a_version_from_the_future_lists_again),
		T(a_streaming_list_takes_no_pages),
		T(the_version_after_a_streaming_list_is_the_bookmarks),
		T(a_streaming_list_that_breaks_is_no_list),
		T(a_server_that_ignores_the_wish_is_listed_in_pages),
		T(a_streaming_list_that_is_suddenly_empty_is_confirmed),
		T(a_clean_end_is_watched_on_from_where_it_was),
		T(a_watch_that_ends_at_once_is_an_error),
		T(a_stream_may_break_at_every_byte),
		T(a_stream_may_come_byte_by_byte),
		T(a_line_without_end_is_cut_off_and_listed),
		T(a_nul_in_the_stream_is_an_error),
		T(silence_is_watched_anew),
		T(a_watch_past_its_deadline_is_watched_anew),
		T(bookmarks_are_signs_of_life),
		T(the_store_outlives_the_server),
		T(watches_knock_one_at_a_time),
		T(retry_after_is_honoured_up_to_a_limit),
		T(a_401_reads_the_token_again_at_once),
		T(a_token_that_stays_wrong_is_said_and_the_store_kept),
		T(a_token_is_read_again_in_time),
		cmocka_unit_test(the_backoff_doubles_to_a_limit_with_full_jitter),
		cmocka_unit_test(the_breaker_lets_one_through),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
