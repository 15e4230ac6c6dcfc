// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "kube/api_probe.h"
#include "lib/apiserver.h"
#include "lib/text_has.h"

struct scene {
	char folder[64], cert[80], key[80];
	struct apiserver *server;
	struct api_config config;
};

static void server_start(struct scene *scene, bool tls)
{
	char *url = NULL;

	scene->server = apiserver_new(tls ? scene->cert : NULL, tls ? scene->key : NULL);
	assert_true(asprintf(&url, "%s://127.0.0.1:%d", tls ? "https" : "http",
			     apiserver_port(scene->server)) > 0);
	scene->config.server = url;
	scene->config.in_cluster = true; /* no proxy */
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char command[512];

	strcpy(scene->folder, "/tmp/bulkhead-probe.XXXXXX");
	if (!mkdtemp(scene->folder))
		return -1;
	snprintf(scene->cert, sizeof(scene->cert), "%s/one.crt", scene->folder);
	snprintf(scene->key, sizeof(scene->key), "%s/one.key", scene->folder);
	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=one "
		 "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
		 scene->key, scene->cert);
	*state = scene;
	return system(command);
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	apiserver_free(scene->server);
	api_config_done(&scene->config);
	unlink(scene->cert);
	unlink(scene->key);
	rmdir(scene->folder);
	free(scene);
	return 0;
}

static struct api_reply probe(struct scene *scene, const char *target)
{
	struct api_reply reply = { 0 };
	struct err err = { 0 };

	if (api_probe(&scene->config, target, &reply, &err) < 0)
		fail_msg("%s", err.msg);
	return reply;
}

static void the_certificates_end_is_told(void **state)
{
	struct scene *scene = *state;
	struct api_reply reply;
	int64_t days;

	server_start(scene, true);
	assert_int_equal(file_read(scene->cert, 8192, &scene->config.ca, NULL, NULL), 0);
	reply = probe(scene, "/api/v1/pods?limit=1");
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.error, 0);
	days = (reply.cert_end_s - (int64_t)time(NULL) + 3600) / 86400;
	assert_int_equal(days, 3);
}

static void a_server_that_is_not_trusted_is_no_answer(void **state)
{
	struct scene *scene = *state;
	struct api_reply reply;

	server_start(scene, true); /* and the system's roots do not know it */
	reply = probe(scene, "/version");
	assert_int_equal(reply.status, 0);
	assert_int_not_equal(reply.error, 0);
	text_has(reply.what, "certificate");
}

static void the_servers_clock_is_told(void **state)
{
	struct scene *scene = *state;
	struct api_reply reply;

	server_start(scene, false);
	apiserver_fault(scene->server, (struct apiserver_fault){ .match = "/version",
								 .status = 200,
								 .headers = "Date: Tue, 03 Mar 2026 09:08:07 "
									    "GMT\r\n",
								 .body = "{}" });
	reply = probe(scene, "/version");
	assert_int_equal(reply.date_s, 1772528887);
	assert_int_equal(reply.cert_end_s, 0);
}

static void a_watch_that_is_let_in_is_over_with_its_head(void **state)
{
	struct scene *scene = *state;
	time_t start = time(NULL);
	struct api_reply reply;

	server_start(scene, false);
	reply = probe(scene, "/api/v1/pods?watch=1&timeoutSeconds=60");
	assert_int_equal(reply.status, 200);
	assert_int_equal(reply.error, 0);
	assert_true(time(NULL) - start < 5);
}

static void a_refusal_and_an_absent_server_are_told_apart(void **state)
{
	struct scene *scene = *state;
	struct api_reply reply;

	server_start(scene, false);
	apiserver_fault(scene->server, (struct apiserver_fault){ .match = "/api", .status = 403 });
	reply = probe(scene, "/api/v1/nodes?limit=1");
	assert_int_equal(reply.status, 403);
	apiserver_stop(scene->server);
	reply = probe(scene, "/api/v1/nodes?limit=1");
	assert_int_equal(reply.status, 0);
	assert_int_equal(reply.error, -ECONNREFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_certificates_end_is_told),
		TEST(a_server_that_is_not_trusted_is_no_answer),
		TEST(the_servers_clock_is_told),
		TEST(a_watch_that_is_let_in_is_over_with_its_head),
		TEST(a_refusal_and_an_absent_server_are_told_apart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
