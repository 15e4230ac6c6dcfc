// SPDX-License-Identifier: Apache-2.0
#include "policy/shared.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_MIN 256

struct entry {
	struct entry *next;
	uint32_t hash;
	uint32_t refs;
	uint32_t len;
	uint32_t pad;
	unsigned char bytes[];
};

static struct {
	struct entry **bucket;
	size_t n, n_buckets;
	uint64_t secret;
} table;

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)(a ^ table.secret) * (b ^ UINT64_C(0x9e3779b97f4a7c15));

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiplied with a secret: tenants choose labels, and must not choose buckets. */
static uint32_t bytes_hash(const unsigned char *bytes, size_t len)
{
	uint64_t hash = len, word = 0;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, bytes, len);
	return (uint32_t)mix(hash, word);
}

static struct entry *entry_of(const void *shared)
{
	return (struct entry *)((unsigned char *)(uintptr_t)shared - offsetof(struct entry, bytes));
}

static struct entry **bucket_of(uint32_t hash)
{
	return &table.bucket[hash & (table.n_buckets - 1)];
}

static void link_in(struct entry *entry)
{
	struct entry **bucket = bucket_of(entry->hash);

	entry->next = *bucket;
	*bucket = entry;
}

static bool resize(size_t n_buckets)
{
	struct entry **old = table.bucket, **grown = calloc(n_buckets, sizeof(struct entry *)), *next;
	size_t n_old = table.n_buckets;

	if (!grown)
		return false;
	if (!table.secret && getrandom(&table.secret, sizeof(table.secret), GRND_NONBLOCK) < 0)
		table.secret = (uintptr_t)grown;
	table.bucket = grown;
	table.n_buckets = n_buckets;
	for (size_t i = 0; i < n_old; i++)
		for (struct entry *entry = old[i]; entry; entry = next) {
			next = entry->next;
			link_in(entry);
		}
	free(old);
	return true;
}

const void *shared_get(const void *bytes, size_t len)
{
	struct entry *entry;
	uint32_t hash;

	if (table.n >= table.n_buckets && !resize(table.n_buckets ? table.n_buckets * 2 : BUCKETS_MIN))
		return NULL;
	hash = bytes_hash(bytes, len);
	for (entry = *bucket_of(hash); entry; entry = entry->next)
		if (entry->hash == hash && entry->len == len && memcmp(entry->bytes, bytes, len) == 0) {
			entry->refs++;
			return entry->bytes;
		}
	entry = malloc(sizeof(*entry) + len);
	if (!entry)
		return NULL;
	*entry = (struct entry){ .hash = hash, .refs = 1, .len = (uint32_t)len };
	memcpy(entry->bytes, bytes, len);
	link_in(entry);
	table.n++;
	return entry->bytes;
}

const char *shared_text(const char *text)
{
	return shared_get(text, strlen(text) + 1);
}

bool shared_is_last(const void *shared)
{
	return entry_of(shared)->refs == 1;
}

void shared_hold(const void *shared)
{
	if (shared)
		entry_of(shared)->refs++;
}

void shared_drop(const void *shared)
{
	struct entry *entry, **at;

	if (!shared)
		return;
	entry = entry_of(shared);
	if (--entry->refs)
		return;
	for (at = bucket_of(entry->hash); *at != entry; at = &(*at)->next)
		continue;
	*at = entry->next;
	free(entry);
	/* With the last one the table goes too: nothing is left for leak checkers. */
	if (--table.n)
		return;
	free(table.bucket);
	table.bucket = NULL;
	table.n_buckets = 0;
}

size_t shared_count(void)
{
	return table.n;
}
