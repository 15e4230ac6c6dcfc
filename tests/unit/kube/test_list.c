// SPDX-License-Identifier: Apache-2.0
/* Lists: pages, tokens that expire, answers that are no list, sudden emptiness. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/kubeclient.h"

#define GONE "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"token too old\"}"
#define EMPTY(kind, api)                                                                                     \
	"{\"kind\":\"" kind "\",\"apiVersion\":\"" api                                                       \
	"\",\"metadata\":{\"resourceVersion\":\"v99999x\"},\"items\":[]}"

static int setup(void **state)
{
	struct kubeclient *client = kubeclient_new();
	char name[32];

	for (int i = 0; i < 1201; i++) {
		snprintf(name, sizeof(name), "pod-%d", i);
		apiserver_put(client->server, "pods", "shop", name, name, NULL, "\"spec\":{}");
	}
	*state = client;
	return 0;
}

static int teardown(void **state)
{
	kubeclient_free(*state);
	return 0;
}

static size_t pods(const struct kubeclient *client)
{
	return kubeclient_world(client)->n_pods;
}

static void start_synced(struct kubeclient *client)
{
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster) && apiserver_watching(client->server) == CLUSTER_KINDS);
}

/* Pods are listed anew: a watch that expires. */
static void relist_pods(struct kubeclient *client)
{
	TURN_FOR(client, client->options.timing.brief + 20);
	apiserver_say(client->server, "pods", "{\"type\":\"ERROR\",\"object\":" GONE "}");
}

static void pages_carry_limit_and_token_and_nothing_else(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	start_synced(client);
	assert_int_equal(pods(client), 1201);
	apiserver_last(client->server, "pods?limit", target, sizeof(target));
	assert_string_equal(target, "/api/v1/pods?limit=500&continue=at-1000");
	assert_int_equal(apiserver_count(client->server, "/api/v1/pods?limit=500"), 3);
	assert_int_equal(apiserver_count(client->server, "continue="), 2);
}

static void the_version_is_the_first_pages(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	apiserver_fault(client->server, (struct apiserver_fault){ .match = "pods?limit=500&continue=at-1000",
								  .status = 200,
								  .body = EMPTY("PodList", "v1") });
	start_synced(client);
	assert_int_equal(pods(client), 1000);
	apiserver_last(client->server, "pods?watch=1", target, sizeof(target));
	assert_non_null(strstr(target, "&resourceVersion=v1211x"));
	assert_non_null(strstr(target, "allowWatchBookmarks=true&timeoutSeconds="));
	assert_in_range(strtol(strstr(target, "Seconds=") + 8, NULL, 10), 300, 600);
}

static void a_token_that_expires_starts_the_list_over(void **state)
{
	struct kubeclient *client = *state;

	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "continue=at-500", .status = 410, .body = GONE });
	start_synced(client);
	assert_int_equal(pods(client), 1201);
	assert_int_equal(apiserver_count(client->server, "/api/v1/pods?limit=500"), 5);
	kubeclient_no_errors(client);
}

static void a_token_that_expires_twice_ends_paging(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];

	apiserver_fault(
		client->server,
		(struct apiserver_fault){ .match = "continue=", .times = -1, .status = 410, .body = GONE });
	start_synced(client);
	assert_int_equal(pods(client), 1201);
	apiserver_last(client->server, "/api/v1/pods?", target, sizeof(target));
	assert_int_equal(apiserver_count(client->server, "/api/v1/pods?limit=500&continue"), 2);
	apiserver_last(client->server, "pods?limit", target, sizeof(target));
	assert_string_equal(target, "/api/v1/pods?limit=500&continue=at-500");
}

static void a_first_page_that_is_too_old_is_asked_for_again(void **state)
{
	struct kubeclient *client = *state;

	apiserver_fault(
		client->server,
		(struct apiserver_fault){ .match = "pods?limit", .times = 2, .status = 410, .body = GONE });
	start_synced(client);
	assert_int_equal(pods(client), 1201);
	assert_true(kubeclient_said(client, "pods: list: HTTP 410: Expired: token too old"));
	assert_int_equal(apiserver_count(client->server, "pods?limit=500&resourceVersion"), 0);
}

static void the_same_token_twice_is_an_error(void **state)
{
	struct kubeclient *client = *state;

	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "continue=at-500",
						  .status = 200,
						  .body = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\","
							  "\"metadata\":{\"resourceVersion\":"
							  "\"v1x\",\"continue\":\"at-500\"},\"items\":[]}" });
	start_synced(client);
	assert_true(kubeclient_said(client, "the same page again"));
	assert_int_equal(pods(client), 1201);
}

