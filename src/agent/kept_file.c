// SPDX-License-Identifier: Apache-2.0
#include "agent/kept_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "kube/decode.h"
#include "kube/encode.h"

#define KEPT_VERSION  1
#define KEPT_FILE_MAX (256u << 20)

/* Problems are what the original's author is told; they cannot be read out of it again. */
static bool problems_add(cJSON *item, const struct netpol *netpol)
{
	cJSON *list = cJSON_AddArrayToObject(item, "problems");

	for (size_t i = 0; i < netpol->n_problems; i++) {
		cJSON *text = list ? cJSON_CreateString(netpol->problems[i]) : NULL;

		if (!text || !cJSON_AddItemToArray(list, text)) {
			cJSON_Delete(text);
			return false;
		}
	}
	return list;
}

static bool policy_add(cJSON *list, const struct netpol *netpol)
{
	auto_json cJSON *item = cJSON_CreateObject();
	cJSON *policy = item ? encode_netpol(netpol) : NULL;

	if (!policy || !cJSON_AddItemToObject(item, "policy", policy)) {
		cJSON_Delete(policy);
		return false;
	}
	if (!problems_add(item, netpol) || !cJSON_AddItemToArray(list, item))
		return false;
	(void)TAKE(item);
	return true;
}

int kept_file_write(const char *path, const struct netpol *const *netpols, size_t n, struct err *err)
{
	auto_json cJSON *json = cJSON_CreateObject();
	cJSON *list = json ? cJSON_AddArrayToObject(json, "policies") : NULL;
	auto_free char *text = NULL;
	bool whole = list && cJSON_AddNumberToObject(json, "version", KEPT_VERSION);

	for (size_t i = 0; i < n && whole; i++)
		whole = policy_add(list, netpols[i]);
	text = whole ? cJSON_PrintUnformatted(json) : NULL;
	if (!text)
		return err_set(err, ENOMEM, "%s: out of memory", path);
	return file_write_atomic(path, text, strlen(text), 0600, err);
}

/* -EBADMSG or -ENOMEM. */
static int problems_read(const cJSON *item, struct netpol *netpol)
{
	const cJSON *list = json_get(item, "problems"), *text;
	size_t n = 0;

	if (!cJSON_IsArray(list))
		return -EBADMSG;
	for (size_t i = 0; i < netpol->n_problems; i++)
		free(netpol->problems[i]);
	free(netpol->problems);
	netpol->n_problems = 0;
	netpol->problems = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*netpol->problems));
	if (!netpol->problems)
		return -ENOMEM;
	cJSON_ArrayForEach (text, list) {
		if (!cJSON_IsString(text))
			return -EBADMSG;
		netpol->problems[n] = strdup(text->valuestring);
		if (!netpol->problems[n])
			return -ENOMEM;
		netpol->n_problems = ++n;
	}
	return 0;
}

static void netpols_free(struct netpol **netpols, size_t n)
{
	for (size_t i = 0; i < n; i++)
		netpol_free(netpols[i]);
	free(netpols);
}

static int policies_read(const cJSON *list, struct netpol **netpols, size_t *ret_n)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		int r = decode_netpol(json_get(item, "policy"), "", &netpols[*ret_n], NULL);

		if (r < 0)
			return r == -ENOMEM ? r : -EBADMSG;
		r = problems_read(item, netpols[(*ret_n)++]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int file_parse(const char *path, cJSON **ret_json, struct err *err)
{
	auto_free char *text = NULL;
	size_t len = 0;
	int r = file_read(path, KEPT_FILE_MAX, &text, &len, err);

	if (r == 0)
		r = json_parse(text, len, ret_json, err);
	if (r < 0 && r != -ENOENT && r != -ENOMEM)
		r = -EBADMSG;
	return r < 0 && r != -ENOENT ? err_wrap(err, r, "%s", path) : r;
}

int kept_file_read(const char *path, struct netpol ***ret_netpols, size_t *ret_n, struct err *err)
{
	auto_json cJSON *json = NULL;
	const cJSON *list;
	struct netpol **netpols;
	int64_t version = 0;
	size_t n = 0;
	int r = file_parse(path, &json, err);

	if (r < 0)
		return r;
	list = json_get(json, "policies");
	if (json_get_int(json, "version", 0, INT32_MAX, &version, NULL) != 1 || version != KEPT_VERSION ||
	    !cJSON_IsArray(list))
		return err_set(err, EBADMSG, "%s: not of version %d", path, KEPT_VERSION);
	netpols = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(struct netpol *));
	r = netpols ? policies_read(list, netpols, &n) : -ENOMEM;
	if (r < 0) {
		netpols_free(netpols, n);
		return err_set(err, -r, "%s: policy %zu: %s", path, n + 1,
			       r == -ENOMEM ? "out of memory" : "cannot be read");
	}
	*ret_netpols = netpols;
	*ret_n = n;
	return 0;
}
