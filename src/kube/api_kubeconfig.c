// SPDX-License-Identifier: Apache-2.0
/* A kubeconfig: its current context, read by the file format of kubectl. What we
 * do not support is refused by name; ignoring it would connect elsewhere or as
 * somebody else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "kube/api_config.h"

#define KUBECONFIG_MAX (4u << 20)

/* --- base64 --- */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* A terminated copy of what `text` stands for. */
static int base64_decode(const char *text, const char *name, char **ret, size_t *ret_len, struct err *err)
{
	char *out = malloc(strlen(text) / 4 * 3 + 4);
	unsigned int bits = 0, n_bits = 0;
	size_t len = 0;

	if (!out)
		return err_set(err, ENOMEM, "%s", name);
	for (; *text && *text != '='; text++) {
		int value = base64_value(*text);

		if (*text == '\n' || *text == '\r' || *text == ' ')
			continue;
		if (value < 0) {
			free(out);
			return err_set(err, EINVAL, "%s: not base64", name);
		}
		bits = bits << 6 | (unsigned int)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[len++] = (char)(bits >> n_bits);
		}
	}
	out[len] = '\0';
	*ret = out;
	*ret_len = len;
	return 0;
}

/* --- pieces --- */

struct kubeconfig {
	const char *path;
	const cJSON *cluster;
	const cJSON *user;
};

static int text_member(const cJSON *object, const char *key, char **ret, struct err *err)
{
	const char *text;
	int r = json_get_string(object, key, &text, err);

	if (r < 0 || !text || !*text)
		return r;
	*ret = strdup(text);
	return *ret ? 0 : err_set(err, ENOMEM, "%s", key);
}

/* Paths count from the kubeconfig's folder. */
static int path_member(const struct kubeconfig *file, const cJSON *object, const char *key, char **ret,
		       struct err *err)
{
	const char *slash = strrchr(file->path, '/');
	auto_text struct text path = { 0 };
	const char *text;
	int r = json_get_string(object, key, &text, err);

	if (r < 0 || !text || !*text)
		return r;
	if (*text != '/' && slash)
		text_add(&path, file->path, (size_t)(slash - file->path) + 1);
	text_addf(&path, "%s", text);
	*ret = text_take(&path);
	return *ret ? 0 : err_set(err, ENOMEM, "%s", key);
}

static int data_member(const cJSON *object, const char *key, char **ret, size_t *ret_len, struct err *err)
{
	const char *text;
	int r = json_get_string(object, key, &text, err);

	*ret = NULL;
	return r < 0 || !text || !*text ? r : base64_decode(text, key, ret, ret_len, err);
}

static int refuse(const cJSON *object, const char *const *keys, struct err *err)
{
	for (; *keys; keys++) {
		const cJSON *member = json_get(object, *keys);

		if (member && !cJSON_IsFalse(member))
			return err_set(err, ENOTSUP, "%s: not supported", *keys);
	}
	return 0;
}

/* The member `key` of the item called `name` in the list `list`. */
static int named_item(const cJSON *root, const char *list, const char *name, const char *key,
		      const cJSON **ret, struct err *err)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json_get(root, list)) {
		const cJSON *is = json_get(item, "name");

		if (!cJSON_IsString(is) || strcmp(is->valuestring, name) != 0)
			continue;
		*ret = json_get(item, key);
		return *ret ? 0 : err_set(err, EINVAL, "%s %s: no %s", list, name, key);
	}
	return err_set(err, EINVAL, "%s: none is called \"%s\"", list, name);
}

/* --- the two halves --- */

static int cluster_read(const struct kubeconfig *file, struct api_config *config, struct err *err)
{
	static const char *const refused[] = { "insecure-skip-tls-verify", "proxy-url", NULL };
	size_t len = 0;
	int r = refuse(file->cluster, refused, err);

	if (r == 0)
		r = text_member(file->cluster, "server", &config->server, err);
	if (r == 0 && !config->server)
		r = err_set(err, EINVAL, "server: missing");
	if (r == 0)
		r = api_server_check(config->server, err);
	if (r == 0)
		r = text_member(file->cluster, "tls-server-name", &config->server_name, err);
	if (r == 0)
		r = data_member(file->cluster, "certificate-authority-data", &config->ca, &len, err);
	if (r == 0 && !config->ca)
		r = path_member(file, file->cluster, "certificate-authority", &config->ca_file, err);
	if (r < 0)
		return r;
	while ((len = strlen(config->server)) && config->server[len - 1] == '/')
		config->server[len - 1] = '\0';
	return 0;
}

