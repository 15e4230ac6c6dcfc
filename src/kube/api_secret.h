/* SPDX-License-Identifier: Apache-2.0 */
/* A token or a private key. The type is opaque and no function formats it, so that
 * it cannot slip into a log line (C20). Wiped when freed. */
#ifndef KUBE_API_SECRET_H
#define KUBE_API_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define API_TOKEN_MAX (16u << 10)
#define API_KEY_MAX   (256u << 10)

struct api_secret;

/* A bearer token: one line of printable ASCII, white space around it is dropped.
 * `name` is for messages; the token itself is in none. */
int api_secret_token(const char *text, size_t len, const char *name, struct api_secret **ret,
		     struct err *err);
int api_secret_token_file(const char *path, struct api_secret **ret, struct err *err);

/* Any bytes (PEM). */
int api_secret_bytes(const char *text, size_t len, struct api_secret **ret, struct err *err);
struct api_secret *api_secret_free(struct api_secret *secret);

bool api_secret_equal(const struct api_secret *a, const struct api_secret *b);

/* For api_http.c alone, to hand it to the transport. */
const char *api_secret_reveal(const struct api_secret *secret, size_t *ret_len);

#endif
