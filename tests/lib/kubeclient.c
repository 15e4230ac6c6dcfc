// SPDX-License-Identifier: Apache-2.0
#include "lib/kubeclient.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_report(bool is_error, const char *message, void *data)
{
	struct kubeclient *client = data;

	text_addf(&client->reports, "%s%s\n", is_error ? "! " : "", message);
	client->errors += is_error;
}

static void on_changed(void *data)
{
	struct kubeclient *client = data;

	client->changes++;
}

struct kubeclient *kubeclient_new(void)
{
	struct kubeclient *client = calloc(1, sizeof(*client));
	struct text url = { 0 };

	if (!client)
		abort();
	signal(SIGPIPE, SIG_IGN);
	client->server = apiserver_new(NULL, NULL);
	/* What a test waits for is short; what it must not meet, a busy machine does not either. */
	client->options = (struct cluster_options){
		.timing = { .backoff_first = 4,
			    .backoff_last = 40,
			    .healthy = 100000,
			    .connect = 20000,
			    .list_deadline = 30000,
			    .silence = 30000,
			    .initial_silence = 20000,
			    .brief = 40,
			    .server_errors = 150,
			    .retry_after_max = 400,
			    .relist = 1000000,
			    .refresh = 1000000,
			    .timeout_min_s = 300,
			    .timeout_max_s = 600,
			    .timeout_slack = 30000 },
		.report = on_report,
		.changed = on_changed,
		.data = client,
	};
	text_addf(&url, "http://127.0.0.1:%d", apiserver_port(client->server));
	client->config.server = text_take(&url);
	return client;
}

void kubeclient_start(struct kubeclient *client)
{
	struct err err = { 0 };

	if (cluster_new(&client->config, &client->options, &client->cluster, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
}

void kubeclient_free(struct kubeclient *client)
{
	cluster_free(client->cluster);
	api_config_done(&client->config);
	apiserver_free(client->server);
	text_done(&client->reports);
	mirror_done(&client->mirror);
	free(client);
}

/* What was told adds up to what there is. */
static void objects_check(const struct kubeclient *client)
{
	size_t n = 0;

	for (unsigned int i = 0; i < CLUSTER_KINDS && cluster_synced(client->cluster); i++) {
		struct cluster_kind_status status = cluster_status(client->cluster, i);

		n += status.objects - status.unreadable;
	}
	if (n != client->mirror.n)
		abort();
}

const struct world *kubeclient_world(const struct kubeclient *client)
{
	return &client->mirror.world;
}

static void new_apply(const struct change *change, void *data)
{
	mirror_apply(data, change, 1);
}

void kubeclient_turn(struct kubeclient *client)
{
	struct pollfd poll_fd = { .fd = cluster_fd(client->cluster), .events = POLLIN };
	const struct change *changes;
	size_t n;
	int r;

	poll(&poll_fd, 1, 5);
	cluster_drain(client->cluster);
	if (client->hold)
		return;
	r = cluster_read(client->cluster);
	changes = cluster_changes(client->cluster, &n);
	if (r == CLUSTER_FIRST)
		cluster_each(client->cluster, new_apply, &client->mirror);
	else if (r > 0)
		mirror_apply(&client->mirror, changes, n);
	objects_check(client);
}

void kubeclient_no_errors(const struct kubeclient *client)
{
	if (client->errors)
		fail_msg("%u errors:\n%s", client->errors, client->reports.data);
}

bool kubeclient_said(const struct kubeclient *client, const char *words)
{
	return client->reports.data && strstr(client->reports.data, words);
}

struct cluster_kind_status kubeclient_status(const struct kubeclient *client, const char *kind)
{
	for (unsigned int i = 0; i < CLUSTER_KINDS; i++)
		if (strcmp(cluster_status(client->cluster, i).name, kind) == 0)
			return cluster_status(client->cluster, i);
	abort();
}

int64_t kubeclient_now(void)
{
	return pollset_now_ms();
}
