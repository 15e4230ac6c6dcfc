// SPDX-License-Identifier: Apache-2.0
#include "policy/signature.h"

#include <errno.h>
#include <stdlib.h>

int signatures_init(struct signatures *signatures)
{
	pool_init(&signatures->pool, sizeof(struct signature), NULL);
	signatures->empty = signature_get(signatures, NULL, 0);
	return signatures->empty ? 0 : -ENOMEM;
}

void signatures_done(struct signatures *signatures)
{
	pool_done(&signatures->pool);
	signatures->empty = NULL;
}

struct signature *signature_use(struct signature *signature)
{
	if (signature)
		signature->users++;
	return signature;
}

struct signature *signature_get(struct signatures *signatures, const answer_t *answers, size_t n)
{
	return signature_use(
		(struct signature *)pool_get(&signatures->pool, answers, n * sizeof(*answers), NULL));
}

void signature_drop(struct signatures *signatures, struct signature *signature)
{
	if (signature && --signature->users == 0)
		pool_remove(&signatures->pool, &signature->entry);
}

/* Two sorted arrays, merged: all answers, or those in both. */
static struct signature *combine(struct signatures *signatures, const struct signature *a,
				 const struct signature *b, bool all)
{
	const answer_t *u = signature_answers(a), *v = signature_answers(b);
	size_t n_u = signature_n(a), n_v = signature_n(b), i = 0, k = 0, n = 0;
	answer_t *out = calloc(n_u + n_v + 1, sizeof(*out));
	struct signature *signature;

	if (!out)
		return NULL;
	while (i < n_u || k < n_v) {
		bool both = i < n_u && k < n_v && u[i] == v[k];
		bool first = i < n_u && (k == n_v || u[i] <= v[k]);

		if (all || both)
			out[n++] = first ? u[i] : v[k];
		i += first;
		k += !first || both;
	}
	signature = signature_get(signatures, out, n);
	free(out);
	return signature;
}

struct signature *signature_join(struct signatures *signatures, struct signature *a, struct signature *b)
{
	if (a == b || b == signatures->empty)
		return signature_use(a);
	if (a == signatures->empty)
		return signature_use(b);
	return combine(signatures, a, b, true);
}

struct signature *signature_meet(struct signatures *signatures, struct signature *a, struct signature *b)
{
	return a == b ? signature_use(a) : combine(signatures, a, b, false);
}

int answer_compare(const void *a, const void *b)
{
	const answer_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}
