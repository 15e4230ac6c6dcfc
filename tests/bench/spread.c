// SPDX-License-Identifier: Apache-2.0
#include "bench/spread.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void spread_sort(double *samples, size_t n)
{
	qsort(samples, n, sizeof(*samples), by_value);
}

struct spread spread_of(const double *samples, size_t n)
{
	double *sorted = reallocarray(NULL, n, sizeof(*sorted));
	struct spread spread;

	if (!sorted)
		abort();
	memcpy(sorted, samples, n * sizeof(*sorted));
	spread_sort(sorted, n);
	spread = (struct spread){ sorted[n / 4], sorted[n / 2], sorted[3 * n / 4] };
	free(sorted);
	return spread;
}