static int key_read(const struct kubeconfig *file, struct api_config *config, struct err *err)
{
	auto_free char *text = NULL;
	size_t len = 0;
	int r = data_member(file->user, "client-key-data", &text, &len, err);

	if (r < 0 || !text)
		return r < 0 ? r : path_member(file, file->user, "client-key", &config->key_file, err);
	r = api_secret_bytes(text, len, &config->key, err);
	explicit_bzero(text, len);
	return r;
}

static int token_read(const struct kubeconfig *file, struct api_config *config, struct err *err)
{
	const char *text;
	int r = path_member(file, file->user, "tokenFile", &config->token_file, err);

	if (r < 0 || config->token_file)
		return r;
	r = json_get_string(file->user, "token", &text, err);
	return r < 0 || !text ? r : api_secret_token(text, strlen(text), "token", &config->token, err);
}

static int user_read(const struct kubeconfig *file, struct api_config *config, struct err *err)
{
	static const char *const refused[] = { "exec", "auth-provider", "username", "password",
					       "as",   "as-groups",	"as-uid",   "as-user-extra",
					       NULL };
	size_t len = 0;
	int r = refuse(file->user, refused, err);

	if (r == 0)
		r = token_read(file, config, err);
	if (r == 0)
		r = data_member(file->user, "client-certificate-data", &config->cert, &len, err);
	if (r == 0 && !config->cert)
		r = path_member(file, file->user, "client-certificate", &config->cert_file, err);
	if (r == 0)
		r = key_read(file, config, err);
	if (r < 0)
		return r;
	if ((config->cert || config->cert_file) != (config->key || config->key_file))
		return err_set(err, EINVAL, "client-certificate and client-key: one without the other");
	return 0;
}

static int context_read(const cJSON *root, struct kubeconfig *file, struct err *err)
{
	const cJSON *context, *current = json_get(root, "current-context"), *cluster, *user;
	int r;

	if (!cJSON_IsString(current) || !*current->valuestring)
		return err_set(err, EINVAL, "current-context: missing");
	r = named_item(root, "contexts", current->valuestring, "context", &context, err);
	if (r < 0)
		return r;
	cluster = json_get(context, "cluster");
	user = json_get(context, "user");
	if (!cJSON_IsString(cluster))
		return err_set(err, EINVAL, "contexts %s: no cluster", current->valuestring);
	r = named_item(root, "clusters", cluster->valuestring, "cluster", &file->cluster, err);
	if (r == 0 && cJSON_IsString(user) && *user->valuestring)
		r = named_item(root, "users", user->valuestring, "user", &file->user, err);
	return r;
}

static int kubeconfig_read(const char *path, const char *text, size_t len, struct api_config *config,
			   struct err *err)
{
	cleanup(yaml_docs_done) struct yaml_docs docs = { 0 };
	struct kubeconfig file = { .path = path };
	int r = yaml_parse(path, text, len, &docs, err);

	if (r < 0)
		return r;
	if (docs.n != 1 || !cJSON_IsObject(docs.v[0].json))
		return err_set(err, EINVAL, "%s: not a kubeconfig", path);
	r = context_read(docs.v[0].json, &file, err);
	if (r == 0)
		r = cluster_read(&file, config, err);
	if (r == 0)
		r = user_read(&file, config, err);
	if (r == 0)
		r = api_config_refresh(config, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

int api_config_kubeconfig(const char *path, struct api_config *ret, struct err *err)
{
	cleanup(api_config_done) struct api_config config = { 0 };
	auto_free char *text = NULL;
	size_t len = 0;
	int r = file_read(path, KUBECONFIG_MAX, &text, &len, err);

	if (r < 0)
		return r;
	r = kubeconfig_read(path, text, len, &config, err);
	explicit_bzero(text, len);
	if (r < 0)
		return r;
	*ret = config;
	config = (struct api_config){ 0 };
	return 0;
}
