/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interning: equal bytes give the same entry, and entries get numbers in the
 * order in which they first came, so equal input gives equal numbers. The user's
 * struct begins with the entry; new ones are zeroed. Numbers start at 1 and are
 * never given twice, not even after a removal.
 */
#ifndef POLICY_POOL_H
#define POLICY_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool_entry {
	struct pool_entry *next;
	void *key; /* behind the user's struct; aligned for pointers */
	uint32_t hash;
	uint32_t len;
	uint32_t id;
	uint32_t at; /* in pool.v */
};

struct pool {
	struct pool_entry **v; /* in order of number, until the first one is removed */
	size_t n;
	size_t cap;
	struct pool_entry **bucket;
	size_t n_buckets;
	size_t entry_size;
	void (*entry_done)(struct pool_entry *entry); /* frees what the user's part owns; may be null */
	uint32_t last_id;
};

void pool_init(struct pool *pool, size_t entry_size, void (*entry_done)(struct pool_entry *));
void pool_done(struct pool *pool);

/* Null: not there. */
struct pool_entry *pool_find(const struct pool *pool, const void *key, size_t len);
/* Null: out of memory. ret_new may be null. */
struct pool_entry *pool_get(struct pool *pool, const void *key, size_t len, bool *ret_new);
/* Frees the entry. */
void pool_remove(struct pool *pool, struct pool_entry *entry);

/* Grows *array so that one more item fits; false: out of memory. */
bool array_reserve(void *array, size_t *cap, size_t n, size_t item_size);

#endif
