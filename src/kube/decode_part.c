// SPDX-License-Identifier: Apache-2.0
#include "kube/decode_part.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"

#define NAME_MAX_LEN	   253 /* RFC 1123 subdomain */
#define LABEL_PART_MAX_LEN 63  /* label value, and the name part of a key */
#define PORT_NAME_MAX_LEN  15  /* RFC 6335 */

int part_array(const cJSON *object, const char *key, const struct path *path, size_t max,
	       const cJSON **ret_array, size_t *ret_n, struct err *err)
{
	const cJSON *array = json_get(object, key);

	*ret_array = NULL;
	*ret_n = 0;
	if (!array)
		return 0;
	if (!cJSON_IsArray(array))
		return err_set(err, EINVAL, "%s.%s: must be a list", path->text, key);
	*ret_n = (size_t)cJSON_GetArraySize(array);
	if (*ret_n > max)
		return err_set(err, EINVAL, "%s.%s: has %zu items, at most %zu are supported", path->text,
			       key, *ret_n, max);
	*ret_array = array;
	return 0;
}

int part_fields(const cJSON *object, const struct path *path, const char *const *known, struct err *err)
{
	const cJSON *member;

	if (!cJSON_IsObject(object))
		return err_set(err, EINVAL, "%s: must be an object", path->text);
	cJSON_ArrayForEach (member, object) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], member->string) != 0)
			i++;
		if (!known[i])
			return err_set(err, EINVAL, "%s.%s: unknown field", path->text, member->string);
	}
	return 0;
}

int part_protocol(const cJSON *object, const struct path *path, uint8_t *ret, struct err *err)
{
	const cJSON *protocol = json_get(object, "protocol");

	if (protocol && !cJSON_IsString(protocol))
		return err_set(err, EINVAL, "%s.protocol: must be a string", path->text);
	if (!protocol || strcmp(protocol->valuestring, "TCP") == 0)
		*ret = IPPROTO_TCP;
	else if (strcmp(protocol->valuestring, "UDP") == 0)
		*ret = IPPROTO_UDP;
	else if (strcmp(protocol->valuestring, "SCTP") == 0)
		*ret = IPPROTO_SCTP;
	else
		return err_set(err, EINVAL, "%s.protocol: must be TCP, UDP or SCTP, is \"%s\"", path->text,
			       protocol->valuestring);
	return 0;
}

int part_text(const cJSON *object, const char *key, const char *path, char **ret, struct err *err)
{
	const char *text;
	int r = json_get_string(object, key, &text, err);

	if (r < 0)
		return err_set(err, EINVAL, "%s.%s: must be a string", path, key);
	*ret = strdup(text ? text : "");
	return *ret ? 0 : err_set(err, ENOMEM, "%s.%s", path, key);
}

/* Rooms join names as "namespace/name"; a slash inside one would forge another. */
static int name_take(const cJSON *metadata, const char *key, const char *fallback, char **ret,
		     struct err *err)
{
	auto_free char *text = NULL;
	int r = part_text(metadata, key, "metadata", &text, err);

	if (r < 0)
		return r;
	if (!*text) {
		if (!fallback || !*fallback)
			return err_set(err, EINVAL, "metadata.%s: missing", key);
		free(text);
		text = strdup(fallback);
		if (!text)
			return err_set(err, ENOMEM, "metadata.%s", key);
	}
	if (strchr(text, '/') || strlen(text) > NAME_MAX_LEN)
		return err_set(err, EINVAL, "metadata.%s: not a name (at most %d bytes, no \"/\")", key,
			       NAME_MAX_LEN);
	*ret = TAKE(text);
	return 0;
}

int part_names(const cJSON *object, const char *default_namespace, char **ret_namespace, char **ret_name,
	       struct err *err)
{
	const cJSON *metadata = json_get(object, "metadata");
	auto_free char *name = NULL;
	int r;

