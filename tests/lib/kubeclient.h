/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster source against a scripted server, with timers that suit a test. */
#ifndef LIB_KUBECLIENT_H
#define LIB_KUBECLIENT_H

#include "base/text.h"
#include "kube/cluster.h"
#include "lib/apiserver.h"
#include "lib/mirror.h"

struct kubeclient {
	struct apiserver *server;
	struct cluster_options options;
	struct api_config config;
	struct cluster *cluster; /* null until kubeclient_start() */
	struct text reports;	 /* one line each */
	unsigned int errors, changes;
	struct mirror mirror; /* knows only what changed, and must know the world by it */
	bool hold;	      /* kubeclient_turn() does not read the world */
};

/* A plain HTTP server and a client that is not started yet. */
struct kubeclient *kubeclient_new(void);
void kubeclient_start(struct kubeclient *client);
void kubeclient_free(struct kubeclient *client);

/* Waits a moment for something to happen. */
void kubeclient_turn(struct kubeclient *client);
/* What the client was told of, in no order. */
const struct world *kubeclient_world(const struct kubeclient *client);
/* Fails the test, and shows what was reported, when an error was among it. */
void kubeclient_no_errors(const struct kubeclient *client);
bool kubeclient_said(const struct kubeclient *client, const char *words);
struct cluster_kind_status kubeclient_status(const struct kubeclient *client, const char *kind);
int64_t kubeclient_now(void);

/* Turns until the condition holds; fails the test after half a minute. */
#define UNTIL(client, condition)                                                                             \
	do {                                                                                                 \
		int64_t until_ = kubeclient_now() + 30000;                                                   \
		while (!(condition)) {                                                                       \
			if (kubeclient_now() > until_)                                                       \
				fail_msg("never: %s\n%s", #condition,                                        \
					 (client)->reports.data ? (client)->reports.data : "");              \
			kubeclient_turn(client);                                                             \
		}                                                                                            \
	} while (0)

#define TURN_FOR(client, ms)                                                                                 \
	for (int64_t end_ = kubeclient_now() + (ms); kubeclient_now() < end_;)                               \
	kubeclient_turn(client)

#endif
