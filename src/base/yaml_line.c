// SPDX-License-Identifier: Apache-2.0
/* Where a field stands in a YAML text: reads the events again, since most texts
 * have nothing to report and should not pay for marks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/yaml.h"

struct finder {
	yaml_parser_t parser;
	unsigned int line; /* of the deepest part found so far */
};

static void event_done(yaml_event_t *event)
{
	yaml_event_delete(event);
}
#define auto_event __attribute__((__cleanup__(event_done)))

static unsigned int event_line(const yaml_event_t *event)
{
	return (unsigned int)event->start_mark.line + 1;
}

static int finder_next(struct finder *finder, yaml_event_t *ret_event)
{
	if (yaml_parser_parse(&finder->parser, ret_event))
		return 0;
	memset(ret_event, 0, sizeof(*ret_event));
	return -EBADMSG;
}

/* Reads past the node that `event` began. */
static int node_skip(struct finder *finder, const yaml_event_t *event)
{
	unsigned int depth = 0;
	yaml_event_type_t type = event->type;

	for (;;) {
		auto_event yaml_event_t next = { 0 };

		if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT)
			depth++;
		else if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT)
			depth--;
		if (depth == 0)
			return 0;
		if (finder_next(finder, &next) < 0)
			return -EBADMSG;
		type = next.type;
	}
}

/* What is left of `path` behind `key`; null when the path goes elsewhere. Keys
 * may contain dots, so the text decides and not the next dot. */
static const char *path_after(const char *path, const char *key)
{
	size_t len = strlen(key);

	path += *path == '.';
	if (strncmp(path, key, len) != 0)
		return NULL;
	return path[len] == '.' || path[len] == '[' || path[len] == '\0' ? path + len : NULL;
}

static int find_node(struct finder *finder, const yaml_event_t *event, const char *path);

static int find_member(struct finder *finder, const char *path)
{
	for (;;) {
		auto_event yaml_event_t key = { 0 }, value = { 0 };
		const char *rest = NULL;

		if (finder_next(finder, &key) < 0 || key.type == YAML_MAPPING_END_EVENT)
			return -ENOENT;
		if (key.type == YAML_SCALAR_EVENT)
			rest = path_after(path, (const char *)key.data.scalar.value);
		else if (node_skip(finder, &key) < 0)
			return -ENOENT;
		if (finder_next(finder, &value) < 0)
			return -ENOENT;
		if (rest) {
			finder->line = event_line(&key);
			return find_node(finder, &value, rest);
		}
		if (node_skip(finder, &value) < 0)
			return -ENOENT;
	}
}

static int find_item(struct finder *finder, const char *path)
{
	char *end;
	unsigned long index = *path == '[' ? strtoul(path + 1, &end, 10) : 0;

	if (*path != '[' || *end != ']')
		return -ENOENT;
	for (unsigned long i = 0;; i++) {
		auto_event yaml_event_t item = { 0 };

		if (finder_next(finder, &item) < 0 || item.type == YAML_SEQUENCE_END_EVENT)
			return -ENOENT;
		if (i == index) {
			finder->line = event_line(&item);
			return find_node(finder, &item, end + 1);
		}
		if (node_skip(finder, &item) < 0)
			return -ENOENT;
	}
}

static int find_node(struct finder *finder, const yaml_event_t *event, const char *path)
{
	if (*path == '\0')
		return 0;
	if (event->type == YAML_MAPPING_START_EVENT)
		return find_member(finder, path);
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return find_item(finder, path);
	return -ENOENT;
}

unsigned int yaml_line_of(const char *text, size_t len, unsigned int line, const char *path)
{
	struct finder finder = { .line = line };
	bool done = false;

	if (!yaml_parser_initialize(&finder.parser))
		return line;
	yaml_parser_set_encoding(&finder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&finder.parser, (const unsigned char *)text, len);
	while (!done) {
		auto_event yaml_event_t event = { 0 }, root = { 0 };

		done = finder_next(&finder, &event) < 0 || event.type == YAML_STREAM_END_EVENT;
		if (done || event.type != YAML_DOCUMENT_START_EVENT || event_line(&event) != line)
			continue;
		done = true;
		if (finder_next(&finder, &root) == 0)
			find_node(&finder, &root, path);
	}
	yaml_parser_delete(&finder.parser);
	return finder.line;
}
