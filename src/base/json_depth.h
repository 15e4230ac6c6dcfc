/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where a JSON object ends, in a stream of bytes that may be cut anywhere, and
 * nothing more: whether the brackets pair up and what is between them is the
 * parser's to say.
 */
#ifndef BASE_JSON_DEPTH_H
#define BASE_JSON_DEPTH_H

#include <stdbool.h>
#include <stddef.h>

struct json_depth {
	unsigned int open; /* brackets; 1 behind the object's first */
	bool in_string, escaped;
};

/* How many of these bytes belong to the object; open is 0 when it ended there. */
size_t json_depth_run(struct json_depth *depth, const char *bytes, size_t len);

#endif
