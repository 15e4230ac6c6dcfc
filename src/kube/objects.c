// SPDX-License-Identifier: Apache-2.0
#include "kube/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/backoff.h"

#define BUCKETS_FIRST 64

/* FNV-1a from a start that nobody outside knows: names are the tenants' choice. */
static uint32_t names_hash(const char *namespace, const char *name)
{
	static uint64_t start;
	uint64_t hash;

	if (!start)
		start = (UINT64_C(0xcbf29ce484222325) ^ random32()) | 1;
	for (hash = start; *namespace; namespace ++)
		hash = (hash ^ (unsigned char)*namespace) * UINT64_C(0x100000001b3);
	hash = (hash ^ '/') * UINT64_C(0x100000001b3);
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return (uint32_t)(hash ^ hash >> 32);
}

static struct object *own_find(const struct objects *objects, uint32_t hash, const char *namespace,
			       const char *name)
{
	uint32_t at = objects->n ? objects->buckets[hash & (objects->cap - 1)] : 0;

	for (; at; at = objects->v[at - 1]->next) {
		struct object *object = objects->v[at - 1];
		struct object_names names;

		if (object->hash != hash)
			continue;
		names = object_names(object);
		if (strcmp(names.name, name) == 0 && strcmp(names.namespace, namespace) == 0)
			return object;
	}
	return NULL;
}

static bool is_confirmed(const struct objects *base, const struct object *object)
{
	return object && object->round == base->round;
}

struct object *objects_find(const struct objects *objects, const char *namespace, const char *name)
{
	uint32_t hash = names_hash(namespace, name);
	struct object *object = own_find(objects, hash, namespace, name);

	if (object || !objects->base)
		return object;
	object = own_find(objects->base, hash, namespace, name);
	return is_confirmed(objects->base, object) ? object : NULL;
}

struct object *objects_like(const struct objects *objects, const struct object *object)
{
	struct object_names names = object_names(object);

	return objects_find(objects, names.namespace, names.name);
}

size_t objects_count(const struct objects *objects)
{
	return objects->n + objects->n_same;
}

static uint32_t *bucket_of(const struct objects *objects, const struct object *object)
{
	return &objects->buckets[object->hash & (objects->cap - 1)];
}

static void bucket_add(struct objects *objects, struct object *object)
{
	uint32_t *bucket = bucket_of(objects, object);

	object->next = *bucket;
	*bucket = object->at + 1;
}

/* What leads to the object: its bucket, or the one before it there. */
static uint32_t *link_of(const struct objects *objects, const struct object *object)
{
	uint32_t *link = bucket_of(objects, object);

	while (*link != object->at + 1)
		link = &objects->v[*link - 1]->next;
	return link;
}

