// SPDX-License-Identifier: Apache-2.0
/*
 * Who may reach whom. Most pods are replicas: pods that no policy can tell apart
 * share their cells, so the work grows with the kinds of pods and not with pods.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/matrix_cell.h"
#include "report/report_part.h"

/* The answer grows with the square of it and is made while the daemon waits. */
#define MATRIX_PODS_MAX 128

/* --- the pods --- */

static int pod_compare(const void *a, const void *b)
{
	const struct pod *x = *(const struct pod *const *)a, *y = *(const struct pod *const *)b;
	int order = strcmp(x->namespace, y->namespace);

	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : pod_rank(y) - pod_rank(x);
}

/* The pods that count, sorted, each name once. */
static const struct pod **pods_choose(const struct world *world, const char *namespace, size_t *ret_n)
{
	const struct pod **pods = calloc(world->n_pods + 1, sizeof(*pods));
	size_t n = 0, kept = 0;

	for (size_t i = 0; pods && i < world->n_pods; i++)
		if (pod_counts(world->pods[i]) &&
		    (!namespace || strcmp(namespace, world->pods[i]->namespace) == 0))
			pods[n++] = world->pods[i];
	if (n)
		qsort(pods, n, sizeof(*pods), pod_compare);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(pods[i]->name, pods[kept - 1]->name) != 0 ||
		    strcmp(pods[i]->namespace, pods[kept - 1]->namespace) != 0)
			pods[kept++] = pods[i];
	*ret_n = kept;
	return pods;
}

static int names_put(const struct pod *const *pods, size_t n, cJSON *matrix, struct err *err)
{
	cJSON *names = put_array(matrix, "pods");

	for (size_t i = 0; names && i < n; i++) {
		auto_free char *name = pod_text(pods[i]);

		if (!push_text(names, name))
			names = NULL;
	}
	return names ? 0 : err_set(err, ENOMEM, "the matrix");
}

/* --- pods that are alike --- */

static bool rule_has_blocks(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++)
		if (rule->peers[i].has_block)
			return true;
	return false;
}

/* Then addresses count, and no two pods are alike. */
static bool world_has_blocks(const struct world *world)
{
	for (size_t i = 0; i < world->n_netpols; i++)
		for (int d = 0; d < 2; d++)
			for (size_t j = 0; j < world->netpols[i]->n_rules[d]; j++)
				if (rule_has_blocks(&world->netpols[i]->rules[d][j]))
					return true;
	return false;
}

static bool pods_are_alike(const struct pod *a, const struct pod *b)
{
	return strcmp(a->namespace, b->namespace) == 0 && labels_equal(&a->labels, &b->labels) &&
	       pod_ports_equal(a, b);
}

struct matrix {
	const struct world *world;
	const struct pod **pods;
	size_t n;
	size_t *kind;  /* index of the first pod that is like this one */
	cJSON **known; /* a filled cell for each pair of kinds; not owned */
	cJSON *cells;
};

static void matrix_done(struct matrix *matrix)
{
	free(matrix->pods);
	free(matrix->kind);
	free(matrix->known);
}

static void kinds_find(struct matrix *matrix)
{
	bool addresses_count = world_has_blocks(matrix->world);

	for (size_t i = 0; i < matrix->n; i++) {
		matrix->kind[i] = i;
		for (size_t j = 0; !addresses_count && j < i && matrix->kind[i] == i; j++)
			if (pods_are_alike(matrix->pods[i], matrix->pods[j]))
				matrix->kind[i] = matrix->kind[j];
	}
}

/* --- cells --- */

static int cell_copy(cJSON *cell, const cJSON *known, struct err *err)
{
	static const char *const keys[] = { "ports", "ranges", "other" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		cJSON *copy = cJSON_Duplicate(json_get(known, keys[i]), true);

		if (!copy || !cJSON_AddItemToObject(cell, keys[i], copy)) {
			cJSON_Delete(copy);
			return err_set(err, ENOMEM, "the matrix");
		}
	}
	return 0;
}

/* A template stands for replicas, and one replica is not the other's self. */
static bool pod_is_many(const struct pod *pod)
{
	return *pod->workload && pod->n_addrs == 0;
}

static int cell_put(struct matrix *matrix, size_t from, size_t to, struct err *err)
{
	cJSON **known = &matrix->known[matrix->kind[from] * matrix->n + matrix->kind[to]];
	cJSON *cell = put_object(matrix->cells, NULL);
	const struct pod replica = *matrix->pods[from]; /* a view: nothing in it is freed */
	int r;

	if (!cell || !put_pod(cell, "from", matrix->pods[from]) || !put_pod(cell, "to", matrix->pods[to]))
		return err_set(err, ENOMEM, "the matrix");
	if (*known)
		return cell_copy(cell, *known, err);
	r = matrix_cell_fill(matrix->world, &replica, matrix->pods[to], cell, err);
	if (r == 0)
		*known = cell;
	return r;
}

static int cells_put(struct matrix *matrix, cJSON *answer, struct err *err)
{
	matrix->kind = calloc(matrix->n + 1, sizeof(*matrix->kind));
	matrix->known = calloc(matrix->n * matrix->n + 1, sizeof(*matrix->known));
	matrix->cells = put_array(answer, "cells");
	if (!matrix->kind || !matrix->known || !matrix->cells)
		return err_set(err, ENOMEM, "the matrix");
	kinds_find(matrix);
	for (size_t i = 0; i < matrix->n * matrix->n; i++) {
		int r;

		/* R17: a pod always reaches itself, so its diagonal says nothing. */
		if (i / matrix->n == i % matrix->n && !pod_is_many(matrix->pods[i / matrix->n]))
			continue;
		r = cell_put(matrix, i / matrix->n, i % matrix->n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int report_matrix(const struct world *world, const char *namespace, cJSON **ret, struct err *err)
{
	struct matrix matrix __attribute__((__cleanup__(matrix_done))) = { .world = world };
	auto_json cJSON *answer = cJSON_CreateObject();
	int r;

	matrix.pods = pods_choose(world, namespace, &matrix.n);
	if (!matrix.pods || !answer)
		return err_set(err, ENOMEM, "the matrix");
	if (matrix.n > MATRIX_PODS_MAX)
		return err_set(err, E2BIG, "%zu pods, more than %d; ask for one namespace", matrix.n,
			       MATRIX_PODS_MAX);
	r = names_put(matrix.pods, matrix.n, answer, err);
	if (r == 0)
		r = cells_put(&matrix, answer, err);
	if (r < 0)
		return r;
	*ret = TAKE(answer);
	return 0;
}
