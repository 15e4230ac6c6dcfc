// SPDX-License-Identifier: Apache-2.0
/* Lists that come as a stream, and streams that break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/watching.h"

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
	kubeclient_no_errors(client);
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
	kubeclient_no_errors(client);
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
		unsigned int seen = apiserver_count(client->server, "?watch=1&allow");

		apiserver_end_watches(client->server, true);
		UNTIL(client, apiserver_count(client->server, "?watch=1&allow") == seen + CLUSTER_KINDS &&
				      is_watching(client));
		TURN_FOR(client, 50);
	}
	assert_int_equal(lists(client), 1);
	kubeclient_no_errors(client);
}

static void a_watch_that_ends_at_once_is_an_error(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.brief = 400; /* "at once" on a busy machine, too */
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

	client->options.timing.silence = 500;
	client->options.timing.brief = 10;
	start_synced(client);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") >= 4);
	assert_true(kubeclient_said(client, "pods: watch: silent for 500 ms; watching anew"));
	assert_int_equal(lists(client), 1);
	kubeclient_no_errors(client);
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
	kubeclient_no_errors(client);
}

static void bookmarks_are_signs_of_life(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.silence = 1000;
	apiserver_bookmarks(client->server, true);
	start_synced(client);
	TURN_FOR(client, 2200);
	assert_int_equal(apiserver_count(client->server, "pods?watch=1&allow"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, watching_setup, watching_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_streaming_list_takes_no_pages),
		TEST(the_version_after_a_streaming_list_is_the_bookmarks),
		TEST(a_streaming_list_that_breaks_is_no_list),
		TEST(a_server_that_ignores_the_wish_is_listed_in_pages),
		TEST(a_streaming_list_that_is_suddenly_empty_is_confirmed),
		TEST(a_clean_end_is_watched_on_from_where_it_was),
		TEST(a_watch_that_ends_at_once_is_an_error),
		TEST(a_stream_may_break_at_every_byte),
		TEST(a_stream_may_come_byte_by_byte),
		TEST(a_line_without_end_is_cut_off_and_listed),
		TEST(a_nul_in_the_stream_is_an_error),
		TEST(silence_is_watched_anew),
		TEST(a_watch_past_its_deadline_is_watched_anew),
		TEST(bookmarks_are_signs_of_life),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
