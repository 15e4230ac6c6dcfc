/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SPREAD_H
#define BENCH_SPREAD_H

#include <stddef.h>

struct spread {
	double q1, median, q3;
};

struct spread spread_of(const double *samples, size_t n);
void spread_sort(double *samples, size_t n);

#endif
