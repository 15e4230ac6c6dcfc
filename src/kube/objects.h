/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one kind as a watch knows them, by namespace and name, each with
 * the uid that tells a successor of the same name from the object itself.
 *
 * A list that is still coming in is an overlay: what it says anew is in it, what says
 * the same as before is only marked in its base. So a list of what is known costs next
 * to nothing, and the base is what it was until objects_commit().
 *
 * What is replaced or removed goes into a feed and is not freed before its reader
 * has seen it: whoever compiled the objects still points at them.
 */
#ifndef KUBE_OBJECTS_H
#define KUBE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "kube/feed.h"

struct object;
struct object_names;

struct object_kind {
	const char *name;		 /* "networkpolicies" */
	const char *kind;		 /* "NetworkPolicy" */
	const char *list_kind;		 /* "NetworkPolicyList" */
	const char *api_version;	 /* "networking.k8s.io/v1" */
	const char *path;		 /* of the collection in the API */
	enum change_kind change;	 /* as which its changes are told */
	const struct object_kind *older; /* the same of an API version that servers had before; or null */
	bool is_namespaced;
	/* 1: decoded, with a remark in err. -EINVAL: cannot be used. */
	int (*decode)(const cJSON *json, void **ret_body, struct err *err);
	/* Null, or the same from the text where it is sure of it: see scan_pod(). */
	int (*scan)(char *text, size_t len, const char **ret_type, char *ret_version, struct object **ret);
	bool (*equal)(const void *a, const void *b); /* null: never */
	void (*free)(void *body);
	/* Null, or what the body says of its names: then they are not kept twice. */
	struct object_names (*names)(const void *body);
};

extern const struct object_kind object_kind_pod, object_kind_namespace, object_kind_netpol, object_kind_node,
	object_kind_service, object_kind_slice;

struct object_names {
	const char *namespace; /* "" where the kind has none */
	const char *name;
	const char *uid;
};

/* There is one for each pod of the cluster: places instead of pointers keep it small. */
struct object {
	void *body; /* the decoded object; null: it cannot be used as it is */
	uint32_t hash;
	uint32_t at;	     /* its place in objects.v */
	uint32_t next;	     /* in its bucket: a place and one; 0: none */
	uint32_t round : 24; /* of the list that last said the same */
	uint32_t kind : 7;   /* enum change_kind */
	uint32_t is_faulty : 1; /* now it cannot be read, or not all of it; the body is older or partial */
	char names[];	     /* namespace, name, uid, each with its end; nothing where the body has them */
};

struct objects {
	struct object **v;
	size_t n, cap;
	size_t n_unreadable; /* without a body */
	size_t n_faulty;     /* with those */
	uint32_t *buckets;   /* cap of them, a power of two: the first's place and one; 0: empty */

	struct objects *base; /* of an overlay; else null */
	size_t n_same;	      /* that it found the same in the base */
	uint32_t round : 24;  /* of a base: the number of the list that is coming in */
};

#define OBJECT_NAME_MAX	   253
#define OBJECT_UID_MAX	   128
#define OBJECT_VERSION_MAX 128

/* Takes `body` over, frees it when out of memory (null). The names are copied unless
 * the body has them. */
struct object *object_new(const struct object_kind *kind, const struct object_names *names, void *body);
struct object_names object_names(const struct object *object);
/* "namespace/name", or "name", for people, valid until the next call. */
const char *object_words(const struct object *object);

/* Reads what every object has, then the rest by its kind. 1: usable in part or
 * not at all (body is null), err says why. -EBADMSG: it is not an object of this
 * kind or cannot be told from others. `version` gets metadata.resourceVersion,
 * empty when it has none. `must_say_kind`: kind and apiVersion may not be left out,
 * as the items of a list do. */
int object_read(const struct object_kind *kind, const cJSON *json, bool must_say_kind,
		char version[OBJECT_VERSION_MAX], struct object **ret, struct err *err);
struct object *object_free(struct object *object);

struct object *objects_find(const struct objects *objects, const char *namespace, const char *name);
/* The one of the same names; null: none. */
struct object *objects_like(const struct objects *objects, const struct object *object);
/* With those found the same in the base. */
size_t objects_count(const struct objects *objects);
/* Each of these tells `feed` what changed; null: nobody has seen these objects, and
 * what goes is freed at once. On -ENOMEM nothing has changed.
 * objects_put() takes `object` over (frees it on -ENOMEM), in place of `old`, which is
 * what objects_like() finds for it. */
int objects_put(struct objects *objects, struct object *object, struct object *old, struct feed *feed);
int objects_remove(struct objects *objects, struct object *object, struct feed *feed);
/* Does `object` say the same as `old` (may be null)? One that cannot be used says
 * nothing, so what it was stays. */
bool object_same(const struct object *old, const struct object *object);
/* `object`, which is freed, was the same as `old`, which is one of these. */
void objects_confirm(struct objects *objects, struct object *old, struct object *object);
/* Makes the base what the overlay says, which is empty then. 1: something changed, 0:
 * nothing did. */
int objects_commit(struct objects *overlay, struct feed *feed);
/* Frees them all; nobody is told. A base of an overlay stays. */
void objects_clear(struct objects *objects);

/* \u0000 in a string becomes \ufffd: one annotation must not make the whole list
 * unreadable. */
void json_text_defang(char *text, size_t len);

#endif
