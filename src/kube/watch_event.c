// SPDX-License-Identifier: Apache-2.0
/* What the server says, one line or one item at a time. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/watch.h"

#define ANNOTATION_INITIAL_END "k8s.io/initial-events-end"

static struct objects *target_of(struct watch *watch)
{
	return watch->state == WATCH_WATCHING ? &watch->live : &watch->shadow;
}

/* Nobody has seen a shadow's objects yet. */
static struct feed *feed_of(const struct watch *watch, const struct objects *target)
{
	return target == &watch->live ? watch->env->feed : NULL;
}

static int out_of_memory(struct watch *watch)
{
	return watch_judge(watch, WATCH_NEXT_LIST, true, -1, "out of memory");
}

/* C12: refused and said, not grown into until the machine dies. The first is named, the
 * others are counted. */
static int refuse(struct watch *watch, struct object *object)
{
	char why[300];

	snprintf(why, sizeof(why), "more than %zu objects; %.200s and further new ones are refused",
		 watch->max, object_words(object));
	object_free(object);
	if (watch->state != WATCH_WATCHING)
		return watch_judge(watch, WATCH_NEXT_LIST, true, -1, "%s", why);
	if (watch->counts.refused++ == 0)
		watch_degrade(watch, why, -1);
	watch->n_lasting = watch_lasting(watch);
	return 0;
}

/* R23, C12: enforced is what could be read of it, or what it was before. */
static void say_fault(struct watch *watch, const struct object *object, const struct err *err)
{
	char why[300];

	snprintf(why, sizeof(why), "%.120s: %.170s", object_words(object), err->msg);
	watch_degrade(watch, why, -1);
}

static int put(struct watch *watch, struct object *object, struct object *old)
{
	struct objects *target = target_of(watch);

	if (!old && objects_count(target) >= watch->max)
		return refuse(watch, object);
	if (object_same(old, object)) {
		objects_confirm(target, old, object);
		return 0;
	}
	if (objects_put(target, object, old, feed_of(watch, target)) < 0)
		return out_of_memory(watch);
	if (target == &watch->live)
		watch->env->changed(watch->env->data);
	return 0;
}

/* Events were lost: between these two there must have been a DELETED. The newest
 * confirmed state stays until a list says what is true. */
static int check_successor(struct watch *watch, const struct object *object, const struct object *old)
{
	if (!old || strcmp(object_names(old).uid, object_names(object).uid) == 0)
		return 0;
	return watch_judge(watch, WATCH_NEXT_LIST, false, 0, "%s: another uid, and no DELETED before",
			   object_words(object));
}

static int remove_by_uid(struct watch *watch, const struct object *object)
{
	struct objects *target = target_of(watch);
	struct object *old = objects_like(target, object);

	if (!old || strcmp(object_names(old).uid, object_names(object).uid) != 0)
		return 0; /* speaks of another object of that name */
	if (objects_remove(target, old, feed_of(watch, target)) < 0)
		return out_of_memory(watch);
	if (target == &watch->live)
		watch->env->changed(watch->env->data);
	return 0;
}

static void advance(struct watch *watch, const char *version)
{
	/* Synthetic events of a streaming list come in no order: their versions say
	 * nothing about the collection's. */
	if (watch->state == WATCH_WATCHING)
		memcpy(watch->version, version, strlen(version) + 1); /* within OBJECT_VERSION_MAX */
}

/* `r` as object_read() gave it. */
static int on_object(struct watch *watch, const char *type, struct object *object, const char *version, int r,
		     const struct err *err)
{
	struct object *old;
	bool is_faulty = r > 0;

	if (!version[0]) {
		r = watch_judge(watch, WATCH_NEXT_LIST, true, -1, "%s event: %s: no resourceVersion", type,
				object_words(object));
		object_free(object);
		return r;
	}
	if (strcmp(type, "DELETED") == 0) {
		r = remove_by_uid(watch, object);
		object_free(object);
		if (r == 0)
			advance(watch, version);
		return r;
	}
	old = objects_like(target_of(watch), object);
	if (check_successor(watch, object, old) < 0) {
		object_free(object);
		return -ECANCELED;
	}
	if (is_faulty)
		say_fault(watch, object, err);
	r = put(watch, object, old);
	if (r < 0)
		return r;
	advance(watch, version);
	if (is_faulty)
		watch->n_lasting = watch_lasting(watch);
	return 0;
}

static int on_object_json(struct watch *watch, const char *type, const cJSON *json)
{
	char version[OBJECT_VERSION_MAX];
	struct object *object = NULL;
	struct err err = { 0 };
	int r = object_read(watch->kind, json, true, version, &object, &err);

	if (r < 0)
		return watch_judge(watch, WATCH_NEXT_LIST, true, -1, "%s event: %s", type, err.msg);
	return on_object(watch, type, object, version, r, &err);
}

static int initial_end(struct watch *watch, const char *version)
{
	int r = watch_commit(watch, version);

	if (r < 0)
		return out_of_memory(watch);
	return r ? watch_judge(watch, WATCH_NEXT_LIST, false, 0, "suddenly empty") : 0;
}

