// SPDX-License-Identifier: Apache-2.0
/* The kernel's fronts as we know them, by key. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/service_room.h"

static uint64_t bytes_hash(const void *bytes, size_t len, uint64_t hash)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}

static size_t front_bucket(const struct front_table *table, const struct bh_front *key)
{
	uint64_t hash = bytes_hash(key, sizeof(*key), 0xcbf29ce484222325u);

	return (size_t)(hash ^ hash >> 32) & (table->n_buckets - 1);
}

struct front *front_find(const struct front_table *table, const struct bh_front *key)
{
	struct front *front = table->n_buckets ? table->buckets[front_bucket(table, key)] : NULL;

	while (front && memcmp(&front->key, key, sizeof(*key)) != 0)
		front = front->next;
	return front;
}

static int table_grow(struct front_table *table)
{
	struct front_table grown = { .n_buckets = table->n_buckets ? table->n_buckets * 2 : 64,
				     .n = table->n };

	grown.buckets = calloc(grown.n_buckets, sizeof(*grown.buckets));
	if (!grown.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_buckets; i++) {
		for (struct front *front = table->buckets[i], *next; front; front = next) {
			struct front **bucket = &grown.buckets[front_bucket(&grown, &front->key)];

			next = front->next;
			front->next = *bucket;
			*bucket = front;
		}
	}
	free(table->buckets);
	*table = grown;
	return 0;
}

struct front *front_get(struct front_table *table, const struct bh_front *key)
{
	struct front *front = front_find(table, key), **bucket;

	if (front)
		return front;
	if (table->n == table->n_buckets && table_grow(table) < 0)
		return NULL;
	front = calloc(1, sizeof(*front));
	if (!front)
		return NULL;
	front->key = *key;
	bucket = &table->buckets[front_bucket(table, key)];
	front->next = *bucket;
	*bucket = front;
	table->n++;
	return front;
}

void front_remove(struct front_table *table, struct front *front)
{
	struct front **at = &table->buckets[front_bucket(table, &front->key)];

	while (*at != front)
		at = &(*at)->next;
	*at = front->next;
	free(front);
	table->n--;
}

void front_table_done(struct front_table *table)
{
	for (size_t i = 0; i < table->n_buckets; i++) {
		for (struct front *front = table->buckets[i], *next; front; front = next) {
			next = front->next;
			free(front);
		}
	}
	free(table->buckets);
	*table = (struct front_table){ 0 };
}

uint64_t backends_digest(const struct bh_backend *v, size_t n)
{
	return bytes_hash(v, n * sizeof(*v), 0x9e3779b97f4a7c15u ^ n);
}
