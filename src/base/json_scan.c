// SPDX-License-Identifier: Apache-2.0
#include "base/json_scan.h"

#include <string.h>

#if defined(__SSE2__) && !defined(JSON_SCAN_PORTABLE)
#include <emmintrin.h>
#endif

/* Below json_parse()'s own limit. */
#define DEPTH_MAX 100
/* Longer numbers are not cJSON's to read either. */
#define NUMBER_MAX 40

/* Functions that skip return what follows. The text ends with a NUL, which is allowed
 * at no place, so none of them can run past the end; and where something else is wrong
 * they return a NUL of their own, so that nothing fits from there on. */
static const char nowhere[JSON_SCAN_PAD] = "";

#if defined(__SSE2__) && !defined(JSON_SCAN_PORTABLE)
#define AHEAD 64

/* One bit for each byte that is a quote, a backslash or a control byte. */
static inline uint64_t stops_of(const char *at)
{
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
		      control = _mm_set1_epi8(0x1f);
	uint64_t stops = 0;

#pragma GCC unroll 4
	for (unsigned int i = 0; i < AHEAD; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
		__m128i stop =
			_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
				     _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));

		stops |= (uint64_t)(unsigned int)_mm_movemask_epi8(stop) << i;
	}
	return stops;
}

static const char *plain_end_beyond(struct json_scan *scan, const char *at)
{
	do {
		scan->ahead = at;
		scan->stops = stops_of(at);
		at += AHEAD;
	} while (!scan->stops);
	return scan->ahead + __builtin_ctzll(scan->stops);
}

/* The first byte that ends a run of plain text. Strings are short: most ends are known
 * from one look at 64 bytes, so that no string waits for the one before to be loaded. */