struct wrong_answer {
	struct apiserver_fault fault;
	const char *says;
};

static const char truncated_gzip[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\xca\xce\xcc\x4b\x51";

/* Once as the first list of all, once as a list of what is known already. */
static void check_wrong_answer(struct kubeclient *client, const struct wrong_answer *wrong)
{
	struct apiserver_fault fault = wrong->fault;

	fault.match = "/pods?limit=500";
	fault.times = -1;
	client->options.timing.backoff_last = 1000000; /* one try, then a long wait */
	apiserver_fault(client->server, fault);
	kubeclient_start(client);
	UNTIL(client, kubeclient_said(client, wrong->says));
	assert_true(kubeclient_said(client, "! pods: list: "));
	assert_false(kubeclient_status(client, "pods").synced);
	assert_true(kubeclient_status(client, "pods").degraded);
}

static void an_answer_that_is_no_list_is_named_and_never_an_empty_sync(void **state)
{
	static const struct wrong_answer wrong[] = {
		{ { .status = 403, .body = "{\"reason\":\"Forbidden\",\"message\":\"pods is forbidden\"}" },
		  "HTTP 403: Forbidden: pods is forbidden" },
		{ { .status = 404, .type = "text/plain", .body = "404 page not found" }, "HTTP 404" },
		{ { .status = 500 }, "HTTP 500" },
		{ { .status = 503, .body = "<html>" }, "HTTP 503" },
		{ { .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n" }, "HTTP 302" },
		{ { .status = 200,
		    .body = "{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
			    "\"v1x\"},\"items\":[]}" },
		  "kind: is NodeList, not PodList" },
		{ { .status = 200,
		    .body = "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"rows\":[]}" },
		  "kind: is Table" },
		{ { .status = 200,
		    .body = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}" },
		  "resourceVersion: missing" },
		{ { .status = 200,
		    .body = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
			    "\"v1x\"},\"items\":[{\"metadata\":{\"name\":\"x\"}}]}" },
		  "item 0: x: metadata.namespace: missing" },
		{ { .status = 200,
		    .body = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
			    "\"v1x\"},\"items\":[{\"metadata\":{\"name\":\"x\",\"namespace\":\"y\"}}]}" },
		  "item 0: y/x: metadata.uid: missing" },
		{ { .status = 200,
		    .body = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
			    "\"v1x\"},\"items\":[{\"kind\":\"Secret\",\"metadata\":{}}]}" },
		  "kind: is Secret" },
		{ { .status = 200, .body = "{\"kind\":\"PodList\"" }, "list: line 1" },
		{ { .status = 200, .body = "" }, "list: " },
		{ { .cut = 300 }, "list: " },
		{ { .status = 200,
		    .headers = "Content-Encoding: gzip\r\n",
		    .body = truncated_gzip,
		    .body_len = sizeof(truncated_gzip) - 1 },
		  "list: " },
		{ { .status = 200, .headers = "Content-Encoding: gzip\r\n", .body = "not gzip at all" },
		  "list: " },
	};

	teardown(state);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		setup(state);
		check_wrong_answer(*state, &wrong[i]);
		if (i + 1 < sizeof(wrong) / sizeof(*wrong))
			teardown(state);
	}
}

static void a_web_page_is_not_read_as_json(void **state)
{
	struct kubeclient *client = *state;

	apiserver_fault(client->server, (struct apiserver_fault){ .match = "pods?limit",
								  .times = 3,
								  .status = 200,
								  .type = "text/html",
								  .body = EMPTY("PodList", "v1") });
	start_synced(client);
	assert_true(kubeclient_said(client, "! pods: the answer is not JSON: something else answers"));
	assert_int_equal(pods(client), 1201);
}

static void the_store_is_kept_through_every_wrong_answer(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "pods?limit", .times = 2, .status = 403 });
	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "continue", .times = 1, .cut = 2000 });
	apiserver_fault(client->server,
			(struct apiserver_fault){
				.match = "continue=at-1000", .times = 1, .status = 200, .body = "{}" });
	client->changes = 0;
	relist_pods(client);
	UNTIL(client, kubeclient_status(client, "pods").degraded);
	while (kubeclient_status(client, "pods").degraded) {
		assert_int_equal(pods(client), 1201);
		kubeclient_turn(client);
	}
	assert_int_equal(client->changes, 0);
	assert_true(kubeclient_said(client, "keeping the 1201 objects known"));
	assert_true(kubeclient_said(client, "pods: recovered, 1201 objects"));
}

