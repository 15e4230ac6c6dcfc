// SPDX-License-Identifier: Apache-2.0
#include "kube/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/backoff.h"

#define BUCKETS_FIRST 64

struct object *object_free(struct object *object)
{
	if (object && object->body)
		object->kind->free(object->body);
	free(object);
	return NULL;
}

/* FNV-1a from a start that nobody outside knows: names are the tenants' choice. */
static uint64_t key_hash(const char *key)
{
	static uint64_t start;
	uint64_t hash;

	if (!start)
		start = (UINT64_C(0xcbf29ce484222325) ^ random32()) | 1;
	for (hash = start; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

struct object *objects_find(const struct objects *objects, const char *key)
{
	struct object *object;

	if (!objects->n)
		return NULL;
	object = objects->buckets[key_hash(key) & (objects->n_buckets - 1)];
	while (object && strcmp(object->key, key) != 0)
		object = object->next;
	return object;
}

static struct object **bucket_of(const struct objects *objects, const struct object *object)
{
	return &objects->buckets[object->hash & (objects->n_buckets - 1)];
}

static int objects_grow(struct objects *objects)
{
	size_t cap = objects->cap ? objects->cap * 2 : BUCKETS_FIRST;
	struct object **v = reallocarray(objects->v, cap, sizeof(*v)), **buckets;

	if (!v)
		return -ENOMEM;
	objects->v = v;
	buckets = calloc(cap, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(objects->buckets);
	objects->buckets = buckets;
	objects->n_buckets = objects->cap = cap;
	for (size_t i = 0; i < objects->n; i++) {
		struct object **bucket = bucket_of(objects, v[i]);

		v[i]->next = *bucket;
		*bucket = v[i];
	}
	return 0;
}

/* Takes an object out of the set, which keeps its order of no meaning. */
static void object_unlink(struct objects *objects, struct object *object)
{
	struct object **at = bucket_of(objects, object);

	while (*at != object)
		at = &(*at)->next;
	*at = object->next;
	objects->n_unreadable -= !object->body;
	objects->v[object->at] = objects->v[--objects->n];
	objects->v[object->at]->at = object->at;
}

static int reserve(struct feed *feed, size_t more)
{
	return feed ? feed_reserve(feed, more) : 0;
}

/* The old object's body goes to the feed, the rest of it is freed. */
static void tell(struct feed *feed, const struct object_kind *kind, struct object *old, const void *now)
{
	if (feed)
		feed_add(feed, kind->change, old ? TAKE(old->body) : NULL, now);
	object_free(old);
}

int objects_remove(struct objects *objects, struct object *object, struct feed *feed)
{
	if (reserve(feed, 1) < 0)
		return -ENOMEM;
	object_unlink(objects, object);
	tell(feed, object->kind, object, NULL);
	return 0;
}

int objects_put(struct objects *objects, struct object *object, struct feed *feed)
{
	struct object *old = objects_find(objects, object->key), **bucket;

	if (reserve(feed, 1) < 0 || (objects->n == objects->cap && objects_grow(objects) < 0)) {
		object_free(object);
		return -ENOMEM;
	}
	if (old)
		object_unlink(objects, old);
	object->hash = key_hash(object->key);
	object->at = objects->n;
	bucket = bucket_of(objects, object);
	object->next = *bucket;
	*bucket = object;
	objects->v[objects->n++] = object;
	objects->n_unreadable += !object->body;
	tell(feed, object->kind, old, object->body);
	return 0;
}

int objects_tell(const struct objects *objects, struct feed *feed)
{
	if (feed_reserve(feed, objects->n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < objects->n; i++)
		feed_add(feed, objects->v[i]->kind->change, NULL, objects->v[i]->body);
	return 0;
}

static void objects_free_arrays(struct objects *objects)
{
	free(objects->v);
	free(objects->buckets);
	*objects = (struct objects){ 0 };
}

void objects_clear(struct objects *objects)
{
	for (size_t i = 0; i < objects->n; i++)
		object_free(objects->v[i]);
	objects_free_arrays(objects);
}

bool object_same(const struct object *old, const struct object *object)
{
	if (!old || strcmp(old->uid, object->uid) != 0)
		return false;
	if (!object->body)
		return true;
	return old->body && object->kind->equal && object->kind->equal(old->body, object->body);
}

/* The body that others point at stays in use where nothing changed. */
static void body_keep(struct object *old, struct object *object)
{
	if (object->body)
		object->kind->free(object->body);
	object->body = TAKE(old->body);
}

int objects_commit(struct objects *live, struct objects *shadow, struct feed *feed)
{
	int changed = live->n != shadow->n;

	if (reserve(feed, live->n + shadow->n) < 0)
		return -ENOMEM;
	shadow->n_unreadable = 0;
	for (size_t i = 0; i < shadow->n; i++) {
		struct object *object = shadow->v[i], *old = objects_find(live, object->key);

		if (object_same(old, object)) {
			body_keep(old, object);
		} else {
			changed = 1;
			if (old)
				object_unlink(live, old);
			tell(feed, object->kind, old, object->body);
		}
		shadow->n_unreadable += !object->body;
	}
	/* What said the same has no body left; what has one is in no shadow. */
	for (size_t i = 0; i < live->n; i++)
		tell(feed, live->v[i]->kind, live->v[i], NULL);
	objects_free_arrays(live);
	*live = *shadow;
	*shadow = (struct objects){ 0 };
	return changed;
}

/* --- reading one --- */

void json_text_defang(char *text, size_t len)
{
	char *end = text + len, *at = text;

	while ((at = memchr(at, '\\', (size_t)(end - at))) && end - at >= 6) {
		if (memcmp(at, "\\u0000", 6) == 0)
			memcpy(at + 2, "fffd", 4);
		at += 2; /* what it escapes cannot begin another escape */
	}
}

static int text_want(const cJSON *metadata, const char *key, size_t max, const char **ret, struct err *err)
{
	const cJSON *member = json_get(metadata, key);

	if (!cJSON_IsString(member) || !*member->valuestring)
		return err_set(err, EBADMSG, "metadata.%s: missing", key);
	if (strlen(member->valuestring) > max)
		return err_set(err, EBADMSG, "metadata.%s: longer than %zu bytes", key, max);
	*ret = member->valuestring;
	return 0;
}

static int kind_check(const struct object_kind *kind, const cJSON *json, bool must, struct err *err)
{
	const cJSON *is = json_get(json, "kind"), *version = json_get(json, "apiVersion");

	if (!cJSON_IsObject(json))
		return err_set(err, EBADMSG, "not an object");
	if ((must || is) && (!cJSON_IsString(is) || strcmp(is->valuestring, kind->kind) != 0))
		return err_set(err, EBADMSG, "kind: is %.64s, not %s",
			       cJSON_IsString(is) ? is->valuestring : "missing", kind->kind);
	if ((must || version) &&
	    (!cJSON_IsString(version) || strcmp(version->valuestring, kind->api_version) != 0))
		return err_set(err, EBADMSG, "apiVersion: is %.64s, not %s",
			       cJSON_IsString(version) ? version->valuestring : "missing", kind->api_version);
	return 0;
}

struct object *object_new(const struct object_kind *kind, const char *namespace, const char *name,
			  const char *uid, void *body)
{
	size_t namespace_len = strlen(namespace), name_size = strlen(name) + 1, uid_size = strlen(uid) + 1,
	       key_size = namespace_len + 1 + name_size;
	struct object *object = malloc(sizeof(*object) + key_size + uid_size);

	if (!object) {
		if (body)
			kind->free(body);
		return NULL;
	}
	*object = (struct object){ .kind = kind, .body = body, .uid = object->key + key_size };
	memcpy(object->key, namespace, namespace_len);
	object->key[namespace_len] = '/';
	memcpy(object->key + namespace_len + 1, name, name_size);
	memcpy(object->key + key_size, uid, uid_size);
	return object;
}

int object_read(const struct object_kind *kind, const cJSON *json, bool must_say_kind,
		char version[OBJECT_VERSION_MAX], struct object **ret, struct err *err)
{
	const cJSON *metadata = json_get(json, "metadata"), *rv = json_get(metadata, "resourceVersion");
	const char *namespace = "", *name = "", *uid = "";
	struct object *object;
	int r = kind_check(kind, json, must_say_kind, err);

	if (r == 0)
		r = text_want(metadata, "name", OBJECT_NAME_MAX, &name, err);
	if (r == 0 && kind->is_namespaced)
		r = text_want(metadata, "namespace", OBJECT_NAME_MAX, &namespace, err);
	if (r == 0)
		r = text_want(metadata, "uid", OBJECT_UID_MAX, &uid, err);
	if (r == 0 && (strchr(name, '/') || strchr(namespace, '/')))
		r = err_set(err, EBADMSG, "metadata.name: has a slash");
	if (r < 0)
		return r;
	version[0] = '\0';
	if (cJSON_IsString(rv) && strlen(rv->valuestring) < OBJECT_VERSION_MAX)
		memcpy(version, rv->valuestring, strlen(rv->valuestring) + 1);
	object = object_new(kind, namespace, name, uid, NULL);
	if (!object)
		return err_set(err, ENOMEM, "%s %s/%s", kind->kind, namespace, name);
	r = kind->decode(json, &object->body, err);
	if (r == -ENOMEM) {
		object_free(object);
		return r;
	}
	*ret = object;
	return r != 0;
}
