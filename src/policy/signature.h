/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures: what something answers to the matchers in use, sorted, interned and
 * counted. Addresses of equal signature share a class.
 */
#ifndef POLICY_SIGNATURE_H
#define POLICY_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/pool.h"

/* One answer: the matcher's number above; below, for a NAMED one, the protocol and
 * the number that the name means there, else 0. */
typedef uint64_t answer_t;
#define ANSWER(id, proto, port) ((answer_t)(id) << 32 | (uint32_t)(proto) << 16 | (port))
#define ANSWER_MATCHER(answer)	((uint32_t)((answer) >> 32))
#define ANSWER_PROTO(answer)	((uint8_t)((answer) >> 16))
#define ANSWER_PORT(answer)	((uint16_t)(answer))

struct class;
struct signature {
	struct pool_entry entry; /* key: array of answer_t */
	uint32_t users;
	struct class *class; /* whose addresses answer so; null: none has rows for it yet */
};

struct signatures {
	struct pool pool;
	struct signature *empty; /* nothing answers */
};

int signatures_init(struct signatures *signatures); /* 0 or -ENOMEM */
void signatures_done(struct signatures *signatures);

static inline const answer_t *signature_answers(const struct signature *signature)
{
	return signature->entry.key;
}

static inline size_t signature_n(const struct signature *signature)
{
	return signature->entry.len / sizeof(answer_t);
}

/* Each of these gives a use that signature_drop() takes back; null: out of memory.
 * The answers must be sorted. */
struct signature *signature_get(struct signatures *signatures, const answer_t *answers, size_t n);
struct signature *signature_use(struct signature *signature);
/* All answers of both; those that both give. */
struct signature *signature_join(struct signatures *signatures, struct signature *a, struct signature *b);
struct signature *signature_meet(struct signatures *signatures, struct signature *a, struct signature *b);

void signature_drop(struct signatures *signatures, struct signature *signature); /* takes null */

int answer_compare(const void *a, const void *b); /* for qsort */

#endif
