/* SPDX-License-Identifier: Apache-2.0 */
/* One cell of the matrix. */
#ifndef REPORT_MATRIX_CELL_H
#define REPORT_MATRIX_CELL_H

#include "report/report.h"

/* Adds "ports", "ranges" and "other" (see report_matrix()) to `cell`. */
int matrix_cell_fill(const struct world *world, const struct pod *from, const struct pod *to, cJSON *cell,
		     struct err *err);

#endif
