// SPDX-License-Identifier: Apache-2.0
#include "kube/api_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define PEM_MAX (1u << 20)

void api_config_done(struct api_config *config)
{
	free(config->server);
	free(config->server_name);
	free(config->ca);
	free(config->ca_file);
	free(config->cert);
	free(config->cert_file);
	free(config->key_file);
	free(config->token_file);
	api_secret_free(config->key);
	api_secret_free(config->token);
	*config = (struct api_config){ 0 };
}

/* --- the server's address --- */

static bool host_is_loopback(const char *host, size_t len)
{
	char text[64];
	struct in_addr v4;

	if (len == 9 && memcmp(host, "localhost", 9) == 0)
		return true;
	if (len == 5 && memcmp(host, "[::1]", 5) == 0)
		return true;
	if (len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, host);
	return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

int api_server_check(const char *server, struct err *err)
{
	bool is_plain = strncmp(server, "http://", 7) == 0;
	const char *host = server + (is_plain ? 7 : 8);
	size_t len;

	if (!is_plain && strncmp(server, "https://", 8) != 0)
		return err_set(err, EINVAL, "server: not an https URL");
	for (const char *p = host; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("@?#\\\"<>", *p))
			return err_set(err, EINVAL, "server: may have only host, port and path");
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	if (len == 0 || (*host == '[' && !strchr(host, ']')))
		return err_set(err, EINVAL, "server: no host");
	if (is_plain && !host_is_loopback(host, len))
		return err_set(err, EINVAL, "server: http is for a loopback address only; use https");
	return 0;
}

static int server_from_env(char **ret, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
	auto_text struct text url = { 0 };
	unsigned long number;

	if (!host || !*host || !port || !*port)
		return err_set(err, ENOENT,
			       "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not in a "
			       "cluster's pod");
	if (strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:") != strlen(host))
		return err_set(err, EINVAL, "KUBERNETES_SERVICE_HOST: not a host");
	if (text_to_ulong(port, 1, 65535, &number) < 0)
		return err_set(err, EINVAL, "KUBERNETES_SERVICE_PORT: not a port");
	text_addf(&url, strchr(host, ':') ? "https://[%s]:%lu" : "https://%s:%lu", host, number);
	*ret = text_take(&url);
	return *ret ? 0 : err_set(err, ENOMEM, "server");
}

/* --- what is in files --- */

static int pem_read(const char *path, char **ret, struct err *err)
{
	int r = file_read(path, PEM_MAX, ret, NULL, err);

	if (r == 0 && !strstr(*ret, "-----BEGIN ")) {
		free(*ret);
		*ret = NULL;
		r = err_set(err, EINVAL, "%s: no PEM block", path);
	}
	return r;
}

/* Replaces *slot by what the file says now. 1, 0 or negative. */
static int pem_refresh(const char *path, char **slot, struct err *err)
{
	char *now = NULL;
	int r = path ? pem_read(path, &now, err) : 0;

	if (r < 0 || !path)
		return r;
	if (*slot && strcmp(*slot, now) == 0) {
		free(now);
		return 0;
	}
	free(*slot);
	*slot = now;
	return 1;
}

static int secret_settle(struct api_secret *now, struct api_secret **slot)
{
	if (api_secret_equal(now, *slot)) {
		api_secret_free(now);
		return 0;
	}
	api_secret_free(*slot);
	*slot = now;
	return 1;
}

static int token_refresh(struct api_config *config, struct err *err)
{
	struct api_secret *now = NULL;
	int r = config->token_file ? api_secret_token_file(config->token_file, &now, err) : 0;

	return r < 0 || !now ? r : secret_settle(now, &config->token);
}

static int key_refresh(struct api_config *config, struct err *err)
{
	auto_free char *text = NULL;
	struct api_secret *now = NULL;
	size_t len = 0;
	int r;

	if (!config->key_file)
		return 0;
	r = file_read(config->key_file, API_KEY_MAX, &text, &len, err);
	if (r < 0)
		return r;
	r = api_secret_bytes(text, len, &now, err);
	explicit_bzero(text, len);
	return r < 0 ? r : secret_settle(now, &config->key);
}

int api_config_refresh(struct api_config *config, struct err *err)
{
	/* All of them, whatever fails: a lost CA is no reason to keep a stale token. */
	const int results[] = {
		pem_refresh(config->ca_file, &config->ca, err),
		pem_refresh(config->cert_file, &config->cert, err),
		key_refresh(config, err),
		token_refresh(config, err),
	};
	int failed = 0, changed = 0;

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		changed |= results[i] > 0;
		if (results[i] < 0)
			failed = results[i];
	}
	return failed ? failed : changed;
}

int api_config_in_cluster(const char *account_folder, struct api_config *ret, struct err *err)
{
	cleanup(api_config_done) struct api_config config = { .in_cluster = true };
	auto_text struct text token = { 0 }, ca = { 0 };
	int r = server_from_env(&config.server, err);

	if (r < 0)
		return r;
	text_addf(&token, "%s/token", account_folder);
	text_addf(&ca, "%s/ca.crt", account_folder);
	config.token_file = text_take(&token);
	config.ca_file = text_take(&ca);
	if (!config.token_file || !config.ca_file)
		return err_set(err, ENOMEM, "service account");
	r = api_config_refresh(&config, err);
	if (r < 0)
		return err_wrap(err, r, "service account");
	*ret = config;
	config = (struct api_config){ 0 };
	return 0;
}
