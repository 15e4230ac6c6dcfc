// SPDX-License-Identifier: Apache-2.0
#include "cli/answer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define auto_reply cleanup(unixhttp_reply_done)

const char *text_in(const cJSON *object, const char *key)
{
	const cJSON *member = json_get(object, key);

	return cJSON_IsString(member) ? member->valuestring : "";
}

double number_in(const cJSON *object, const char *key)
{
	const cJSON *member = json_get(object, key);

	return cJSON_IsNumber(member) ? member->valuedouble : 0;
}

bool flag_in(const cJSON *object, const char *key)
{
	return cJSON_IsTrue(json_get(object, key));
}

void query_add(struct text *path, const char *key, const char *value)
{
	text_addf(path, "%c%s=", path->data && strchr(path->data, '?') ? '&' : '?', key);
	for (const unsigned char *s = (const unsigned char *)value; *s; s++)
		text_addf(path, isalnum(*s) || strchr("-._~", *s) ? "%c" : "%%%02X", *s);
}

void complain_of_daemon(const struct screen *screen, const char *socket, const struct err *err)
{
	if (err->code == ENOENT || err->code == ECONNREFUSED)
		screen_complain(screen,
				"no daemon answers at %s (is bulkheadd running? explain, matrix and lint "
				"work with --manifests DIR)",
				socket);
	else
		screen_complain(screen, "%s", err->msg);
}

int reply_read(const struct screen *screen, const struct unixhttp_reply *reply, cJSON **ret)
{
	auto_json cJSON *json = NULL;
	struct err err = { 0 };
	const char *error;

	if (json_parse(reply->body ? reply->body : "", reply->len, &json, &err) < 0) {
		screen_complain(screen, "the daemon's answer (status %d): %s", reply->status, err.msg);
		return CLI_CANNOT_SAY;
	}
	error = text_in(json, "error");
	if (reply->status != 200) {
		screen_complain(screen, "%s", *error ? error : "the daemon refused without saying why");
		return CLI_CANNOT_SAY;
	}
	*ret = TAKE(json);
	return CLI_OK;
}

int answer_from_daemon(const struct cli_options *options, const struct screen *screen, const char *path,
		       unsigned int timeout_ms, cJSON **ret)
{
	auto_reply struct unixhttp_reply reply = { 0 };
	struct err err = { 0 };

	if (unixhttp_request(options->socket, "GET", path, NULL, timeout_ms, &reply, &err) < 0) {
		complain_of_daemon(screen, options->socket, &err);
		return CLI_CANNOT_SAY;
	}
	return reply_read(screen, &reply, ret);
}

/* --- manifests --- */

static void offline_note(enum manifest_news news, const char *message, void *data)
{
	struct offline *offline = data;

	offline->n_skipped += news == MANIFEST_SKIPPED;
	if (news != MANIFEST_SKIPPED || offline->list_skipped)
		screen_complain(offline->screen, "%s", message);
}

/* A folder without objects is a mistaken path, and "nothing wrong" the wrong answer. */
static int offline_expect_objects(const struct offline *offline, const char *folder, struct err *err)
{
	const struct world *world = &offline->world;

	if (world->n_pods || world->n_namespaces || world->n_netpols || world->n_services ||
	    offline->n_skipped || manifests_broken(offline->manifests))
		return 0;
	return err_set(err, ENOENT,
		       "%s: no object in its *.yaml, *.yml and *.json files (subfolders are not read)",
		       folder);
}

int offline_open(struct offline *offline, const struct cli_options *options, const struct screen *screen,
		 bool list_skipped)
{
	struct err err = { 0 };
	int r;

	*offline = (struct offline){ .screen = screen, .list_skipped = list_skipped };
	r = manifests_new(options->manifests, "default", offline_note, offline, &offline->manifests, &err);
	if (r == 0)
		r = manifests_read(offline->manifests, &err);
	if (r >= 0) {
		offline->world = *manifests_world(offline->manifests);
		/* bulkheadd's default settings, where they change verdicts. */
		offline->world.posture =
			(struct posture_config){ .posture = options->posture, .deny_pod_to_node = true };
		r = offline_expect_objects(offline, options->manifests, &err);
	}
	if (r < 0) {
		screen_complain(screen, "%s", err.msg);
		offline_done(offline);
		return CLI_CANNOT_SAY;
	}
	offline->n_broken = manifests_broken(offline->manifests);
	return CLI_OK;
}

void offline_done(struct offline *offline)
{
	manifests_free(offline->manifests);
	*offline = (struct offline){ 0 };
}

int offline_exit(const struct offline *offline, int code)
{
	if (offline->n_broken == 0)
		return code;
	screen_complain(offline->screen, "%zu broken file%s: this is not the whole picture",
			offline->n_broken, offline->n_broken == 1 ? "" : "s");
	return CLI_CANNOT_SAY;
}
