/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a stream of bytes into lines, wherever the bytes are cut. Only whole lines
 * come out; what is left at the end of a stream was never said. */
#ifndef KUBE_LINE_H
#define KUBE_LINE_H

#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

#define LINE_MAX_BYTES (8u << 20) /* etcd takes no object above 1.5 MiB */

struct line {
	struct text text; /* of the line that has not ended */
	/* One line without its newline, with JSON_SCAN_PAD behind it; may be written to.
	 * Negative: stop here. */
	int (*each)(char *text, size_t len, void *data, struct err *err);
	void *data;
};

/* -E2BIG over the cap, -EBADMSG for a NUL byte, -ENOMEM, or what `each` said. */
int line_feed(struct line *line, const char *bytes, size_t len, struct err *err);

/* Drops what is left; returns how many bytes it was. */
size_t line_reset(struct line *line);

#endif
