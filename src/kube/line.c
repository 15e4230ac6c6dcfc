// SPDX-License-Identifier: Apache-2.0
#include "kube/line.h"

#include <errno.h>
#include <string.h>

#include "base/json_scan.h"

/* A line may have cost megabytes; the next ones seldom do. */
#define LINE_KEEP_BYTES (256u << 10)

static int line_end(struct line *line, struct err *err)
{
	int r;

	text_pad(&line->text, JSON_SCAN_PAD);
	if (line->text.failed)
		return err_set(err, ENOMEM, "line of %zu bytes", line->text.len);
	/* Empty lines separate nothing: servers and proxies send them to stay awake. */
	r = line->text.len ? line->each(line->text.data, line->text.len, line->data, err) : 0;
	if (line->text.cap > LINE_KEEP_BYTES)
		text_done(&line->text);
	line->text.len = 0;
	return r;
}

int line_feed(struct line *line, const char *bytes, size_t len, struct err *err)
{
	const char *end = bytes + len;
	int r = 0;

	if (memchr(bytes, '\0', len))
		return err_set(err, EBADMSG, "NUL byte in the stream");
	while (r == 0 && bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		size_t part = (size_t)((newline ? newline : end) - bytes);

		if (line->text.len + part > LINE_MAX_BYTES)
			return err_set(err, E2BIG, "line of more than %u bytes", LINE_MAX_BYTES);
		text_add(&line->text, bytes, part);
		if (line->text.failed)
			return err_set(err, ENOMEM, "line of %zu bytes", line->text.len);
		bytes += part + (newline != NULL);
		if (newline)
			r = line_end(line, err);
	}
	return r;
}

size_t line_reset(struct line *line)
{
	size_t left = line->text.len;

	text_done(&line->text);
	return left;
}