	if (!cJSON_IsObject(object))
		return err_set(err, EINVAL, "not an object");
	if (!cJSON_IsObject(metadata))
		return err_set(err, EINVAL, "metadata: missing");
	r = name_take(metadata, "name", NULL, &name, err);
	if (r == 0 && ret_namespace)
		r = name_take(metadata, "namespace", default_namespace, ret_namespace, err);
	if (r < 0)
		return r;
	*ret_name = TAKE(name);
	return 0;
}

int part_labels(const cJSON *metadata, const char *path, struct labels *ret, struct err *err)
{
	const cJSON *map = json_get(metadata, "labels"), *label;

	if (map && !cJSON_IsObject(map))
		return err_set(err, EINVAL, "%s.labels: must be an object", path);
	if (cJSON_GetArraySize(map) > DECODE_LABELS_MAX)
		return err_set(err, EINVAL, "%s.labels: more than %d labels", path, DECODE_LABELS_MAX);
	cJSON_ArrayForEach (label, map) {
		if (!label_key_is_valid(label->string))
			return err_set(err, EINVAL, "%s.labels.%s: not a label key", path, label->string);
		if (!cJSON_IsString(label))
			return err_set(err, EINVAL, "%s.labels.%s: must be a string; quote it", path,
				       label->string);
		if (!label_value_is_valid(label->valuestring))
			return err_set(err, EINVAL, "%s.labels.%s: not a label value", path, label->string);
		if (labels_set(ret, label->string, label->valuestring) < 0)
			return err_set(err, ENOMEM, "%s.labels", path);
	}
	return 0;
}

const cJSON *part_annotation(const cJSON *object, const char *key)
{
	return json_get(json_get(json_get(object, "metadata"), "annotations"), key);
}

/* What may stand in a label: 2 anywhere, 1 between two others. One look instead of a
 * call for each byte: this is asked of every label of every pod. */
static const uint8_t label_bytes[256] = {
	['a' ... 'z'] = 2, ['A' ... 'Z'] = 2, ['0' ... '9'] = 2, ['-'] = 1, ['_'] = 1, ['.'] = 1,
};

static bool is_label_part(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;

	if (len == 0 || len > LABEL_PART_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!label_bytes[bytes[i]])
			return false;
	return label_bytes[bytes[0]] == 2 && label_bytes[bytes[len - 1]] == 2;
}

/* RFC 1123: lower case labels joined by dots. */
static bool is_subdomain(const char *text, size_t len)
{
	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool alnum = islower((unsigned char)text[i]) || isdigit((unsigned char)text[i]);
		bool edge = i == 0 || i == len - 1 || text[i - 1] == '.' || text[i + 1] == '.';

		if (!alnum && (edge || (text[i] != '-' && text[i] != '.')))
			return false;
	}
	return true;
}

bool object_name_is_valid(const char *name)
{
	return is_subdomain(name, strlen(name));
}

bool label_key_bytes_are_valid(const char *key, size_t len)
{
	const char *slash = memchr(key, '/', len);
	size_t prefix = slash ? (size_t)(slash - key) : 0;

	if (!slash)
		return is_label_part(key, len);
	return is_subdomain(key, prefix) && is_label_part(slash + 1, len - prefix - 1);
}

bool label_value_bytes_are_valid(const char *value, size_t len)
{
	return len == 0 || is_label_part(value, len);
}

bool label_key_is_valid(const char *key)
{
	return label_key_bytes_are_valid(key, strlen(key));
}

bool label_value_is_valid(const char *value)
{
	return label_value_bytes_are_valid(value, strlen(value));
}

bool port_name_is_valid(const char *name)
{
	size_t len = strlen(name);
	bool letter = false;

	if (len == 0 || len > PORT_NAME_MAX_LEN || name[0] == '-' || name[len - 1] == '-' ||
	    strstr(name, "--"))
		return false;
	for (size_t i = 0; i < len; i++) {
		letter |= islower((unsigned char)name[i]) != 0;
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '-')
			return false;
	}
	return letter;
}
