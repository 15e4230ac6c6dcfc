/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over JSON text once, hands out what its caller asks for and keeps nothing of
 * the rest: for large objects of which a few members matter.
 *
 * It may be sure or unsure. What it goes through without `failed` is JSON that
 * json_parse() reads the same way, but for two things that it does not mind where
 * nothing is read: a key that stands twice, and a NUL written as an escape. Whatever is wrong or merely
 * unusual (an escape in a string that was asked for, a number that is no small whole one) makes it fail
 * without a word: ask json_parse(), which knows and says what it is.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* So many bytes after the text are read, whatever they are; the first must be '\0'. */
#define JSON_SCAN_PAD 64

struct json_scan {
	const char *at;
	const char *end;
	unsigned int depth; /* of what is open */
	bool failed;	    /* for good: everything says no from then on */
	/* Looked at already: bit i says that ahead[i] ends a run of plain text. Nothing yet
	 * where it lies before all that was looked at. */
	const char *ahead;
	uint64_t stops;
};

/* A string's bytes, without the quotes; no escapes in them. */
struct json_word {
	const char *text; /* null: absent */
	size_t len;
};

static inline struct json_scan json_scan_of(const char *text, size_t len)
{
	return (struct json_scan){ .at = text, .end = text + len, .ahead = text + len + JSON_SCAN_PAD };
}

/* Is everything read, and was it all as it should be? */
bool json_scan_done(struct json_scan *scan);

/* Each reads one value, or goes into one; false: failed. */
bool json_scan_object(struct json_scan *scan);
bool json_scan_array(struct json_scan *scan);
bool json_scan_word(struct json_scan *scan, struct json_word *ret);
bool json_scan_bool(struct json_scan *scan, bool *ret);
/* A whole number from 0 to `max`, written in digits alone. */
bool json_scan_number(struct json_scan *scan, uint32_t max, uint32_t *ret);
bool json_scan_skip(struct json_scan *scan);
/* The same if the next value is these bytes, which were a whole value before. */
bool json_scan_same(struct json_scan *scan, const char *text, size_t len);

/* The next member of the object, or item of the array, that was gone into; its value
 * must be read or skipped then. *is_first is set by the caller before the first. False:
 * that was the last one, and the object or array is left; or failed. */
bool json_scan_member(struct json_scan *scan, bool *is_first, struct json_word *ret_key);
bool json_scan_item(struct json_scan *scan, bool *is_first);

/* Inlined, so that the length of a literal costs nothing. */
static inline bool json_word_is(const struct json_word *word, const char *text)
{
	return word->text && strlen(text) == word->len && memcmp(word->text, text, word->len) == 0;
}

#endif