static inline const char *plain_end(struct json_scan *scan, const char *at)
{
	size_t known = (size_t)(at - scan->ahead);
	uint64_t stops = known < AHEAD ? scan->stops >> known : 0;

	if (__builtin_expect(stops != 0, 1))
		return at + __builtin_ctzll(stops);
	return plain_end_beyond(scan, known < AHEAD ? scan->ahead + AHEAD : at);
}
#else
static inline const char *plain_end(struct json_scan *scan, const char *at)
{
	(void)scan;
	while (*at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
		at++;
	return at;
}
#endif

static inline const char *skip_space(const char *at)
{
	/* Servers send none: one comparison says so. */
	while ((unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; negative: they are not. */
static int hex4_of(const char *at)
{
	int code = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_of(at[i]);

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/* What follows a backslash. A surrogate alone is refused, as cJSON does. */
static const char *skip_escape(const char *at)
{
	int code;

	if (*at == '"') /* by far the most */
		return at + 1;
	if (*at != 'u')
		return *at && strchr("\"\\/bfnrt", *at) ? at + 1 : nowhere;
	code = hex4_of(at + 1);
	if (code < 0 || (code >= 0xdc00 && code <= 0xdfff))
		return nowhere;
	at += 5;
	if (code < 0xd800 || code > 0xdbff)
		return at;
	if (at[0] != '\\' || at[1] != 'u')
		return nowhere;
	code = hex4_of(at + 2);
	return code >= 0xdc00 && code <= 0xdfff ? at + 6 : nowhere;
}

/* From the first byte that is not plain to behind the closing quote. */
static const char *skip_string_rest(struct json_scan *scan, const char *at)
{
	while (*at == '\\') {
		at = skip_escape(at + 1);
		if (at != nowhere)
			at = plain_end(scan, at);
	}
	return *at == '"' ? at + 1 : nowhere;
}

/* From behind the opening quote to behind the closing one. */
static inline const char *skip_string(struct json_scan *scan, const char *at)
{
	at = plain_end(scan, at);
	return __builtin_expect(*at == '"', 1) ? at + 1 : skip_string_rest(scan, at);
}

static inline const char *skip_digits(const char *at)
{
	const char *start = at;

	while (*at >= '0' && *at <= '9')
		at++;
	return at > start ? at : nowhere;
}

static const char *skip_number(const char *at)
{
	const char *start = at;

	at += *at == '-';
	at = *at == '0' ? at + 1 : skip_digits(at);
	if (*at == '.')
		at = skip_digits(at + 1);
	if (*at == 'e' || *at == 'E') {
		at++;
		at = skip_digits(at + (*at == '+' || *at == '-'));
	}
	return at == nowhere || at - start <= NUMBER_MAX ? at : nowhere;
}

/* May look beyond the end, into the pad. */
static inline const char *skip_literal(const char *at, const char *literal, size_t len)
{
	return memcmp(at, literal, len) == 0 ? at + len : nowhere;
}

static const char *skip_other(struct json_scan *scan, const char *at, unsigned int depth);

/* The most frequent values where they stand, the others by a call. `depth`: so many
 * more objects and arrays may open within it. */
static inline const char *skip_value(struct json_scan *scan, const char *at, unsigned int depth)
{
	if (*at == '"')
		return skip_string(scan, at + 1);
	if (memcmp(at, "{}", 2) == 0)
		return at + 2;
	return skip_other(scan, at, depth);
}

/* From where a key's plain text ends to behind its colon. */
static inline const char *skip_key_end(struct json_scan *scan, const char *at)
{
	if (__builtin_expect(memcmp(at, "\":", 2) == 0, 1))
		return at + 2;
	at = skip_space(skip_string_rest(scan, at));
	return *at == ':' ? at + 1 : nowhere;
}

static const char *skip_object(struct json_scan *scan, const char *at, unsigned int depth)
{
	at = skip_space(at);
	if (*at == '}')
		return at + 1;
	if (!depth)
		return nowhere;
	while (*at == '"') {
		at = skip_key_end(scan, plain_end(scan, at + 1));
		at = skip_space(skip_value(scan, skip_space(at), depth - 1));
		if (*at != ',')
			return *at == '}' ? at + 1 : nowhere;
		at = skip_space(at + 1);
	}
	return nowhere;
}

static const char *skip_array(struct json_scan *scan, const char *at, unsigned int depth)
{
	at = skip_space(at);
	if (*at == ']')
		return at + 1;
	if (!depth)
		return nowhere;
	for (;;) {
		at = skip_space(skip_value(scan, at, depth - 1));
		if (*at != ',')
			return *at == ']' ? at + 1 : nowhere;
		at = skip_space(at + 1);
	}
}

static const char *skip_other(struct json_scan *scan, const char *at, unsigned int depth)
{
	switch (*at) {
	case '{':
		return skip_object(scan, at + 1, depth);
	case '[':
		return skip_array(scan, at + 1, depth);
	case 't':
		return skip_literal(at, "true", 4);
	case 'f':
		return skip_literal(at, "false", 5);
	case 'n':
		return skip_literal(at, "null", 4);
	default:
		return skip_number(at);
	}
}

/* --- what callers see --- */

static inline bool went(struct json_scan *scan, const char *to)
{
	if (to == nowhere || scan->failed) {
		scan->failed = true;
		return false;
	}
	scan->at = skip_space(to);
	return true;
}

static bool go_into(struct json_scan *scan, char bracket)
{
	if (*scan->at != bracket || scan->depth >= DEPTH_MAX)
		return went(scan, nowhere);
	scan->depth++;
	return went(scan, scan->at + 1);
}

bool json_scan_object(struct json_scan *scan)
{
	return go_into(scan, '{');
}

bool json_scan_array(struct json_scan *scan)
{
	return go_into(scan, '[');
}

bool json_scan_word(struct json_scan *scan, struct json_word *ret)
{
	const char *end;

	if (*scan->at != '"')
		return went(scan, nowhere);
	end = plain_end(scan, scan->at + 1);
	*ret = (struct json_word){ scan->at + 1, (size_t)(end - scan->at - 1) };
	return went(scan, *end == '"' ? end + 1 : nowhere);
}

bool json_scan_bool(struct json_scan *scan, bool *ret)
{
	*ret = *scan->at == 't';
	return went(scan, *ret ? skip_literal(scan->at, "true", 4) : skip_literal(scan->at, "false", 5));
}

bool json_scan_number(struct json_scan *scan, uint32_t max, uint32_t *ret)
{
	const char *at = scan->at;
	uint64_t value = 0;

	for (; *at >= '0' && *at <= '9' && value <= max; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	if (skip_number(scan->at) != at || value > max)
		return went(scan, nowhere);
	*ret = (uint32_t)value;
	return went(scan, at);
}

bool json_scan_skip(struct json_scan *scan)
{
	return went(scan, skip_value(scan, scan->at, DEPTH_MAX - scan->depth));
}

bool json_scan_same(struct json_scan *scan, const char *text, size_t len)
{
	return len && (size_t)(scan->end - scan->at) >= len && memcmp(scan->at, text, len) == 0 &&
	       went(scan, scan->at + len);
}

/* To the next of a list, over the comma if it is not the first. */
static inline bool next(struct json_scan *scan, bool *is_first, char bracket)
{
	if (scan->failed)
		return false;
	if (*scan->at == bracket) {
		scan->depth--;
		went(scan, scan->at + 1);
		return false;
	}
	if (*is_first) {
		*is_first = false;
		return true;
	}
	return went(scan, *scan->at == ',' ? scan->at + 1 : nowhere);
}

bool json_scan_member(struct json_scan *scan, bool *is_first, struct json_word *ret_key)
{
	const char *start, *end;

	if (!next(scan, is_first, '}'))
		return false;
	start = scan->at + 1;
	if (*scan->at != '"')
		return went(scan, nowhere);
	end = plain_end(scan, start);
	*ret_key = (struct json_word){ start, (size_t)(end - start) };
	return went(scan, *end == '"' ? skip_key_end(scan, end) : nowhere);
}

bool json_scan_item(struct json_scan *scan, bool *is_first)
{
	return next(scan, is_first, ']') && (*scan->at != ']' || went(scan, nowhere));
}

bool json_scan_done(struct json_scan *scan)
{
	return !scan->failed && scan->depth == 0 && scan->at == scan->end;
}
