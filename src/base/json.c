// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Deeper than any Kubernetes object; keeps cJSON's recursion off a small stack. */
#define JSON_DEPTH_MAX 128

struct scan {
	const char *text;
	const char *at;
	const char *end;
	unsigned int depth;
};

static int scan_fail(const struct scan *scan, const char *what, struct err *err)
{
	unsigned int line = 1, column = 1;

	for (const char *p = scan->text; p < scan->at; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return err_set(err, EBADMSG, "line %u column %u: %s", line, column, what);
}

static bool is_hex4(const struct scan *scan)
{
	if (scan->end - scan->at < 5)
		return false;
	for (int i = 1; i < 5; i++)
		if (!isxdigit((unsigned char)scan->at[i]))
			return false;
	return true;
}

/* cJSON takes raw control bytes, and cuts a string at \u0000 (and at a \u that no
 * digits follow), so that two different names could become one. */
static int scan_string(struct scan *scan, struct err *err)
{
	for (scan->at++; scan->at < scan->end && *scan->at != '"'; scan->at++) {
		if ((unsigned char)*scan->at < 0x20)
			return scan_fail(scan, "control byte in a string", err);
		if (*scan->at != '\\')
			continue;
		if (scan->end - scan->at > 5 && memcmp(scan->at, "\\u0000", 6) == 0)
			return scan_fail(scan, "NUL in a string", err);
		scan->at++;
		if (scan->at < scan->end && *scan->at == 'u' && !is_hex4(scan))
			return scan_fail(scan, "not four hexadecimal digits", err);
	}
	if (scan->at >= scan->end)
		return scan_fail(scan, "string without an end", err);
	scan->at++;
	return 0;
}

static bool scan_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && isdigit((unsigned char)*scan->at))
		scan->at++;
	return scan->at > start;
}

static bool scan_char(struct scan *scan, const char *any_of)
{
	if (scan->at >= scan->end || !*scan->at || !strchr(any_of, *scan->at))
		return false;
	scan->at++;
	return true;
}

/* cJSON leaves numbers to strtod, which knows more forms than JSON does. */
static int scan_number(struct scan *scan, struct err *err)
{
	bool ok;

	scan_char(scan, "-");
	ok = scan_char(scan, "0") || scan_digits(scan);
	if (ok && scan_char(scan, "."))
		ok = scan_digits(scan);
	if (ok && scan_char(scan, "eE")) {
		scan_char(scan, "+-");
		ok = scan_digits(scan);
	}
	if (!ok || (scan->at < scan->end && (isalnum((unsigned char)*scan->at) || *scan->at == '.')))
		return scan_fail(scan, "not a number", err);
	return 0;
}

/* What cJSON is lax about; the structure is cJSON's to check. */
static int scan_lexemes(struct scan *scan, struct err *err)
{
	int r = 0;

	while (r == 0 && scan->at < scan->end) {
		char c = *scan->at;

		if (c == '"') {
			r = scan_string(scan, err);
		} else if (c == '-' || isdigit((unsigned char)c)) {
			r = scan_number(scan, err);
		} else if (c == '\0') {
			r = scan_fail(scan, "NUL byte", err);
		} else {
			if (c == '{' || c == '[')
				scan->depth++;
			else if ((c == '}' || c == ']') && scan->depth)
				scan->depth--;
			if (scan->depth > JSON_DEPTH_MAX)
				r = scan_fail(scan, "nested too deeply", err);
			scan->at++;
		}
	}
	return r;
}

static int key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because the number of keys is the sender's choice. */
static int object_check_keys(const cJSON *object, struct err *err)
{
	auto_free const char **keys = NULL;
	const cJSON *member;
	size_t n = 0;

	cJSON_ArrayForEach (member, object)
		n++;
	if (n < 2)
		return 0;
	keys = malloc(n * sizeof(*keys));
	if (!keys)
		return err_set(err, ENOMEM, "JSON keys");
	n = 0;
	cJSON_ArrayForEach (member, object)
		keys[n++] = member->string;
	qsort(keys, n, sizeof(*keys), key_compare);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return err_set(err, EBADMSG, "key \"%s\" stands twice in one object", keys[i]);
	return 0;
}

static int json_check_keys(const cJSON *json, struct err *err)
{
	const cJSON *child;
	int r = 0;

	if (cJSON_IsObject(json))
		r = object_check_keys(json, err);
	if (r == 0 && (cJSON_IsObject(json) || cJSON_IsArray(json)))
		cJSON_ArrayForEach (child, json)
			if ((r = json_check_keys(child, err)) < 0)
				break;
	return r;
}

int json_parse(const char *text, size_t len, cJSON **ret_json, struct err *err)
{
	struct scan scan = { .text = text, .at = text, .end = text + len };
	auto_json cJSON *json = NULL;
	const char *end = text;
	int r;

	r = scan_lexemes(&scan, err);
	if (r < 0)
		return r;
	json = cJSON_ParseWithLengthOpts(text, len, &end, false);
	scan.at = end;
	if (!json)
		return scan_fail(&scan, len ? "not JSON" : "empty", err);
	while (scan.at < scan.end && strchr(" \t\r\n", *scan.at))
		scan.at++;
	if (scan.at < scan.end)
		return scan_fail(&scan, "text after the end", err);
	r = json_check_keys(json, err);
	if (r < 0)
		return r;
	*ret_json = TAKE(json);
	return 0;
}

const cJSON *json_get(const cJSON *object, const char *key)
{
	const cJSON *member;

	if (!cJSON_IsObject(object))
		return NULL;
	member = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsNull(member) ? NULL : member;
}

int json_get_string(const cJSON *object, const char *key, const char **ret, struct err *err)
{
	const cJSON *member = json_get(object, key);

	*ret = NULL;
	if (!member)
		return 0;
	if (!cJSON_IsString(member))
		return err_set(err, EINVAL, "%s: must be a string", key);
	*ret = member->valuestring;
	return 0;
}

int json_get_int(const cJSON *object, const char *key, int64_t min, int64_t max, int64_t *ret,
		 struct err *err)
{
	const cJSON *member = json_get(object, key);
	double value;

	if (!member)
		return 0;
	if (!cJSON_IsNumber(member))
		return err_set(err, EINVAL, "%s: must be a number", key);
	value = member->valuedouble;
	/* Beyond 2^53 a double no longer tells neighbours apart. */
	if (!isfinite(value) || value != trunc(value) || fabs(value) > 9007199254740992.0 ||
	    (int64_t)value < min || (int64_t)value > max)
		return err_set(err, ERANGE, "%s: must be a whole number from %lld to %lld, is %g", key,
			       (long long)min, (long long)max, value);
	*ret = (int64_t)value;
	return 1;
}

int json_get_bool(const cJSON *object, const char *key, bool *ret, struct err *err)
{
	const cJSON *member = json_get(object, key);

	if (!member)
		return 0;
	if (!cJSON_IsBool(member))
		return err_set(err, EINVAL, "%s: must be true or false", key);
	*ret = cJSON_IsTrue(member);
	return 1;
}