static void sudden_emptiness_is_confirmed_on_a_new_connection(void **state)
{
	struct kubeclient *client = *state;
	char target[4096];
	int before, after;

	start_synced(client);
	before = apiserver_last(client->server, "/pods?limit", target, sizeof(target));
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "/pods?limit",
								  .status = 200,
								  .body = EMPTY("PodList", "v1") });
	relist_pods(client);
	UNTIL(client, apiserver_count(client->server, "/pods?limit=500") == 3 + 1 + 3);
	TURN_FOR(client, 60);
	after = apiserver_last(client->server, "/pods?limit", target, sizeof(target));
	assert_int_equal(pods(client), 1201);
	assert_int_not_equal(before, after);
}

static void emptiness_that_is_confirmed_is_applied(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "/pods?limit",
								  .times = 2,
								  .status = 200,
								  .body = EMPTY("PodList", "v1") });
	relist_pods(client);
	UNTIL(client, pods(client) == 0);
	assert_int_equal(apiserver_count(client->server, "/pods?limit=500"), 3 + 2);
}

static void an_unconfirmed_emptiness_is_forgotten_after_an_error(void **state)
{
	struct kubeclient *client = *state;
	const struct apiserver_fault empty = { .match = "/pods?limit",
					       .status = 200,
					       .body = EMPTY("PodList", "v1") };

	start_synced(client);
	apiserver_fault(client->server, empty);
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "/pods?limit", .status = 500 });
	apiserver_fault(client->server, empty);
	relist_pods(client);
	UNTIL(client, apiserver_count(client->server, "/pods?limit=500") == 3 + 3 + 3);
	TURN_FOR(client, 60);
	assert_int_equal(pods(client), 1201);
}

static void an_object_that_cannot_be_used_is_named_and_the_rest_counts(void **state)
{
	struct kubeclient *client = *state;

	apiserver_put(client->server, "pods", "shop", "odd", "odd", "\"a b\":\"c\"", NULL);
	apiserver_put(client->server, "pods", "shop", "pod-7", "pod-7", "\"app\":[]", NULL);
	start_synced(client);
	assert_int_equal(pods(client), 1200);
	assert_int_equal(kubeclient_status(client, "pods").unreadable, 2);
	assert_int_equal(kubeclient_status(client, "pods").faulty, 2);
	assert_true(kubeclient_status(client, "pods").degraded);
	assert_true(kubeclient_said(client, "! pods: shop/odd: metadata.labels"));
	assert_null(cluster_pod_for(client->cluster, "shop", "odd"));
}

static void an_object_that_turns_bad_keeps_its_last_good_form(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_put(client->server, "pods", "shop", "pod-7", "pod-7", "\"app\":[]", NULL);
	UNTIL(client, kubeclient_said(client, "! pods: shop/pod-7: metadata.labels"));
	assert_non_null(cluster_pod_for(client->cluster, "shop", "pod-7"));
	relist_pods(client);
	UNTIL(client, kubeclient_status(client, "pods").counts.lists == 3 &&
			      apiserver_watching(client->server) == CLUSTER_KINDS);
	assert_non_null(cluster_pod_for(client->cluster, "shop", "pod-7"));
	assert_int_equal(pods(client), 1201);
}

static bool why_is(const struct kubeclient *client, const char *why)
{
	struct cluster_kind_status status = kubeclient_status(client, "pods");

	return status.degraded == (*why != 0) && strstr(status.why, why);
}

static void objects_that_turn_bad_keep_the_kind_degraded_until_they_are_good(void **state)
{
	struct kubeclient *client = *state;

	start_synced(client);
	apiserver_put(client->server, "pods", "shop", "pod-7", "pod-7", "\"app\":[]", NULL);
	apiserver_put(client->server, "pods", "shop", "pod-8", "pod-8", "\"app\":[]", NULL);
	UNTIL(client, why_is(client, "shop/pod-8: metadata.labels.app: must be a string"));
	assert_int_equal(kubeclient_status(client, "pods").faulty, 2);
	assert_int_equal(kubeclient_status(client, "pods").unreadable, 0);
	/* Through other trouble and a list. */
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "/pods?", .status = 403 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, why_is(client, "HTTP 403"));
	UNTIL(client, why_is(client, "2 objects are refused or not read wholly"));
	relist_pods(client);
	UNTIL(client, why_is(client, "shop/pod-8: ") || why_is(client, "shop/pod-7: "));
	UNTIL(client, strcmp(kubeclient_status(client, "pods").state, "watching") == 0);
	assert_int_equal(kubeclient_status(client, "pods").faulty, 2);
	apiserver_delete(client->server, "pods", "shop", "pod-8");
	UNTIL(client, why_is(client, "1 objects are refused or not read wholly"));
	apiserver_put(client->server, "pods", "shop", "pod-7", "pod-7", "\"app\":\"web\"", NULL);
	UNTIL(client, why_is(client, ""));
	assert_int_equal(kubeclient_status(client, "pods").faulty, 0);
	assert_true(kubeclient_said(client, "pods: recovered, 1200 objects"));
}

