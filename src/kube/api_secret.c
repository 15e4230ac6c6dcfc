// SPDX-License-Identifier: Apache-2.0
#include "kube/api_secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct api_secret {
	size_t len;
	char text[];
};

int api_secret_bytes(const char *text, size_t len, struct api_secret **ret, struct err *err)
{
	struct api_secret *secret = malloc(sizeof(*secret) + len + 1);

	if (!secret)
		return err_set(err, ENOMEM, "credentials");
	secret->len = len;
	memcpy(secret->text, text, len);
	secret->text[len] = '\0';
	*ret = secret;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int api_secret_token(const char *text, size_t len, const char *name, struct api_secret **ret, struct err *err)
{
	while (len && is_space(text[len - 1]))
		len--;
	while (len && is_space(*text))
		text++, len--;
	if (len == 0)
		return err_set(err, EINVAL, "%s: the token is empty", name);
	if (len > API_TOKEN_MAX)
		return err_set(err, EINVAL, "%s: the token is larger than %u bytes", name, API_TOKEN_MAX);
	/* It becomes a header line: nothing in it may end that line. */
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return err_set(err, EINVAL, "%s: the token is more than one word on one line", name);
	return api_secret_bytes(text, len, ret, err);
}

int api_secret_token_file(const char *path, struct api_secret **ret, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int r = file_read(path, API_TOKEN_MAX + 64, &text, &len, err);

	if (r < 0)
		return err_wrap(err, r, "token");
	r = api_secret_token(text, len, path, ret, err);
	explicit_bzero(text, len);
	free(text);
	return r;
}

struct api_secret *api_secret_free(struct api_secret *secret)
{
	if (secret)
		explicit_bzero(secret->text, secret->len);
	free(secret);
	return NULL;
}

bool api_secret_equal(const struct api_secret *a, const struct api_secret *b)
{
	if (!a || !b)
		return a == b;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

const char *api_secret_reveal(const struct api_secret *secret, size_t *ret_len)
{
	if (ret_len)
		*ret_len = secret->len;
	return secret->text;
}
