/* SPDX-License-Identifier: Apache-2.0 */
/* Text: a growing buffer, and escaping for terminals and logs. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A growing, always terminated buffer. An allocation failure sets `failed` and
 * later appends do nothing: check once, at the end. Zero-initialise. */
struct text {
	char *data; /* null until the first append */
	size_t len;
	size_t cap;
	bool failed;
};

void text_done(struct text *text);
void text_add(struct text *text, const char *bytes, size_t len);
/* Makes `n` zero bytes readable behind the end. */
void text_pad(struct text *text, size_t n);
void text_addf(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Hands the string over (caller frees); null if an append failed. */
char *text_take(struct text *text);

#define auto_text __attribute__((__cleanup__(text_done)))

/* Writes `in` to `out` (terminated, cut if it does not fit) with everything
 * escaped that could steer a terminal or forge a line: C0, DEL, C1, invalid
 * UTF-8 and bidirectional controls become \\xNN. */
void text_escape(const char *in, char *out, size_t out_size);

/* Whole-string decimal within [min, max]; -EINVAL or -ERANGE otherwise. */
int text_to_ulong(const char *in, unsigned long min, unsigned long max, unsigned long *ret);

#endif
