// SPDX-License-Identifier: Apache-2.0
#include "agent/config_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int string_put(char **slot, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	free(*slot);
	*slot = copy;
	return 0;
}

int want_string(const cJSON *value, const char **ret, struct err *err)
{
	if (!cJSON_IsString(value))
		return err_set(err, EINVAL, "must be a string");
	*ret = value->valuestring;
	return 0;
}

int want_bool(const cJSON *value, bool *ret, struct err *err)
{
	if (!cJSON_IsBool(value))
		return err_set(err, EINVAL, "must be true or false");
	*ret = cJSON_IsTrue(value);
	return 0;
}

int want_number(const cJSON *value, double min, double max, uint32_t *ret, struct err *err)
{
	double number = cJSON_IsNumber(value) ? value->valuedouble : min - 1;

	if (number < min || number > max || number != (double)(uint32_t)number)
		return err_set(err, EINVAL, "must be a whole number from %.0f to %.0f", min, max);
	*ret = (uint32_t)number;
	return 0;
}

int want_flag(const cJSON *value, uint32_t bit, uint32_t *flags, struct err *err)
{
	bool on = false;
	int r = want_bool(value, &on, err);

	if (r < 0)
		return r;
	*flags = on ? *flags | bit : *flags & ~bit;
	return 0;
}

int want_path(const cJSON *value, char **slot, struct err *err)
{
	const char *path = "";
	int r = want_string(value, &path, err);

	if (r < 0)
		return r;
	if (path[0] != '/')
		return err_set(err, EINVAL, "must be an absolute path");
	return string_put(slot, path, err);
}
