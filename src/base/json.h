/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cJSON, strictly: keys are case-sensitive, duplicate keys and trailing text
 * are errors, numbers are range-checked. Paths in errors name the field.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Parses exactly one JSON text of `len` bytes (no terminator needed). NUL in a
 * string is an error: C strings would be cut there. -EBADMSG, "line 3 column 7:
 * what" where the text is at fault. */
int json_parse(const char *text, size_t len, cJSON **ret_json, struct err *err);

/* Member of an object, or null when `object` is no object, the key is absent or
 * its value is null. */
const cJSON *json_get(const cJSON *object, const char *key);

/* String member: null when absent; -EINVAL naming `key` when of another type. */
int json_get_string(const cJSON *object, const char *key, const char **ret, struct err *err);
/* 1 present, 0 absent, -EINVAL wrong type, -ERANGE out of [min, max] or not whole. */
int json_get_int(const cJSON *object, const char *key, int64_t min, int64_t max, int64_t *ret,
		 struct err *err);
/* 1, 0, -EINVAL as above. */
int json_get_bool(const cJSON *object, const char *key, bool *ret, struct err *err);

static inline void json_free_auto(cJSON **json)
{
	cJSON_Delete(*json);
}
#define auto_json __attribute__((__cleanup__(json_free_auto)))

#endif
