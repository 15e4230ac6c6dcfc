// SPDX-License-Identifier: Apache-2.0
#include "lib/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const tokens[] = {
	"{",
	"}",
	"[",
	"]",
	",",
	":",
	"\"",
	"\\",
	"\\\"",
	"\\u0000",
	"\\ud83d",
	"\\u00e9",
	"null",
	"true",
	"false",
	"0",
	"-1",
	"1e9",
	"1.5",
	"65536",
	"{}",
	"[]",
	"\"\"",
	"\"a\":1,",
	" ",
	"\n",
	"\t",
	"/",
	"\xff",
	"\x01",
	"\"name\"",
	"\"uid\"",
	"\"labels\"",
	"\"kind\":\"Pod\",",
	"\"metadata\":{},",
	"\"hostNetwork\":true,",
	"\"ports\":[",
	"\"podIP\":\"10.0.0.1\",",
	"\"Always\"",
};

static uint64_t environment(const char *name, uint64_t usual)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 10) : usual;
}

void mutate_begin(struct mutate *mutate)
{
	mutate->state = environment("BULKHEAD_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

size_t mutate_rounds(size_t usual)
{
	return environment("BULKHEAD_ROUNDS", usual);
}

size_t mutate_below(struct mutate *mutate, size_t limit)
{
	mutate->state ^= mutate->state << 13;
	mutate->state ^= mutate->state >> 7;
	mutate->state ^= mutate->state << 17;
	return limit ? (mutate->state >> 11) % limit : 0;
}

/* Puts `with` where `gone` bytes stood. */
static void splice(struct text *text, size_t at, size_t gone, const char *with, size_t len)
{
	struct text out = { 0 };

	text_add(&out, text->data, at);
	text_add(&out, with, len);
	text_add(&out, text->data + at + gone, text->len - at - gone);
	text_done(text);
	*text = out;
}

static void change(struct mutate *mutate, struct text *text)
{
	size_t at = mutate_below(mutate, text->len), rest = text->len - at,
	       part = mutate_below(mutate, rest < 40 ? rest + 1 : 40);
	const char *token = tokens[mutate_below(mutate, sizeof(tokens) / sizeof(tokens[0]))];
	auto_free char *copy = NULL;

	switch (mutate_below(mutate, 6)) {
	case 0:
		if (text->len)
			text->data[at] = (char)(1 + mutate_below(mutate, 255));
		break;
	case 1:
		splice(text, at, part, "", 0);
		break;
	case 2:
		copy = strndup(text->data + at, part);
		splice(text, mutate_below(mutate, text->len), 0, copy, strlen(copy));
		break;
	case 3:
		splice(text, at, 0, token, strlen(token));
		break;
	case 4:
		splice(text, at, part, token, strlen(token));
		break;
	case 5:
		if (mutate_below(mutate, 4) == 0)
			splice(text, at, rest, "", 0);
		break;
	}
}

void mutate_text(struct mutate *mutate, struct text *text)
{
	text_add(text, "", 0);
	for (size_t n = 1 + mutate_below(mutate, 4); n-- > 0;)
		change(mutate, text);
}
