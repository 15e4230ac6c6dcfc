// SPDX-License-Identifier: Apache-2.0
#include "base/json_depth.h"

#include <stdint.h>

#if defined(__SSE2__) && !defined(JSON_SCAN_PORTABLE)
#include <emmintrin.h>

#define BLOCK 64

/* One bit a byte, the first the lowest. */
struct block {
	uint64_t quotes, backslashes, opens, closes;
};

static uint64_t bits_equal(const __m128i v[4], char c)
{
	const __m128i want = _mm_set1_epi8(c);
	uint64_t bits = 0;

	for (int i = 0; i < 4; i++)
		bits |= (uint64_t)(unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(v[i], want)) << (16 * i);
	return bits;
}

static struct block block_of(const char *bytes)
{
	const __m128i fold = _mm_set1_epi8(0x20); /* '[' and '{', ']' and '}' differ by it */
	__m128i v[4], folded[4];

	for (int i = 0; i < 4; i++) {
		v[i] = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
		folded[i] = _mm_or_si128(v[i], fold);
	}
	return (struct block){ bits_equal(v, '"'), bits_equal(v, '\\'), bits_equal(folded, '{'),
			       bits_equal(folded, '}') };
}

/* What a backslash stands before means nothing. */
static void escapes_drop(struct block *block, bool *escaped)
{
	uint64_t backslashes = block->backslashes & ~(uint64_t)*escaped, taken = *escaped;

	*escaped = false;
	while (backslashes) {
		uint64_t lowest = backslashes & -backslashes;

		*escaped = lowest >> (BLOCK - 1);
		taken |= lowest << 1;
		backslashes &= ~(lowest | lowest << 1);
	}
	block->quotes &= ~taken;
	block->opens &= ~taken;
	block->closes &= ~taken;
}

/* Ones from each quote up to the one that closes it. */
static uint64_t strings_of(uint64_t quotes, bool in_string)
{
	for (unsigned int shift = 1; shift < BLOCK; shift *= 2)
		quotes ^= quotes << shift;
	return in_string ? ~quotes : quotes;
}

/* Whole blocks in which the object cannot end; bytes behind them are left alone. */
static size_t run_blocks(struct json_depth *depth, const char *bytes, size_t len)
{
	size_t at = 0;

	for (; len - at >= BLOCK; at += BLOCK) {
		struct block block = block_of(bytes + at);
		bool escaped = depth->escaped;
		uint64_t strings;
		unsigned int closes;

		escapes_drop(&block, &escaped);
		strings = strings_of(block.quotes, depth->in_string);
		closes = (unsigned int)__builtin_popcountll(block.closes & ~strings);
		if (closes >= depth->open)
			break;
		depth->open += (unsigned int)__builtin_popcountll(block.opens & ~strings) - closes;
		depth->in_string = strings >> (BLOCK - 1);
		depth->escaped = escaped;
	}
	return at;
}
#else
static size_t run_blocks(struct json_depth *depth, const char *bytes, size_t len)
{
	(void)depth, (void)bytes, (void)len;
	return 0;
}
#endif

static void step(struct json_depth *depth, char c)
{
	if (depth->escaped)
		depth->escaped = false;
	else if (c == '\\')
		depth->escaped = true;
	else if (c == '"')
		depth->in_string = !depth->in_string;
	else if (!depth->in_string && (c == '{' || c == '['))
		depth->open++;
	else if (!depth->in_string && (c == '}' || c == ']'))
		depth->open--;
}

size_t json_depth_run(struct json_depth *depth, const char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len && depth->open) {
		at += run_blocks(depth, bytes + at, len - at);
		/* The end may be in the next block: byte by byte to where it would be over. */
		for (size_t until = len - at > 64 ? at + 64 : len; at < until && depth->open; at++)
			step(depth, bytes[at]);
	}
	return at;
}
