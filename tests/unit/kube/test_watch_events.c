// SPDX-License-Identifier: Apache-2.0
/* Events in every wrong order, and errors in the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/watching.h"

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
	kubeclient_no_errors(client);
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
	kubeclient_no_errors(client);
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

	watching_teardown(state);
	watching_setup(state);
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
	start = kubeclient_now();
	apiserver_say(client->server, "pods",
		      "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":429,\"details\":{"
		      "\"retryAfterSeconds\":1000}}}");
	UNTIL(client, kubeclient_status(client, "pods").degraded);
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
	UNTIL(client, lists(client) >= 2); /* the log says it again and again, so in the end it lists */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, watching_setup, watching_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_object_is_removed_by_its_uid_only),
		TEST(a_name_that_is_used_again_is_another_object),
		TEST(a_lost_delete_is_noticed_and_listed),
		TEST(events_in_the_wrong_order_end_in_what_is_true),
		TEST(repeated_events_change_nothing),
		TEST(a_modified_of_an_unknown_object_adds_it),
		TEST(a_bookmark_only_advances_the_version),
		TEST(an_applied_event_advances_the_version),
		TEST(what_is_not_understood_is_listed_again),
		TEST(an_expired_watch_lists_again),
		TEST(an_unknown_error_lists_again),
		TEST(a_busy_server_is_left_alone_as_long_as_it_says),
		TEST(an_error_500_keeps_the_version_for_a_while),
		TEST(a_watch_that_is_too_old_lists_again),
		TEST(a_version_that_is_refused_lists_again),
		TEST(rights_that_are_missing_for_a_while_cost_no_list),
		TEST(a_version_from_the_future_lists_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