static int on_bookmark(struct watch *watch, const cJSON *json)
{
	const cJSON *metadata = json_get(json, "metadata"), *version = json_get(metadata, "resourceVersion"),
		    *kind = json_get(json, "kind"),
		    *end = json_get(json_get(metadata, "annotations"), ANNOTATION_INITIAL_END);

	if (!cJSON_IsString(kind) || strcmp(kind->valuestring, watch->kind->kind) != 0)
		return watch_judge(watch, WATCH_NEXT_LIST, true, -1, "bookmark of another kind");
	if (!cJSON_IsString(version) || !*version->valuestring ||
	    strlen(version->valuestring) >= OBJECT_VERSION_MAX)
		return watch_judge(watch, WATCH_NEXT_LIST, true, -1, "bookmark without a resourceVersion");
	watch->counts.bookmarks++;
	if (watch->state == WATCH_WATCHING)
		advance(watch, version->valuestring);
	else if (cJSON_IsString(end) && strcmp(end->valuestring, "true") == 0)
		return initial_end(watch, version->valuestring);
	return 0;
}

void watch_status_words(const cJSON *status, char *out, size_t out_size)
{
	const cJSON *reason = json_get(status, "reason"), *message = json_get(status, "message");

	snprintf(out, out_size, "%.48s%s%.180s", cJSON_IsString(reason) ? reason->valuestring : "",
		 cJSON_IsString(reason) && cJSON_IsString(message) ? ": " : "",
		 cJSON_IsString(message) ? message->valuestring : "");
}

/* An error in the stream is a Status; its own metadata is empty and moves nothing. */
static int on_error(struct watch *watch, const cJSON *status)
{
	const cJSON *reason = json_get(status, "reason");
	const char *name = cJSON_IsString(reason) ? reason->valuestring : "";
	int64_t code = 0, seconds = 0;
	char words[240];

	json_get_int(status, "code", 0, 999, &code, NULL);
	watch_status_words(status, words, sizeof(words));
	if (code == 410 || strcmp(name, "Expired") == 0 || strcmp(name, "Gone") == 0)
		return watch_judge(watch, WATCH_NEXT_LIST, false, 0, "watch expired: %s", words);
	if (code == 429) {
		int told = json_get_int(json_get(status, "details"), "retryAfterSeconds", 0, 1000000,
					&seconds, NULL);

		return watch_judge(watch, WATCH_NEXT_WATCH, true, told == 1 ? seconds * 1000 : -1,
				   "error in the watch: %s", words);
	}
	return watch_judge(watch, code >= 500 ? WATCH_NEXT_WATCH : WATCH_NEXT_LIST, true, -1,
			   "error in the watch: %s", words[0] ? words : "without a reason");
}

static void count_event(struct watch *watch)
{
	watch->call_events++;
	watch->counts.events++;
	watch->progress_ms = pollset_now_ms();
}

static int event_done(struct watch *watch, int r)
{
	if (r == 0 && watch->state == WATCH_WATCHING)
		watch_is_well(watch);
	return r;
}

/* 1: the long way must be gone. */
static int on_line_scanned(struct watch *watch, char *text, size_t len)
{
	char version[OBJECT_VERSION_MAX];
	struct object *object = NULL;
	const char *type = NULL;
	int r = watch->kind->scan ? watch->kind->scan(text, len, &type, version, &object) : 1;

	if (r > 0)
		return 1;
	if (r < 0)
		return out_of_memory(watch);
	count_event(watch);
	return event_done(watch, on_object(watch, type, object, version, 0, NULL));
}

static int on_line_json(struct watch *watch, char *text, size_t len, struct err *err)
{
	auto_json cJSON *event = NULL;
	const cJSON *type, *object;
	const char *word;
	int r;

	json_text_defang(text, len);
	r = json_parse(text, len, &event, err);
	if (r < 0)
		return r == -ENOMEM ? out_of_memory(watch)
				    : watch_judge(watch, WATCH_NEXT_LIST, true, -1, "event: %s", err->msg);
	type = json_get(event, "type");
	object = json_get(event, "object");
	word = cJSON_IsString(type) ? type->valuestring : "";
	if (strcmp(word, "ERROR") == 0)
		return on_error(watch, object);
	count_event(watch);
	if (strcmp(word, "BOOKMARK") == 0)
		r = on_bookmark(watch, object);
	else if (strcmp(word, "ADDED") == 0 || strcmp(word, "MODIFIED") == 0 || strcmp(word, "DELETED") == 0)
		r = on_object_json(watch, word, object);
	else
		r = watch_judge(watch, WATCH_NEXT_LIST, true, -1, "event of unknown type \"%.32s\"", word);
	return event_done(watch, r);
}

int watch_on_line(char *text, size_t len, void *data, struct err *err)
{
	struct watch *watch = data;
	int r = on_line_scanned(watch, text, len);

	return r > 0 ? on_line_json(watch, text, len, err) : r;
}

static int item_read_json(const struct object_kind *kind, char *text, size_t len, struct object **ret,
			  struct err *err)
{
	char version[OBJECT_VERSION_MAX];
	auto_json cJSON *json = NULL;
	int r;

	json_text_defang(text, len);
	r = json_parse(text, len, &json, err);
	return r < 0 ? r : object_read(kind, json, false, version, ret, err);
}

static int item_read(const struct object_kind *kind, char *text, size_t len, struct object **ret,
		     struct err *err)
{
	char version[OBJECT_VERSION_MAX];
	int r = kind->scan ? kind->scan(text, len, NULL, version, ret) : 1;

	if (r < 0)
		return err_set(err, -r, "%s", kind->kind);
	return r > 0 ? item_read_json(kind, text, len, ret, err) : 0;
}

int watch_on_item(char *text, size_t len, void *data, struct err *err)
{
	struct watch *watch = data;
	struct object *object = NULL;
	int r = item_read(watch->kind, text, len, &object, err);

	if (r < 0)
		return err_wrap(err, r, "item %zu", objects_count(&watch->shadow));
	if (r > 0)
		say_fault(watch, object, err);
	return put(watch, object, objects_like(&watch->shadow, object));
}
