/* SPDX-License-Identifier: Apache-2.0 */
/* Where answers go: colour only for terminals, names never raw (C19), columns
 * that line up. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"

enum style { STYLE_PLAIN, STYLE_HEAD, STYLE_GOOD, STYLE_BAD, STYLE_WARN, STYLE_DIM };

struct screen {
	FILE *out;
	FILE *err;
	bool colour;
};

/* Colour when stdout is a terminal and NO_COLOR is unset or empty. */
struct screen screen_of_process(void);

/* Escapes what could steer a terminal; line breaks too. */
void screen_put(const struct screen *screen, enum style style, const char *text);
void screen_putf(const struct screen *screen, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* One line on stderr: "bulkheadctl: ...". */
void screen_complain(const struct screen *screen, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Indented JSON in ASCII: other characters as \u escapes. */
void screen_json(const struct screen *screen, const cJSON *json);
/* The same for one line of JSON text. */
void screen_json_line(const struct screen *screen, const char *line);

struct table_cell {
	char *text; /* escaped */
	enum style style;
};

/* Cells row by row; the first row is the head. */
struct table {
	size_t columns;
	struct table_cell *v;
	size_t n;
	size_t cap;
	bool failed;
};
void table_done(struct table *table);
void table_add(struct table *table, enum style style, const char *text);
void table_addf(struct table *table, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void table_head(struct table *table, const char *const *names);
void table_print(struct table *table, const struct screen *screen);

#define auto_table __attribute__((__cleanup__(table_done)))

#endif
