/* SPDX-License-Identifier: Apache-2.0 */
/* A client whose watches run: what tests of watches begin with. */
#ifndef LIB_WATCHING_H
#define LIB_WATCHING_H

#include "lib/kubeclient.h"

#define STATUS(code, reason)                                                                                 \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"         \
	"\"message\":\"told so\",\"reason\":\"" reason "\",\"code\":" #code "}}"
#define POD_EVENT(type, name, uid, version)                                                                  \
	"{\"type\":\"" type                                                                                  \
	"\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name               \
	"\",\"namespace\":\"shop\",\"uid\":\"" uid "\",\"resourceVersion\":\"" version "\"}}}"

/* A server with pod shop/web (uid p-1) and a policy, and a client not started yet. */
int watching_setup(void **state);
int watching_teardown(void **state);

bool is_watching(const struct kubeclient *client);
void start_synced(struct kubeclient *client);
/* Of namespace shop. */
const struct pod *pod(const struct kubeclient *client, const char *name);
/* How often pods were listed. */
unsigned int lists(struct kubeclient *client);
/* Something arrives on the pods' watch, so all before it has been read. */
void sync_pods(struct kubeclient *client, const char *name);
/* What the pods' watch asked for last. */
void last_watch(struct kubeclient *client, char target[4096]);

#endif
