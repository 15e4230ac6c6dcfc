/* SPDX-License-Identifier: Apache-2.0 */
/* Where an answer comes from: the daemon, or manifests read here. All of these
 * complain on stderr and return an enum cli_exit. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/json.h"
#include "base/text.h"
#include "base/unixhttp.h"
#include "cli/command.h"
#include "kube/manifests.h"

/* GET `path` of the daemon. */
int answer_from_daemon(const struct cli_options *options, const struct screen *screen, const char *path,
		       unsigned int timeout_ms, cJSON **ret);
#define ANSWER_MS      10000
#define ANSWER_SLOW_MS 60000 /* a large matrix */

/* Appends "?key=value" or "&key=value", the value percent-encoded. */
void query_add(struct text *path, const char *key, const char *value);

/* The daemon's reply as JSON, or what it said instead on the screen. */
int reply_read(const struct screen *screen, const struct unixhttp_reply *reply, cJSON **ret);

void complain_of_daemon(const struct screen *screen, const char *socket, const struct err *err);

/* A folder of manifests as a world. */
struct offline {
	struct manifests *manifests;
	struct world world; /* arrays and objects belong to `manifests` */
	const struct screen *screen;
	bool list_skipped; /* complain of each object that is skipped */
	size_t n_skipped;
	size_t n_broken;
};
int offline_open(struct offline *offline, const struct cli_options *options, const struct screen *screen,
		 bool list_skipped);
void offline_done(struct offline *offline);

/* What a verb returns that would return `code`: an answer from broken files is
 * none to rely on. */
int offline_exit(const struct offline *offline, int code);

/* Text and number members, with a fallback. */
const char *text_in(const cJSON *object, const char *key);
double number_in(const cJSON *object, const char *key);
bool flag_in(const cJSON *object, const char *key);

#endif
