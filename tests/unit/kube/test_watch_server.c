// SPDX-License-Identifier: Apache-2.0
/* A server that goes away, its credentials, and how long it is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/watching.h"

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

/* The server knows this token, and the client has it from a file. */
static void token_file(struct kubeclient *client, char *path, const char *token)
{
	struct err err;

	close(mkstemp(path));
	put_token(path, token);
	apiserver_token(client->server, token);
	client->config.token_file = strdup(path);
	if (api_config_refresh(&client->config, &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_401_reads_the_token_again_at_once(void **state)
{
	struct kubeclient *client = *state;
	char path[] = "/tmp/bulkhead-token-XXXXXX";
	unsigned int seen;

	token_file(client, path, "canary-old");
	start_synced(client);
	put_token(path, "canary-new\n");
	apiserver_token(client->server, "canary-new");
	seen = apiserver_count(client->server, "?watch=1&allow");
	apiserver_end_watches(client->server, true);
	/* All watch anew, and at least the first of them twice. */
	UNTIL(client, apiserver_count(client->server, "?watch=1&allow") > seen + CLUSTER_KINDS &&
			      is_watching(client));
	kubeclient_no_errors(client);
	unlink(path);
}

static void a_token_that_stays_wrong_is_said_and_the_store_kept(void **state)
{
	struct kubeclient *client = *state;
	char path[] = "/tmp/bulkhead-token-XXXXXX";

	token_file(client, path, "canary-old");
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

	token_file(client, path, "first");
	client->options.timing.refresh = 50;
	start_synced(client);
	put_token(path, "second");
	TURN_FOR(client, 400);
	apiserver_token(client->server, "second");
	apiserver_fault(client->server, (struct apiserver_fault){ .match = "never", .times = -1 });
	apiserver_end_watches(client->server, true);
	UNTIL(client, apiserver_count(client->server, "pods?watch=1&allow") == 3 && is_watching(client));
	kubeclient_no_errors(client);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, watching_setup, watching_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_store_outlives_the_server),
		TEST(watches_knock_one_at_a_time),
		TEST(retry_after_is_honoured_up_to_a_limit),
		TEST(a_401_reads_the_token_again_at_once),
		TEST(a_token_that_stays_wrong_is_said_and_the_store_kept),
		TEST(a_token_is_read_again_in_time),
		cmocka_unit_test(the_backoff_doubles_to_a_limit_with_full_jitter),
		cmocka_unit_test(the_breaker_lets_one_through),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
