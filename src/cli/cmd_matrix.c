// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"
#include "report/report.h"

#define CELL_WIDTH_MAX	  30 /* more ports than that fit are counted: "+3" */
#define NAMED_COLUMNS_MAX 6

static int ask_daemon(const struct cli_options *options, const struct screen *screen, cJSON **ret)
{
	auto_text struct text path = { 0 };

	text_addf(&path, "/v1/matrix");
	if (options->namespace)
		query_add(&path, "namespace", options->namespace);
	if (path.failed) {
		screen_complain(screen, "out of memory");
		return CLI_CANNOT_SAY;
	}
	return answer_from_daemon(options, screen, path.data, ANSWER_SLOW_MS, ret);
}

static int ask_world(const struct cli_options *options, const struct offline *offline, cJSON **ret)
{
	struct err err = { 0 };

	if (report_matrix(&offline->world, options->namespace, ret, &err) == 0)
		return CLI_OK;
	screen_complain(offline->screen, "%s", err.msg);
	return CLI_CANNOT_SAY;
}

/* --- one cell --- */

static bool is(const cJSON *object, const char *key, const char *value)
{
	return strcmp(text_in(object, key), value) == 0;
}

/* "tcp/80", "tcp/8000-8010", "tcp" for all of it; the verdict when it is not plain. */
static void range_text(struct text *out, const cJSON *range)
{
	unsigned int first = (unsigned int)number_in(range, "first"),
		     last = (unsigned int)number_in(range, "last");
	char proto[16] = "";

	for (size_t i = 0; text_in(range, "protocol")[i] && i + 1 < sizeof(proto); i++)
		proto[i] = (char)tolower((unsigned char)text_in(range, "protocol")[i]);
	text_addf(out, "%s", proto);
	if (first == last)
		text_addf(out, "/%u", first);
	else if (first > 1 || last < 65535)
		text_addf(out, "/%u-%u", first, last);
	if (is(range, "verdict", "audit"))
		text_addf(out, "(audit)");
	else if (is(range, "verdict", "unknown"))
		text_addf(out, "?");
}

static const char *other_text(const cJSON *cell)
{
	if (is(cell, "other", "allow"))
		return "all";
	if (is(cell, "other", "audit"))
		return "audit";
	return is(cell, "other", "deny") ? "-" : "?";
}

/* Null: out of memory. */
static char *cell_text(const cJSON *cell)
{
	struct text out = { 0 };
	const cJSON *range;
	size_t hidden = 0;
	bool some = false;

	if (!is(cell, "other", "deny"))
		text_addf(&out, "%s but ", other_text(cell));
	cJSON_ArrayForEach (range, json_get(cell, "ranges")) {
		auto_text struct text one = { 0 };

		range_text(&one, range);
		if (some && out.len + one.len + 1 > CELL_WIDTH_MAX) {
			hidden++;
			continue;
		}
		text_addf(&out, "%s%s", some ? "," : "", one.data ? one.data : "");
		some = true;
	}
	if (hidden)
		text_addf(&out, "+%zu", hidden);
	if (!some) {
		text_done(&out);
		text_addf(&out, "%s", other_text(cell));
	}
	return text_take(&out);
}

/* Whether anything passes in a cell: 1, 0, or -1 when that depends on an address. */
static int cell_talks(const cJSON *cell)
{
	bool unknown = is(cell, "other", "unknown");
	const cJSON *range;

	if (is(cell, "other", "allow") || is(cell, "other", "audit"))
		return 1;
	cJSON_ArrayForEach (range, json_get(cell, "ranges")) {
		if (is(range, "verdict", "allow") || is(range, "verdict", "audit"))
			return 1;
		unknown |= is(range, "verdict", "unknown");
	}
	return unknown ? -1 : 0;
}

static enum style cell_style(const cJSON *cell)
{
	int talks = cell_talks(cell);

	return talks > 0 ? STYLE_GOOD : talks < 0 ? STYLE_WARN : STYLE_DIM;
}

/* --- the table --- */

/* Few columns bear their names; many bear numbers, and the rows are the legend. */
static void head_add(struct table *table, const cJSON *pods, bool numbered)
{
	const cJSON *pod;
	size_t i = 1;

	table_add(table, STYLE_HEAD, "from \\ to");
	cJSON_ArrayForEach (pod, pods) {
		if (numbered)
			table_addf(table, STYLE_HEAD, "%zu", i++);
		else
			table_add(table, STYLE_HEAD, pod->valuestring);
	}
}

