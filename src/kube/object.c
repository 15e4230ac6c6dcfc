// SPDX-License-Identifier: Apache-2.0
/* One object: its names, and how it is read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/objects.h"

/* Of whatever API version an object was: what is asked of these is the same for all. */
static const struct object_kind *kind_of(const struct object *object)
{
	static const struct object_kind *const kinds[CHANGE_KINDS] = {
		[CHANGE_POD] = &object_kind_pod,	 [CHANGE_NAMESPACE] = &object_kind_namespace,
		[CHANGE_NETPOL] = &object_kind_netpol,	 [CHANGE_NODE] = &object_kind_node,
		[CHANGE_SERVICE] = &object_kind_service, [CHANGE_SLICE] = &object_kind_slice,
	};

	return kinds[object->kind];
}

struct object *object_free(struct object *object)
{
	if (object && object->body)
		kind_of(object)->free(object->body);
	free(object);
	return NULL;
}

struct object *object_new(const struct object_kind *kind, const struct object_names *names, void *body)
{
	const char *const words[] = { names->namespace, names->name, names->uid };
	size_t size = 0;
	struct object *object;
	char *at;

	for (int i = 0; i < 3 && (!body || !kind->names); i++)
		size += strlen(words[i]) + 1;
	object = malloc(sizeof(*object) + size);
	if (!object) {
		if (body)
			kind->free(body);
		return NULL;
	}
	*object = (struct object){ .kind = kind->change, .body = body };
	at = object->names;
	for (int i = 0; i < 3 && size; i++)
		at = stpcpy(at, words[i]) + 1;
	return object;
}

struct object_names object_names(const struct object *object)
{
	struct object_names names;

	if (object->body && kind_of(object)->names)
		return kind_of(object)->names(object->body);
	names.namespace = object->names;
	names.name = names.namespace + strlen(names.namespace) + 1;
	names.uid = names.name + strlen(names.name) + 1;
	return names;
}

const char *object_words(const struct object *object)
{
	static char words[2 * OBJECT_NAME_MAX + 2];
	struct object_names names = object_names(object);

	snprintf(words, sizeof(words), "%s%s%s", names.namespace, *names.namespace ? "/" : "", names.name);
	return words;
}

bool object_same(const struct object *old, const struct object *object)
{
	if (!old || strcmp(object_names(old).uid, object_names(object).uid) != 0)
		return false;
	if (!object->body)
		return true;
	return old->body && kind_of(object)->equal && kind_of(object)->equal(old->body, object->body);
}

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

static int names_read(const struct object_kind *kind, const cJSON *metadata, struct object_names *ret,
		      struct err *err)
{
	int r = text_want(metadata, "name", OBJECT_NAME_MAX, &ret->name, err);

	if (r == 0 && kind->is_namespaced)
		r = text_want(metadata, "namespace", OBJECT_NAME_MAX, &ret->namespace, err);
	if (r == 0)
		r = text_want(metadata, "uid", OBJECT_UID_MAX, &ret->uid, err);
	if (r == 0 && (strchr(ret->name, '/') || strchr(ret->namespace, '/')))
		r = err_set(err, EBADMSG, "metadata.name: has a slash");
	/* Whose error it is, as far as it is known. */
	if (r < 0 && *ret->name)
		return err_wrap(err, r, "%s%s%s", ret->namespace, *ret->namespace ? "/" : "", ret->name);
	return r;
}

int object_read(const struct object_kind *kind, const cJSON *json, bool must_say_kind,
		char version[OBJECT_VERSION_MAX], struct object **ret, struct err *err)
{
	const cJSON *metadata = json_get(json, "metadata"), *rv = json_get(metadata, "resourceVersion");
	struct object_names names = { "", "", "" };
	void *body = NULL;
	int r = kind_check(kind, json, must_say_kind, err);

	if (r == 0)
		r = names_read(kind, metadata, &names, err);
	if (r < 0)
		return r;
	version[0] = '\0';
	if (cJSON_IsString(rv) && strlen(rv->valuestring) < OBJECT_VERSION_MAX)
		memcpy(version, rv->valuestring, strlen(rv->valuestring) + 1);
	r = kind->decode(json, &body, err);
	if (r == -ENOMEM)
		return r;
	*ret = object_new(kind, &names, body);
	if (!*ret)
		return err_set(err, ENOMEM, "%s %s/%s", kind->kind, names.namespace, names.name);
	(*ret)->is_faulty = r != 0;
	return r != 0;
}
