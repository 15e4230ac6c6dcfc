// SPDX-License-Identifier: Apache-2.0
/*
 * The case table, three ways: each row of tests/cases/ is judged by the oracle, by
 * the evaluator behind `explain`, and by the compiled tables in the kernel's
 * programs with a real packet. All must say what the row wants. Then the same with
 * the objects in reverse order (R5). A row to a Service has its answer from the report
 * behind `explain`, and its packets are translated by what src/service writes.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "lib/cases.h"
#include "lib/kernworld.h"
#include "lib/oracle.h"
#include "lib/tap.h"
#include "report/report.h"

static void must(int r, const struct err *err, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err->msg);
	exit(1);
}

static enum explain_verdict explained_verdict(const struct world *world, const struct explain_query *query)
{
	struct explanation explanation = { 0 };
	enum explain_verdict verdict;
	struct err err = { 0 };

	must(explain(world, query, &explanation, &err), &err, "explain");
	verdict = explanation.verdict;
	explanation_done(&explanation);
	return verdict;
}

static enum explain_verdict explained_service(const struct world *world, const struct explain_query *query)
{
	auto_json cJSON *answer = NULL;
	const char *verdict = NULL;
	struct err err = { 0 };
	int backends;

	must(report_explain(world, query, &answer, &err), &err, "explain a Service");
	backends = cJSON_GetArraySize(json_get(answer, "backends"));
	must(json_get_string(answer, "verdict", &verdict, &err), &err, "its verdict");
	for (enum explain_verdict v = EXPLAIN_ALLOW; json_get(answer, "service") && v < EXPLAIN_UNKNOWN;
	     v++) {
		if (strcmp(verdict, verdict_name(v)) == 0)
			return v == EXPLAIN_DENY && backends == 0 ? CASE_NO_BACKEND : v;
	}
	return EXPLAIN_UNKNOWN;
}

struct verdicts {
	enum explain_verdict oracle, explained, kernel;
};

static struct verdicts row_ask(struct kernworld *kw, const struct world *world, const struct case_row *row)
{
	if (row->is_service)
		return (struct verdicts){ oracle_service_verdict(world, &row->query),
					  explained_service(world, &row->query),
					  kernworld_service_verdict(kw, world, &row->query) };
	return (struct verdicts){ oracle_verdict(world, &row->query), explained_verdict(world, &row->query),
				  kernworld_verdict(kw, world, &row->query) };
}

static void rows_judge(struct kernworld *kw, const struct case_file *file)
{
	for (size_t i = 0; i < file->n_rows; i++) {
		const struct case_row *row = &file->rows[i];
		struct verdicts got = row_ask(kw, &file->world, row);
		bool good = got.oracle == row->want && got.explained == row->want && got.kernel == row->want;

		tap_result(good, "%s: %s -> %s %s is %s: %s", file->name, row->from, row->to, row->what,
			   verdict_name(row->want), row->why);
		if (!good)
			tap_note("oracle %s, evaluator %s, kernel %s", verdict_name(got.oracle),
				 verdict_name(got.explained), verdict_name(got.kernel));
	}
}

static void reverse(void *array, size_t n)
{
	void **v = array;

	for (size_t i = 0; i < n / 2; i++) {
		void *swap = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = swap;
	}
}

static void file_judge(struct kernworld *kw, const char *path)
{
	struct case_file file;
	struct err err = { 0 };

	must(case_file_read(path, &file, &err), &err, "cases");
	kernworld_start(kw, &file.world);
	rows_judge(kw, &file);
	reverse(file.world.netpols, file.world.n_netpols);
	reverse(file.world.namespaces, file.world.n_namespaces);
	reverse(file.world.services, file.world.n_services);
	reverse(file.world.slices, file.world.n_slices);
	tap_result(kernworld_update(kw, &file.world) == 0,
		   "%s: another order of the same objects changes no row (R5)", file.name);
	kernworld_stop(kw, &file.world);
	case_file_done(&file);
}

int main(void)
{
	struct kernworld *kw;
	struct dirent **names;
	const char *why;
	int n;

	kw = kernworld_open(CASE_NODE_V4, CASE_NODE_V6, &why);
	if (!kw) {
		tap_skip("the case table in the kernel", why);
		return tap_done();
	}
	n = scandir("tests/cases", &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "tests/cases/%s", names[i]->d_name);
		if (strstr(path, ".yaml"))
			file_judge(kw, path);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	kernworld_close(kw);
	return tap_done();
}