static void cell_add(struct table *table, const cJSON *cell)
{
	auto_free char *text = cell_text(cell);

	if (text)
		table_add(table, cell_style(cell), text);
	else
		table->failed = true;
}

/* Is the cell about two replicas of one workload? */
static bool cell_is_own(const cJSON *cell)
{
	return strcmp(text_in(cell, "from"), text_in(cell, "to")) == 0;
}

/* Cells come row by row; on the diagonal only workloads have one. */
static void rows_add(struct table *table, const cJSON *matrix, bool numbered)
{
	const cJSON *pods = json_get(matrix, "pods"), *from, *cells = json_get(matrix, "cells");
	const cJSON *cell = cells ? cells->child : NULL;
	size_t n = (size_t)cJSON_GetArraySize(pods), row = 0;

	cJSON_ArrayForEach (from, pods) {
		if (numbered)
			table_addf(table, STYLE_PLAIN, "%2zu %s", row + 1, from->valuestring);
		else
			table_add(table, STYLE_PLAIN, from->valuestring);
		for (size_t column = 0; column < n; column++) {
			if (column == row && !(cell && cell_is_own(cell))) {
				table_add(table, STYLE_DIM, ".");
				continue;
			}
			if (cell)
				cell_add(table, cell);
			else
				table_add(table, STYLE_BAD, "missing");
			cell = cell ? cell->next : NULL;
		}
		row++;
	}
}

static void legend_print(const struct screen *screen, const cJSON *matrix)
{
	size_t n = (size_t)cJSON_GetArraySize(json_get(matrix, "pods")), talk = 0, unknown = 0, own = 0;
	const cJSON *cell;

	cJSON_ArrayForEach (cell, json_get(matrix, "cells")) {
		if (cell_is_own(cell)) {
			own++;
			continue;
		}
		talk += cell_talks(cell) > 0;
		unknown += cell_talks(cell) < 0;
	}
	fprintf(screen->out, "\n%zu pod%s; %zu of %zu pairs may talk", n, n == 1 ? "" : "s", talk,
		n * (n - 1));
	if (unknown)
		fprintf(screen->out, ", %zu depend on an address that is not known", unknown);
	fprintf(screen->out, ".\n");
	if (own)
		fprintf(screen->out, "On the diagonal: between replicas of one workload.\n");
	screen_put(screen, STYLE_DIM,
		   "all: everything   tcp/80: only that   -: nothing   .: itself   ?: depends on an address");
	putc('\n', screen->out);
}

static void matrix_print(const struct screen *screen, const cJSON *matrix)
{
	const cJSON *pods = json_get(matrix, "pods");
	size_t n = (size_t)cJSON_GetArraySize(pods);
	auto_table struct table table = { .columns = n + 1 };
	bool numbered = n > NAMED_COLUMNS_MAX;

	if (n == 0) {
		fprintf(screen->out, "No pods.\n");
		return;
	}
	head_add(&table, pods, numbered);
	rows_add(&table, matrix, numbered);
	table_print(&table, screen);
	legend_print(screen, matrix);
}

static int run(const struct cli_options *options, struct screen *screen)
{
	auto_json cJSON *matrix = NULL;
	struct offline offline = { 0 };
	int code;

	if (options->manifests) {
		code = offline_open(&offline, options, screen, false);
		if (code == CLI_OK)
			code = ask_world(options, &offline, &matrix);
	} else {
		code = ask_daemon(options, screen, &matrix);
	}
	if (code == CLI_OK && options->json)
		screen_json(screen, matrix);
	else if (code == CLI_OK)
		matrix_print(screen, matrix);
	code = offline_exit(&offline, code);
	offline_done(&offline);
	return code;
}

const struct command cmd_matrix = {
	.name = "matrix",
	.args = "",
	.options = OPT_EVERYWHERE | OPT_OFFLINE | OPT_NAMESPACE,
	.summary = "who may reach whom, on which ports",
	.help = "Prints a table: rows are senders, columns receivers, cells the ports on which the\n"
		"policies let a connection pass. Exact over all ports and protocols. hostNetwork and\n"
		"finished pods are left out. With --manifests a workload stands for its pods, and\n"
		"its cell to itself is about two replicas.\n\n"
		"Example: bulkheadctl matrix --manifests ./manifests --namespace shop",
	.run = run,
};
