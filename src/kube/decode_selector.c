// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/decode.h"
#include "kube/decode_part.h"

static const struct {
	const char *name;
	enum selector_op op;
	bool has_values;
} operators[] = {
	{ "In", SELECTOR_IN, true },
	{ "NotIn", SELECTOR_NOT_IN, true },
	{ "Exists", SELECTOR_EXISTS, false },
	{ "DoesNotExist", SELECTOR_NOT_EXISTS, false },
};
#define N_OPERATORS (sizeof(operators) / sizeof(*operators))

static int requirement_add_value(struct requirement *requirement, const cJSON *value, const struct path *path,
				 struct err *err)
{
	if (!cJSON_IsString(value))
		return err_set(err, EINVAL, "%s: must be a string; quote it", path->text);
	/* NotIn with a value no label can have would match everything. */
	if (!label_value_is_valid(value->valuestring))
		return err_set(err, EINVAL, "%s: not a label value", path->text);
	requirement->values[requirement->n_values] = strdup(value->valuestring);
	if (!requirement->values[requirement->n_values])
		return err_set(err, ENOMEM, "%s", path->text);
	requirement->n_values++;
	return 0;
}

static int requirement_set_key(struct requirement *requirement, const char *key, const struct path *path,
			       struct err *err)
{
	if (!key || !label_key_is_valid(key))
		return err_set(err, EINVAL, "%s: not a label key", path->text);
	requirement->key = strdup(key);
	return requirement->key ? 0 : err_set(err, ENOMEM, "%s", path->text);
}

static int match_label_decode(const cJSON *label, const struct path *path, struct requirement *ret,
			      struct err *err)
{
	struct path at = path_field(path, label->string);
	int r = requirement_set_key(ret, label->string, &at, err);

	if (r < 0)
		return r;
	ret->op = SELECTOR_IN;
	ret->values = calloc(1, sizeof(*ret->values));
	if (!ret->values)
		return err_set(err, ENOMEM, "%s", at.text);
	return requirement_add_value(ret, label, &at, err);
}

static int operator_decode(const cJSON *expression, const struct path *path, struct requirement *ret,
			   bool *ret_has_values, struct err *err)
{
	const cJSON *name = json_get(expression, "operator");

	for (size_t i = 0; i < N_OPERATORS && cJSON_IsString(name); i++)
		if (strcmp(operators[i].name, name->valuestring) == 0) {
			ret->op = operators[i].op;
			*ret_has_values = operators[i].has_values;
			return 0;
		}
	return err_set(err, EINVAL, "%s.operator: must be In, NotIn, Exists or DoesNotExist", path->text);
}

static int values_decode(const cJSON *expression, bool wanted, const struct path *path,
			 struct requirement *ret, struct err *err)
{
	struct path list = path_field(path, "values");
	const cJSON *values, *value;
	size_t n, i = 0;
	int r = part_array(expression, "values", path, DECODE_VALUES_MAX, &values, &n, err);

	if (r < 0)
		return r;
	if (wanted != (n > 0))
		return err_set(err, EINVAL, "%s: %s", list.text,
			       wanted ? "this operator needs at least one" : "this operator takes none");
	ret->values = n ? calloc(n, sizeof(*ret->values)) : NULL;
	if (n && !ret->values)
		return err_set(err, ENOMEM, "%s", list.text);
	cJSON_ArrayForEach (value, values) {
		struct path at = path_item(&list, i++);

		r = requirement_add_value(ret, value, &at, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int expression_decode(const cJSON *expression, const struct path *path, struct requirement *ret,
			     struct err *err)
{
	static const char *const known[] = { "key", "operator", "values", NULL };
	struct path key_path = path_field(path, "key");
	const cJSON *key = json_get(expression, "key");
	bool has_values = false;
	int r = part_fields(expression, path, known, err);

	if (r == 0)
		r = requirement_set_key(ret, cJSON_IsString(key) ? key->valuestring : NULL, &key_path, err);
	if (r == 0)
		r = operator_decode(expression, path, ret, &has_values, err);
	if (r == 0)
		r = values_decode(expression, has_values, path, ret, err);
	return r;
}

static int requirements_decode(const cJSON *object, const struct path *path, struct selector *ret,
			       struct err *err)
{
	struct path labels_path = path_field(path, "matchLabels");
	struct path list_path = path_field(path, "matchExpressions");
	const cJSON *labels = json_get(object, "matchLabels"), *list, *item;
	size_t n_labels, n_list, i = 0;
	int r;

	if (labels && !cJSON_IsObject(labels))
		return err_set(err, EINVAL, "%s: must be an object", labels_path.text);
	r = part_array(object, "matchExpressions", path, DECODE_REQUIREMENTS_MAX, &list, &n_list, err);
	if (r < 0)
		return r;
	n_labels = (size_t)cJSON_GetArraySize(labels);
	if (n_labels > DECODE_REQUIREMENTS_MAX)
		return err_set(err, EINVAL, "%s: more than %d labels", labels_path.text,
			       DECODE_REQUIREMENTS_MAX);
	if (n_labels + n_list == 0)
		return 0;
	ret->v = calloc(n_labels + n_list, sizeof(*ret->v));
	if (!ret->v)
		return err_set(err, ENOMEM, "%s", path->text);
	cJSON_ArrayForEach (item, labels) {
		r = match_label_decode(item, &labels_path, &ret->v[ret->n++], err);
		if (r < 0)
			return r;
	}
	cJSON_ArrayForEach (item, list) {
		struct path at = path_item(&list_path, i++);

		r = expression_decode(item, &at, &ret->v[ret->n++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int decode_selector(const cJSON *object, const char *path, struct selector *ret, struct err *err)
{
	static const char *const known[] = { "matchLabels", "matchExpressions", NULL };
	struct path at = path_root(path);
	int r;

	*ret = (struct selector){ 0 };
	if (!object || cJSON_IsNull(object))
		return 0;
	r = part_fields(object, &at, known, err);
	if (r == 0)
		r = requirements_decode(object, &at, ret, err);
	if (r < 0)
		selector_done(ret);
	*ret = (struct selector){ .has = true, .invalid = r < 0, .v = ret->v, .n = ret->n };
	return r;
}
