// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define ESCAPED_PER_BYTE 4 /* \xNN */
#define COLUMN_GAP	 2

static const char *const style_codes[] = {
	[STYLE_PLAIN] = "",	  [STYLE_HEAD] = "\033[1m",  [STYLE_GOOD] = "\033[32m",
	[STYLE_BAD] = "\033[31m", [STYLE_WARN] = "\033[33m", [STYLE_DIM] = "\033[2m",
};

struct screen screen_of_process(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return (struct screen){
		.out = stdout,
		.err = stderr,
		.colour = isatty(STDOUT_FILENO) && (!no_colour || !*no_colour),
	};
}

/* Null: out of memory. */
static char *escaped_copy(const char *text)
{
	size_t size = strlen(text) * ESCAPED_PER_BYTE + ESCAPED_PER_BYTE + 1;
	char *out = malloc(size);

	if (out)
		text_escape(text, out, size);
	return out;
}

static void put_styled(const struct screen *screen, enum style style, const char *safe)
{
	bool coloured = screen->colour && style != STYLE_PLAIN && *safe;

	fprintf(screen->out, "%s%s%s", coloured ? style_codes[style] : "", safe, coloured ? "\033[0m" : "");
}

void screen_put(const struct screen *screen, enum style style, const char *text)
{
	auto_free char *safe = escaped_copy(text);

	put_styled(screen, style, safe ? safe : "(out of memory)");
}

void screen_putf(const struct screen *screen, enum style style, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		text = NULL;
	screen_put(screen, style, text ? text : "(out of memory)");
}

void screen_complain(const struct screen *screen, const char *fmt, ...)
{
	auto_free char *text = NULL, *safe = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		text = NULL;
	safe = text ? escaped_copy(text) : NULL;
	fprintf(screen->err, "bulkheadctl: %s\n", safe ? safe : "out of memory");
}

/* --- JSON --- */

/* Code point at *s, which moves on; U+FFFD for a byte that is no UTF-8. */
static unsigned int code_point_next(const unsigned char **s)
{
	unsigned int first = *(*s)++;
	unsigned int more = first >= 0xf0 && first < 0xf5 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
	unsigned int cp = first & (0x3fu >> more);

	if (first < 0x80)
		return first;
	if (more == 0 || first >= 0xf5)
		return 0xfffd;
	for (unsigned int i = 0; i < more; i++) {
		if (((*s)[i] & 0xc0) != 0x80)
			return 0xfffd;
		cp = cp << 6 | ((*s)[i] & 0x3f);
	}
	*s += more;
	return cp;
}

static void put_json_text(const struct screen *screen, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		unsigned int cp = code_point_next(&s);

		if (cp < 0x7f)
			putc((int)cp, screen->out);
		else if (cp < 0x10000)
			fprintf(screen->out, "\\u%04x", cp);
		else
			fprintf(screen->out, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10),
				0xdc00 + ((cp - 0x10000) & 0x3ff));
	}
}

void screen_json(const struct screen *screen, const cJSON *json)
{
	char *text = cJSON_Print(json);

	if (!text) {
		screen_complain(screen, "out of memory");
		return;
	}
	put_json_text(screen, text);
	putc('\n', screen->out);
	cJSON_free(text);
}

void screen_json_line(const struct screen *screen, const char *line)
{
	put_json_text(screen, line);
	putc('\n', screen->out);
}

/* --- tables --- */

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->v[i].text);
	free(table->v);
	*table = (struct table){ 0 };
}

void table_add(struct table *table, enum style style, const char *text)
{
	auto_free char *safe = escaped_copy(text);

	if (table->n == table->cap) {
		size_t cap = table->cap ? table->cap * 2 : 64;
		struct table_cell *more = reallocarray(table->v, cap, sizeof(*more));

		table->failed |= !more;
		if (!more)
			return;
		table->v = more;
		table->cap = cap;
	}
	table->failed |= !safe;
	if (!table->failed)
		table->v[table->n++] = (struct table_cell){ TAKE(safe), style };
}

void table_addf(struct table *table, enum style style, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		table->failed = true;
	} else {
		table_add(table, style, text);
	}
}

void table_head(struct table *table, const char *const *names)
{
	for (size_t i = 0; i < table->columns; i++)
		table_add(table, STYLE_HEAD, names[i]);
}

/* Columns on a terminal: one per code point is near enough for names. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->n; i += table->columns) {
		size_t w = text_width(table->v[i].text);

		width = w > width ? w : width;
	}
	return width;
}

void table_print(struct table *table, const struct screen *screen)
{
	auto_free size_t *widths = calloc(table->columns, sizeof(*widths));

	if (table->failed || !widths) {
		screen_complain(screen, "out of memory");
		return;
	}
	for (size_t c = 0; c < table->columns; c++)
		widths[c] = column_width(table, c);
	for (size_t i = 0; i < table->n; i++) {
		bool last = i % table->columns == table->columns - 1;
		size_t pad = widths[i % table->columns] - text_width(table->v[i].text) + COLUMN_GAP;

		put_styled(screen, table->v[i].style, table->v[i].text);
		fprintf(screen->out, "%*s", last ? 0 : (int)pad, "");
		if (last)
			putc('\n', screen->out);
	}
}