static void a_nul_in_an_annotation_hurts_nobody(void **state)
{
	struct kubeclient *client = *state;

	apiserver_put(client->server, "pods", "shop", "nul", "nul", NULL, "\"x\":\"a\\u0000b \\\\u0000\"");
	start_synced(client);
	assert_non_null(cluster_pod_for(client->cluster, "shop", "nul"));
	kubeclient_no_errors(client);
}

static void more_objects_than_the_limit_are_refused(void **state)
{
	struct kubeclient *client = *state;

	client->options.max[0] = 1000;
	kubeclient_start(client);
	UNTIL(client, kubeclient_said(client, "! pods: more than 1000 objects; shop/"));
	TURN_FOR(client, 50);
	assert_false(kubeclient_status(client, "pods").synced);
}

static void objects_beyond_the_limit_are_refused_one_by_one(void **state)
{
	struct kubeclient *client = *state;

	client->options.max[0] = 1202;
	start_synced(client);
	apiserver_put(client->server, "pods", "shop", "last", "u1", NULL, NULL);
	apiserver_put(client->server, "pods", "shop", "over", "u2", NULL, NULL);
	apiserver_put(client->server, "pods", "shop", "pod-3", "pod-3", "\"app\":\"x\"", NULL);
	UNTIL(client, labels_get(&cluster_pod_for(client->cluster, "shop", "pod-3")->labels, "app"));
	assert_int_equal(pods(client), 1202);
	assert_null(cluster_pod_for(client->cluster, "shop", "over"));
	assert_true(kubeclient_status(client, "pods").degraded);
	assert_int_equal(kubeclient_status(client, "pods").counts.refused, 1);
	assert_true(kubeclient_said(
		client, "! pods: more than 1202 objects; shop/over and further new ones are refused; "
			"keeping the 1202 objects known"));
}

static void a_list_that_comes_byte_by_byte_is_a_list(void **state)
{
	struct kubeclient *client = *state;

	apiserver_fault(client->server,
			(struct apiserver_fault){ .match = "continue=at-1000", .bytewise = true });
	start_synced(client);
	assert_int_equal(pods(client), 1201);
}

static void a_server_that_never_answers_is_left(void **state)
{
	struct kubeclient *client = *state;

	client->options.timing.silence = 80;
	client->options.timing.relist = 1000000;
	apiserver_bookmarks(client->server, true);
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "/pods?limit", .silent = true });
	start_synced(client);
	assert_true(kubeclient_said(client, "! pods: no answer from the server: silent for 80 ms"));
	assert_int_equal(pods(client), 1201);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pages_carry_limit_and_token_and_nothing_else),
		T(the_version_is_the_first_pages),
		T(a_token_that_expires_starts_the_list_over),
		T(a_token_that_expires_twice_ends_paging),
		T(a_first_page_that_is_too_old_is_asked_for_again),
		T(the_same_token_twice_is_an_error),
		T(an_answer_that_is_no_list_is_named_and_never_an_empty_sync),
		T(a_web_page_is_not_read_as_json),
		T(the_store_is_kept_through_every_wrong_answer),
		T(sudden_emptiness_is_confirmed_on_a_new_connection),
		T(emptiness_that_is_confirmed_is_applied),
		T(an_unconfirmed_emptiness_is_forgotten_after_an_error),
		T(an_object_that_cannot_be_used_is_named_and_the_rest_counts),
		T(an_object_that_turns_bad_keeps_its_last_good_form),
		T(objects_that_turn_bad_keep_the_kind_degraded_until_they_are_good),
		T(a_nul_in_an_annotation_hurts_nobody),
		T(more_objects_than_the_limit_are_refused),
		T(objects_beyond_the_limit_are_refused_one_by_one),
		T(a_list_that_comes_byte_by_byte_is_a_list),
		T(a_server_that_never_answers_is_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
