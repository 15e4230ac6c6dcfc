// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_done(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}

static bool text_reserve(struct text *text, size_t more)
{
	size_t need = text->len + more + 1, cap = text->cap ? text->cap : 128;
	char *data;

	if (text->failed)
		return false;
	if (need <= text->cap)
		return true;
	while (cap < need)
		cap *= 2;
	data = realloc(text->data, cap);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->cap = cap;
	return true;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
	if (!text_reserve(text, len))
		return;
	if (len) /* memcpy must not see the null pointer that nothing may come as */
		memcpy(text->data + text->len, bytes, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void text_pad(struct text *text, size_t n)
{
	if (text_reserve(text, n))
		memset(text->data + text->len, 0, n + 1);
}

void text_addf(struct text *text, const char *fmt, ...)
{
	va_list args;
	size_t room;
	int n;

	/* It nearly always fits in what there is. */
	if (!text_reserve(text, 0))
		return;
	room = text->cap - text->len;
	va_start(args, fmt);
	n = vsnprintf(text->data + text->len, room, fmt, args);
	va_end(args);
	if (n < 0 || !text_reserve(text, (size_t)n)) {
		text->failed = true;
		return;
	}
	if ((size_t)n >= room) {
		va_start(args, fmt);
		vsnprintf(text->data + text->len, (size_t)n + 1, fmt, args);
		va_end(args);
	}
	text->len += (size_t)n;
}

char *text_take(struct text *text)
{
	char *data = NULL;

	text_add(text, "", 0);
	if (!text->failed) {
		data = text->data;
		text->data = NULL;
	}
	text_done(text);
	return data;
}

/* Length of the UTF-8 sequence at `s`, its code point in *cp; 0 if invalid. */
static size_t utf8_decode(const unsigned char *s, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;

	if (len == 0)
		return 0;
	*cp = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

static bool code_point_is_safe(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
		return false;
	return !(cp >= 0x202a && cp <= 0x202e) && !(cp >= 0x2066 && cp <= 0x2069) && cp != 0x200e &&
	       cp != 0x200f && cp != 0x2028 && cp != 0x2029;
}

void text_escape(const char *in, char *out, size_t out_size)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t n = 0;

	while (*s) {
		uint32_t cp = 0;
		size_t len = utf8_decode(s, &cp);

		if (len && code_point_is_safe(cp)) {
			if (n + len >= out_size)
				break;
			memcpy(out + n, s, len);
			n += len;
			s += len;
			continue;
		}
		if (n + 4 >= out_size)
			break;
		n += (size_t)sprintf(out + n, "\\x%02x", *s++);
	}
	out[n] = '\0';
}

int text_to_ulong(const char *in, unsigned long min, unsigned long max, unsigned long *ret)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)in[0]))
		return -EINVAL;
	errno = 0;
	value = strtoul(in, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}