/* Room for n objects in all. */
static int objects_reserve(struct objects *objects, size_t n)
{
	size_t cap = objects->cap ? objects->cap : BUCKETS_FIRST;
	struct object **v;
	uint32_t *buckets;

	if (n <= objects->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	v = reallocarray(objects->v, cap, sizeof(struct object *));
	if (!v)
		return -ENOMEM;
	objects->v = v;
	buckets = calloc(cap, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(objects->buckets);
	objects->buckets = buckets;
	objects->cap = cap;
	for (size_t i = 0; i < objects->n; i++)
		bucket_add(objects, v[i]);
	return 0;
}

/* Into the place that was reserved. */
static void object_link(struct objects *objects, struct object *object)
{
	object->at = (uint32_t)objects->n;
	bucket_add(objects, object);
	objects->v[objects->n++] = object;
	objects->n_unreadable += !object->body;
	objects->n_faulty += object->is_faulty;
}

/* Takes an object out of the set, which keeps its order of no meaning. */
static void object_unlink(struct objects *objects, struct object *object)
{
	struct object *last = objects->v[--objects->n];

	*link_of(objects, object) = object->next;
	objects->n_unreadable -= !object->body;
	objects->n_faulty -= object->is_faulty;
	if (last == object)
		return;
	*link_of(objects, last) = object->at + 1;
	objects->v[object->at] = last;
	last->at = object->at;
}

static int reserve(struct feed *feed, size_t more)
{
	return feed ? feed_reserve(feed, more) : 0;
}

/* The old object's body goes to the feed, the rest of it is freed. */
static void tell(struct feed *feed, enum change_kind kind, struct object *old, const void *now)
{
	if (feed)
		feed_add(feed, kind, old ? TAKE(old->body) : NULL, now);
	object_free(old);
}

/* Only what the overlay itself holds can go from it; the base's is no longer the same. */
static int overlay_remove(struct objects *overlay, struct object *object)
{
	if (!is_confirmed(overlay->base, object)) {
		object_unlink(overlay, object);
		object_free(object);
		return 0;
	}
	object->round--;
	overlay->n_same--;
	return 0;
}

int objects_remove(struct objects *objects, struct object *object, struct feed *feed)
{
	if (objects->base)
		return overlay_remove(objects, object);
	if (reserve(feed, 1) < 0)
		return -ENOMEM;
	object_unlink(objects, object);
	tell(feed, object->kind, object, NULL);
	return 0;
}

void objects_confirm(struct objects *objects, struct object *old, struct object *object)
{
	struct objects *owner =
		objects->base && is_confirmed(objects->base, old) ? objects->base : objects;

	owner->n_faulty += object->is_faulty;
	owner->n_faulty -= old->is_faulty;
	old->is_faulty = object->is_faulty;
	object_free(object);
}

/* True: the base says the same, and `object` is freed. */
static bool overlay_confirm(struct objects *overlay, struct object *object)
{
	struct object *old = objects_like(overlay->base, object);

	if (!object_same(old, object))
		return false;
	old->round = overlay->base->round;
	overlay->n_same++;
	objects_confirm(overlay, old, object);
	return true;
}

int objects_put(struct objects *objects, struct object *object, struct object *old, struct feed *feed)
{
	if (reserve(feed, 1) < 0 || objects_reserve(objects, objects->n + 1) < 0) {
		object_free(object);
		return -ENOMEM;
	}
	if (objects->base) {
		if (old)
			overlay_remove(objects, old);
		if (overlay_confirm(objects, object))
			return 0;
		old = NULL;
	}
	if (old)
		object_unlink(objects, old);
	object->hash = names_hash(object_names(object).namespace, object_names(object).name);
	object_link(objects, object);
	tell(feed, object->kind, old, object->body);
	return 0;
}

/* Of an overlay: the marks in its base mean nothing from now on. */
static void objects_empty(struct objects *objects)
{
	free(objects->v);
	free(objects->buckets);
	if (objects->base && ++objects->base->round == 0)
		objects->base->round = 1; /* 0 is nobody's mark */
	*objects = (struct objects){ .base = objects->base, .round = objects->round };
}

void objects_clear(struct objects *objects)
{
	for (size_t i = 0; i < objects->n; i++)
		object_free(objects->v[i]);
	objects_empty(objects);
}

/* What the base has and the overlay neither found the same nor has anew. */
static size_t gone_drop(struct objects *base, const struct objects *overlay, struct feed *feed)
{
	size_t n_before = base->n;

	for (size_t i = base->n; i-- > 0;) {
		struct object *object = base->v[i];
		struct object_names names = object_names(object);

		if (is_confirmed(base, object) ||
		    own_find(overlay, object->hash, names.namespace, names.name))
			continue;
		object_unlink(base, object);
		tell(feed, object->kind, object, NULL);
	}
	return n_before - base->n;
}

int objects_commit(struct objects *overlay, struct feed *feed)
{
	struct objects *base = overlay->base;
	size_t changed = overlay->n;

	/* At most: all that is not the same goes, all that is new comes. */
	if (reserve(feed, overlay->n + base->n - overlay->n_same) < 0 ||
	    objects_reserve(base, base->n + overlay->n) < 0)
		return -ENOMEM;
	changed += gone_drop(base, overlay, feed);
	for (size_t i = 0; i < overlay->n; i++) {
		struct object *object = overlay->v[i], *old = objects_like(base, object);

		if (old)
			object_unlink(base, old);
		object_link(base, object);
		tell(feed, object->kind, old, object->body);
	}
	objects_empty(overlay);
	return changed > 0;
}
