/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decoders share; not for other rooms. A decoder of a part returns 0,
 * -ENOMEM, or -EINVAL with "path: what" in err: the caller then marks that part
 * invalid and keeps the message as a problem (R23).
 */
#ifndef KUBE_DECODE_PART_H
#define KUBE_DECODE_PART_H

#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "policy/model.h"

/* C12: what one object may contain. Beyond it the part is invalid. */
#define DECODE_RULES_MAX	4096
#define DECODE_PEERS_MAX	16384 /* in one rule */
#define DECODE_PORTS_MAX	4096  /* in one rule or one pod */
#define DECODE_EXCEPTS_MAX	4096  /* in one ipBlock */
#define DECODE_REQUIREMENTS_MAX 256
#define DECODE_VALUES_MAX	4096 /* in one requirement */
#define DECODE_LABELS_MAX	1024
#define DECODE_ADDRS_MAX	16
#define DECODE_PROBLEMS_MAX	64

/* Where in the object a decoder stands, as users write it. */
struct path {
	char text[256];
};

static inline struct path path_root(const char *text)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s", text);
	return path;
}

static inline struct path path_field(const struct path *parent, const char *key)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s.%s", parent->text, key);
	return path;
}

static inline struct path path_item(const struct path *parent, size_t index)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s[%zu]", parent->text, index);
	return path;
}

/* An array member. *ret_array stays null (and *ret_n 0) when absent or null. */
int part_array(const cJSON *object, const char *key, const struct path *path, size_t max,
	       const cJSON **ret_array, size_t *ret_n, struct err *err);

/* Is `object` an object with no field but `known` (null-terminated)? A field we do
 * not know could narrow the part, so the part must not count without it (C11). */
int part_fields(const cJSON *object, const struct path *path, const char *const *known, struct err *err);

/* TCP, UDP, SCTP; absent: TCP (R12). */
int part_protocol(const cJSON *object, const struct path *path, uint8_t *ret, struct err *err);

/* metadata.namespace and .name as new strings. -EINVAL: cannot be named. A null
 * ret_namespace is for cluster-scoped objects. */
int part_names(const cJSON *object, const char *default_namespace, char **ret_namespace, char **ret_name,
	       struct err *err);
/* A string member as a new string, "" when absent. */
int part_text(const cJSON *object, const char *key, const char *path, char **ret, struct err *err);
int part_labels(const cJSON *metadata, const char *path, struct labels *ret, struct err *err);
const cJSON *part_annotation(const cJSON *object, const char *key);

bool label_key_bytes_are_valid(const char *key, size_t len);
bool label_value_bytes_are_valid(const char *value, size_t len);
bool label_key_is_valid(const char *key);
bool label_value_is_valid(const char *value);
bool port_name_is_valid(const char *name);
bool object_name_is_valid(const char *name);

#endif
