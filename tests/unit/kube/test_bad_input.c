// SPDX-License-Identifier: Apache-2.0
/*
 * Whatever the server says wrong: one line that names the kind, the object where there
 * is one, and the cause; the status says degraded and since when; the last good objects
 * stay, the other kinds are well, and all is well again when the server is.
 *
 * Where the rest of the client's behaviour is tested:
 *	lists, pages, tokens, empty lists, limits		test_list.c
 *	events, versions, streams, silence, backoff, 401	test_watch_*.c
 *	lines, items, cut at every byte				test_line.c, test_scan_pod.c
 *	tokens, CA, TLS, kubeconfig				test_api_config.c
 *	what readyz and bulkheadctl make of it			tests/netns/kube_bad_input.sh
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kubeclient.h"

#define LIST(kind, rest) "{\"kind\":\"" kind "\",\"apiVersion\":\"v1\"," rest "}"
#define VERSION		 "\"metadata\":{\"resourceVersion\":\"v9x\"}"

struct bad {
	const char *name;
	struct apiserver_fault fault; /* on every request for pods, or on those for `match` */
	const char *line;	      /* or said in the watch */
	const char *says;
};

static const char gzip[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\xca\xce\xcc\x4b\x51";

static const struct bad bads[] = {
	{ "401", { .status = 401 }, NULL, "HTTP 401" },
	{ "403",
	  { .status = 403, .body = "{\"reason\":\"Forbidden\",\"message\":\"no\"}" },
	  NULL,
	  "HTTP 403: Forbidden: no" },
	{ "404", { .status = 404, .type = "text/plain", .body = "not found" }, NULL, "HTTP 404" },
	{ "429", { .status = 429, .headers = "Retry-After: 1\r\n" }, NULL, "HTTP 429" },
	{ "500", { .status = 500 }, NULL, "HTTP 500" },
	{ "503", { .status = 503, .body = "<html>" }, NULL, "HTTP 503" },
	{ "HTML", { .status = 200, .type = "text/html", .body = "<html>" }, NULL, "something else answers" },
	{ "silence", { .silent = true }, NULL, "silent for" },
	{ "a broken connection", { .cut = 1 }, NULL, ": " },
	{ "another kind",
	  { .match = "/pods?limit", .status = 200, .body = LIST("NodeList", VERSION ",\"items\":[]") },
	  NULL,
	  "list: kind: is NodeList, not PodList" },
	{ "a Table",
	  { .match = "/pods?limit", .status = 200, .body = LIST("Table", "\"rows\":[]") },
	  NULL,
	  "list: kind: is Table, not PodList" },
	{ "no version",
	  { .match = "/pods?limit", .status = 200, .body = LIST("PodList", "\"metadata\":{},\"items\":[]") },
	  NULL,
	  "list: metadata.resourceVersion: missing" },
	{ "no items",
	  { .match = "/pods?limit", .status = 200, .body = LIST("PodList", VERSION) },
	  NULL,
	  "list: items: missing" },
	{ "half a list", { .match = "/pods?limit", .cut = 100, .cut_clean = true }, NULL, "list: " },
	{ "half a gzip",
	  { .match = "/pods?limit",
	    .status = 200,
	    .headers = "Content-Encoding: gzip\r\n",
	    .body = gzip,
	    .body_len = sizeof(gzip) - 1 },
	  NULL,
	  "list: " },
	{ "an item without a uid",
	  { .match = "/pods?limit",
	    .status = 200,
	    .body = LIST("PodList",
			 VERSION ",\"items\":[{\"metadata\":{\"name\":\"x\",\"namespace\":\"y\"}}]") },
	  NULL,
	  "list: item 0: y/x: metadata.uid: missing" },
	{ "an item of another kind",
	  { .match = "/pods?limit",
	    .status = 200,
	    .body = LIST("PodList", VERSION ",\"items\":[{\"kind\":\"Secret\",\"metadata\":{}}]") },
	  NULL,
	  "list: item 0: kind: is Secret, not Pod" },
	{ "a list without an end", { .match = "/pods?limit", .flood = 64u << 20 }, NULL, "list: " },
	{ "a line of 64 MiB",
	  { .match = "/pods?watch", .flood = 64u << 20 },
	  NULL,
	  "watch: line of more than" },
	{ "a NUL byte",
	  { .match = "/pods?watch", .status = 200, .body = "{\"a\":\0}\n", .body_len = 8 },
	  NULL,
	  "watch: NUL byte in the stream" },
	{ "no JSON", { 0 }, "{\"type\":", "event: line 1" },
	{ "an unknown type",
	  { 0 },
	  "{\"type\":\"PATCHED\",\"object\":{}}",
	  "event of unknown type \"PATCHED\"" },
	{ "an event of another kind",
	  { 0 },
	  "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}}",
	  "ADDED event: kind: is Secret, not Pod" },
	{ "an event without a uid",
	  { 0 },
	  "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
	  "\"x\","
	  "\"namespace\":\"y\"}}}",
	  "MODIFIED event: y/x: metadata.uid: missing" },
	{ "an event without a version",
	  { 0 },
	  "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
	  "\"x\","
	  "\"namespace\":\"y\",\"uid\":\"z\"}}}",
	  "MODIFIED event: y/x: no resourceVersion" },
	{ "a bookmark without a version",
	  { 0 },
	  "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{}}}",
	  "bookmark without a resourceVersion" },
	{ "an ERROR 500",
	  { 0 },
	  "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500,\"reason\":\"InternalError\"}}",
	  "error in the watch: InternalError" },
	{ "an ERROR 429",
	  { 0 },
	  "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":429,\"reason\":\"TooManyRequests\"}}",
	  "error in the watch: TooManyRequests" },
};

static struct kubeclient *synced_client(int64_t silence_ms)
{
	struct kubeclient *client = kubeclient_new();

	/* Long enough to be seen. */
	client->options.timing.backoff_first = client->options.timing.backoff_last = 250;
	client->options.timing.silence = silence_ms;
	apiserver_bookmarks(client->server, true);
	apiserver_put(client->server, "pods", "shop", "web", "u1", "\"app\":\"web\"", NULL);
	apiserver_put(client->server, "namespaces", "", "shop", "n1", NULL, NULL);
	kubeclient_start(client);
	UNTIL(client, cluster_synced(client->cluster) && apiserver_watching(client->server) >= 3);
	/* A watch that ends before it said anything is one that failed. */
	TURN_FOR(client, 60);
	return client;
}

static void provoke(struct kubeclient *client, const struct bad *bad)
{
	struct apiserver_fault fault = bad->fault;

	if (bad->line) {
		apiserver_say(client->server, "pods", bad->line);
		return;
	}
	fault.match = fault.match ? fault.match : "/pods?";
	fault.times = -1;
	apiserver_fault(client->server, fault);
	if (strstr(fault.match, "limit")) /* only a list meets it */
		apiserver_compact(client->server);
	apiserver_end_watches(client->server, true);
}

static bool is_said(const struct kubeclient *client, const char *says)
{
	const char *line = client->reports.data;

	while (line && (line = strstr(line, "! pods: "))) {
		const char *end = strchr(line, '\n'), *found = strstr(line, says);

		if (found && found < end && strstr(line, "keeping the 1 objects known"))
			return true;
		line = end;
	}
	return false;
}

static void check_bad(const struct bad *bad)
{
	/* Short only where it is waited for: a busy machine is silent as well. */
	struct kubeclient *client = synced_client(bad->fault.silent ? 500 : 30000);
	time_t start = time(NULL);
	struct cluster_kind_status status;
	int64_t until = kubeclient_now() + 30000;

	provoke(client, bad);
	while (!is_said(client, bad->says) || !kubeclient_status(client, "pods").degraded) {
		if (kubeclient_now() > until)
			fail_msg("%s: never said: %s\n%s", bad->name, bad->says,
				 client->reports.data ? client->reports.data : "");
		kubeclient_turn(client);
	}
	status = kubeclient_status(client, "pods");
	assert_true(status.synced);
	assert_in_range(status.degraded_since, start, time(NULL));
	assert_true(*status.why);
	assert_int_equal(status.objects, 1);
	assert_non_null(cluster_pod_for(client->cluster, "shop", "web"));
	assert_false(kubeclient_status(client, "namespaces").degraded);
	apiserver_forgive(client->server);
	UNTIL(client, !kubeclient_status(client, "pods").degraded);
	assert_true(kubeclient_said(client, "pods: recovered, 1 objects"));
	kubeclient_free(client);
}

static void bad_input_is_named_and_the_last_good_state_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		check_bad(&bads[i]);
}

/* Nobody's fault: nothing is degraded, and the line says what is done. */
static void what_happens_to_every_watch_is_no_trouble(void **state)
{
	static const char *const lines[] = {
		"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}",
		"{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{"
		"\"name\":\"web\",\"namespace\":"
		"\"shop\",\"uid\":\"another\",\"resourceVersion\":\"v99x\"}}}",
	};
	static const char *const says[] = {
		"pods: watch expired: Expired; listing again",
		"pods: shop/web: another uid, and no DELETED before; listing again"
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct kubeclient *client = synced_client(30000);

		apiserver_say(client->server, "pods", lines[i]);
		UNTIL(client, kubeclient_said(client, says[i]));
		TURN_FOR(client, 50);
		assert_false(kubeclient_status(client, "pods").degraded);
		kubeclient_no_errors(client);
		kubeclient_free(client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_input_is_named_and_the_last_good_state_stays),
		cmocka_unit_test(what_happens_to_every_watch_is_no_trouble),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
