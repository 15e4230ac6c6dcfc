// SPDX-License-Identifier: Apache-2.0
#include "policy/pool.h"

#include <stdlib.h>
#include <string.h>

#define POOL_BUCKETS_MIN 64

bool array_reserve(void *array, size_t *cap, size_t n, size_t item_size)
{
	size_t grown_cap = *cap ? *cap * 2 : 4;
	void *old, *grown;

	if (n < *cap)
		return true;
	memcpy(&old, array, sizeof(old));
	grown = reallocarray(old, grown_cap, item_size);
	if (!grown)
		return false;
	memcpy(array, &grown, sizeof(grown));
	*cap = grown_cap;
	return true;
}

void pool_init(struct pool *pool, size_t entry_size, void (*entry_done)(struct pool_entry *))
{
	*pool = (struct pool){ .entry_size = entry_size, .entry_done = entry_done };
}

static void entry_free(const struct pool *pool, struct pool_entry *entry)
{
	if (pool->entry_done)
		pool->entry_done(entry);
	free(entry);
}

void pool_done(struct pool *pool)
{
	for (size_t i = 0; i < pool->n; i++)
		entry_free(pool, pool->v[i]);
	free(pool->v);
	free(pool->bucket);
	pool->v = NULL;
	pool->bucket = NULL;
	pool->n = pool->cap = pool->n_buckets = 0;
}

/* FNV-1a, started from where the pool's table lies: labels come from tenants, and
 * a fixed start would let them choose names that collide. */
static uint32_t key_hash(const struct pool *pool, const unsigned char *key, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)(uintptr_t)pool;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ key[i]) * 0x100000001b3u;
	return (uint32_t)(hash ^ hash >> 29);
}

static void entry_link(struct pool *pool, struct pool_entry *entry)
{
	struct pool_entry **head = &pool->bucket[entry->hash & (pool->n_buckets - 1)];

	entry->next = *head;
	*head = entry;
}

static bool pool_rehash(struct pool *pool, size_t n_buckets)
{
	struct pool_entry **bucket = calloc(n_buckets, sizeof(struct pool_entry *));

	if (!bucket)
		return false;
	free(pool->bucket);
	pool->bucket = bucket;
	pool->n_buckets = n_buckets;
	for (size_t i = 0; i < pool->n; i++)
		entry_link(pool, pool->v[i]);
	return true;
}

static struct pool_entry *bucket_find(const struct pool *pool, uint32_t hash, const void *key, size_t len)
{
	struct pool_entry *entry;

	if (!pool->n_buckets)
		return NULL;
	for (entry = pool->bucket[hash & (pool->n_buckets - 1)]; entry; entry = entry->next) {
		if (entry->hash == hash && entry->len == len &&
		    (len == 0 || memcmp(entry->key, key, len) == 0))
			return entry;
	}
	return NULL;
}

struct pool_entry *pool_find(const struct pool *pool, const void *key, size_t len)
{
	return bucket_find(pool, key_hash(pool, key, len), key, len);
}

struct pool_entry *pool_get(struct pool *pool, const void *key, size_t len, bool *ret_new)
{
	uint32_t hash = key_hash(pool, key, len);
	struct pool_entry *entry = bucket_find(pool, hash, key, len);

	if (ret_new)
		*ret_new = !entry;
	if (entry)
		return entry;
	if (pool->n >= pool->n_buckets &&
	    !pool_rehash(pool, pool->n_buckets ? 2 * pool->n_buckets : POOL_BUCKETS_MIN))
		return NULL;
	if (!array_reserve(&pool->v, &pool->cap, pool->n, sizeof(struct pool_entry *)))
		return NULL;
	entry = calloc(1, pool->entry_size + len);
	if (!entry)
		return NULL;
	entry->key = (char *)entry + pool->entry_size;
	if (len)
		memcpy(entry->key, key, len);
	entry->len = (uint32_t)len;
	entry->hash = hash;
	entry->id = ++pool->last_id;
	entry->at = (uint32_t)pool->n;
	pool->v[pool->n++] = entry;
	entry_link(pool, entry);
	return entry;
}

void pool_remove(struct pool *pool, struct pool_entry *entry)
{
	struct pool_entry **link = &pool->bucket[entry->hash & (pool->n_buckets - 1)];

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	pool->v[entry->at] = pool->v[--pool->n];
	pool->v[entry->at]->at = entry->at;
	entry_free(pool, entry);
}
