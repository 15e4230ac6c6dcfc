/* SPDX-License-Identifier: Apache-2.0 */
/* YAML (JSON is a subset) into cJSON, through libyaml. Plain scalars become
 * null, booleans (true/false only), numbers or strings as YAML 1.2 core has it;
 * quoted ones stay strings. Aliases are expanded under a limit; duplicate keys
 * and non-string keys are errors. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/json.h"

struct yaml_doc {
	cJSON *json;	   /* owned */
	unsigned int line; /* first line of the document, from 1 */
};

struct yaml_docs {
	struct yaml_doc *v;
	size_t n;
};
void yaml_docs_done(struct yaml_docs *docs);

/* All documents of a stream; empty documents are left out. -EBADMSG with
 * "name:line: what". */
int yaml_parse(const char *name, const char *text, size_t len, struct yaml_docs *ret_docs, struct err *err);

/* Line (from 1) where `path` ("spec.ingress[0].ports") stands in the document
 * that begins at `line`, for error messages: of the deepest part of the path
 * that is there, `line` itself when nothing is. */
unsigned int yaml_line_of(const char *text, size_t len, unsigned int line, const char *path);

#endif
