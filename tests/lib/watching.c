// SPDX-License-Identifier: Apache-2.0
#include "lib/watching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

int watching_setup(void **state)
{
	struct kubeclient *client = kubeclient_new();

	apiserver_put(client->server, "pods", "shop", "web", "p-1", "\"app\":\"web\"", NULL);
	apiserver_put(client->server, "networkpolicies", "shop", "deny", "y-1", NULL, "\"spec\":{}");
	*state = client;
	return 0;
}

int watching_teardown(void **state)
{
	kubeclient_free(*state);
	return 0;
}

bool is_watching(const struct kubeclient *client)
{
	return cluster_synced(client->cluster) && apiserver_watching(client->server) == CLUSTER_KINDS;
}

void start_synced(struct kubeclient *client)
{
	kubeclient_start(client);
	UNTIL(client, is_watching(client));
	/* Past the time in which listing again counts as a failure. */
	TURN_FOR(client, client->options.timing.brief + 10);
}

const struct pod *pod(const struct kubeclient *client, const char *name)
{
	return cluster_pod_for(client->cluster, "shop", name);
}

unsigned int lists(struct kubeclient *client)
{
	return apiserver_count(client->server, "/pods?limit");
}

void sync_pods(struct kubeclient *client, const char *name)
{
	apiserver_put(client->server, "pods", "shop", name, name, NULL, NULL);
	UNTIL(client, pod(client, name));
}

void last_watch(struct kubeclient *client, char target[4096])
{
	apiserver_last(client->server, "pods?watch=1", target, 4096);
}
