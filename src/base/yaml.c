// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"

#define YAML_DEPTH_MAX 128
/* Nodes of one stream, aliases expanded; a long string counts for several.
 * Nine lines of aliases would otherwise become gigabytes. */
#define YAML_BUDGET	    (1u << 20)
#define YAML_BYTES_PER_NODE 64

struct anchor {
	char *name;
	const cJSON *value; /* inside the document being built */
	size_t cost;
};

struct reader {
	yaml_parser_t parser;
	const char *name;
	struct anchor *anchors;
	size_t n_anchors;
	size_t spent;
	unsigned int depth;
	struct err *err;
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

static int reader_fail(const struct reader *reader, unsigned int line, const char *what)
{
	return err_set(reader->err, EBADMSG, "%s:%u: %s", reader->name, line, what);
}

static int reader_next(struct reader *reader, yaml_event_t *ret_event)
{
	const yaml_parser_t *parser = &reader->parser;

	if (yaml_parser_parse(&reader->parser, ret_event))
		return 0;
	memset(ret_event, 0, sizeof(*ret_event));
	if (parser->error == YAML_MEMORY_ERROR)
		return err_set(reader->err, ENOMEM, "%s", reader->name);
	return reader_fail(reader, (unsigned int)parser->problem_mark.line + 1,
			   parser->problem ? parser->problem : "not YAML");
}

static int reader_spend(struct reader *reader, size_t cost, unsigned int line)
{
	reader->spent += cost;
	if (reader->spent > YAML_BUDGET)
		return reader_fail(reader, line, "too many values (aliases expanded)");
	return 0;
}

static void anchors_clear(struct reader *reader)
{
	for (size_t i = 0; i < reader->n_anchors; i++)
		free(reader->anchors[i].name);
	free(reader->anchors);
	reader->anchors = NULL;
	reader->n_anchors = 0;
}

static int anchor_add(struct reader *reader, const yaml_char_t *name, const cJSON *value, size_t cost)
{
	struct anchor *more;

	more = reallocarray(reader->anchors, reader->n_anchors + 1, sizeof(*more));
	if (!more)
		return err_set(reader->err, ENOMEM, "%s: anchor", reader->name);
	reader->anchors = more;
	more[reader->n_anchors] = (struct anchor){ strdup((const char *)name), value, cost };
	if (!more[reader->n_anchors].name)
		return err_set(reader->err, ENOMEM, "%s: anchor", reader->name);
	reader->n_anchors++;
	return 0;
}

/* --- scalars, by the core schema of YAML 1.2 (10.3.2) --- */

static bool is_word(const char *text, const char *a, const char *b, const char *c)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(const char *text)
{
	const char *p = text + (*text == '-' || *text == '+');
	size_t whole = digits(p);

	p += whole;
	if (*p == '.') {
		size_t fraction = digits(p + 1);

		if (whole + fraction == 0)
			return false;
		p += 1 + fraction;
	} else if (whole == 0) {
		return false;
	}
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '-' || p[1] == '+');
		if (digits(p) == 0)
			return false;
		p += digits(p);
	}
	return *p == '\0';
}

static bool is_based(const char *text, const char *prefix, const char *digit_set)
{
	return strncmp(text, prefix, 2) == 0 && text[2] && text[2 + strspn(text + 2, digit_set)] == '\0';
}

static bool number_parse(const char *text, double *ret)
{
	if (is_based(text, "0x", "0123456789abcdefABCDEF"))
		*ret = (double)strtoull(text + 2, NULL, 16);
	else if (is_based(text, "0o", "01234567"))
		*ret = (double)strtoull(text + 2, NULL, 8);
	else if (is_decimal(text))
		*ret = strtod(text, NULL);
	else
		return false;
	return true;
}

static cJSON *plain_from(const char *text)
{
	double number;

	if (text[0] == '\0' || strcmp(text, "~") == 0 || is_word(text, "null", "Null", "NULL"))
		return cJSON_CreateNull();
	if (is_word(text, "true", "True", "TRUE"))
		return cJSON_CreateTrue();
	if (is_word(text, "false", "False", "FALSE"))
		return cJSON_CreateFalse();
	return number_parse(text, &number) ? cJSON_CreateNumber(number) : cJSON_CreateString(text);
}

static bool tag_is_string(const yaml_char_t *tag)
{
	return tag && (strcmp((const char *)tag, YAML_STR_TAG) == 0 || strcmp((const char *)tag, "!") == 0);
}

static int scalar_from(struct reader *reader, const yaml_event_t *event, cJSON **ret)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	int r = reader_spend(reader, 1 + len / YAML_BYTES_PER_NODE, event_line(event));

	if (r < 0)
		return r;
	if (memchr(text, '\0', len))
		return reader_fail(reader, event_line(event), "NUL in a string");
	if (event->data.scalar.tag && !tag_is_string(event->data.scalar.tag))
		return reader_fail(reader, event_line(event), "tags other than !!str are not supported");
	*ret = plain && !event->data.scalar.tag ? plain_from(text) : cJSON_CreateString(text);
	return *ret ? 0 : err_set(reader->err, ENOMEM, "%s", reader->name);
}

/* --- collections --- */

struct key {
	const char *text; /* inside the mapping */
	unsigned int line;
};

static int key_compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Sorted, because the number of keys is the writer's choice. */
static int keys_check(const struct reader *reader, struct key *keys, size_t n)
{
	if (n > 1)
		qsort(keys, n, sizeof(*keys), key_compare);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1].text, keys[i].text) == 0)
			return err_set(reader->err, EBADMSG, "%s:%u: key \"%s\" stands in line %u already",
				       reader->name, keys[i].line, keys[i].text, keys[i - 1].line);
	return 0;
}

static int node_from(struct reader *reader, const yaml_event_t *event, cJSON **ret);

static int key_from(struct reader *reader, const yaml_event_t *event, cJSON **ret)
{
	int r;

	if (event->type != YAML_SCALAR_EVENT)
		return reader_fail(reader, event_line(event), "a key must be a string");
	r = scalar_from(reader, event, ret);
	if (r < 0)
		return r;
	if (!cJSON_IsString(*ret))
		return reader_fail(reader, event_line(event), "a key must be a string; quote it");
	/* Merging is YAML 1.1; taken as a plain key it would be lost without a word. */
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp((*ret)->valuestring, "<<") == 0)
		return reader_fail(reader, event_line(event), "merge keys (<<) are not supported");
	return 0;
}

/* One key and its value; 1 at the end of the mapping. */
static int member_add(struct reader *reader, cJSON *object, struct key *ret_key)
{
	auto_event yaml_event_t key_event = { 0 }, value_event = { 0 };
	auto_json cJSON *key = NULL, *value = NULL;
	int r = reader_next(reader, &key_event);

	if (r < 0)
		return r;
	if (key_event.type == YAML_MAPPING_END_EVENT)
		return 1;
	r = key_from(reader, &key_event, &key);
	if (r == 0)
		r = reader_next(reader, &value_event);
	if (r == 0)
		r = node_from(reader, &value_event, &value);
	if (r < 0)
		return r;
	if (!cJSON_AddItemToObject(object, key->valuestring, value))
		return err_set(reader->err, ENOMEM, "%s", reader->name);
	ret_key->text = TAKE(value)->string;
	ret_key->line = event_line(&key_event);
	return 0;
}

static int mapping_from(struct reader *reader, cJSON *object)
{
	auto_free struct key *keys = NULL;
	size_t n = 0, cap = 0;
	int r;

	for (;;) {
		if (n == cap) {
			struct key *more = reallocarray(keys, cap = cap ? cap * 2 : 8, sizeof(*more));

			if (!more)
				return err_set(reader->err, ENOMEM, "%s", reader->name);
			keys = more;
		}
		r = member_add(reader, object, &keys[n]);
		if (r < 0)
			return r;
		if (r == 1)
			return keys_check(reader, keys, n);
		n++;
	}
}

static int sequence_from(struct reader *reader, cJSON *array)
{
	for (;;) {
		auto_event yaml_event_t event = { 0 };
		auto_json cJSON *item = NULL;
		int r = reader_next(reader, &event);

		if (r == 0 && event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (r == 0)
			r = node_from(reader, &event, &item);
		if (r < 0)
			return r;
		if (!cJSON_AddItemToArray(array, item))
			return err_set(reader->err, ENOMEM, "%s", reader->name);
		item = NULL;
	}
}

static int alias_from(struct reader *reader, const yaml_event_t *event, cJSON **ret)
{
	/* The last anchor of a name counts, and only a finished value has one: no cycles. */
	for (size_t i = reader->n_anchors; i-- > 0;) {
		const struct anchor *anchor = &reader->anchors[i];
		int r;

		if (strcmp(anchor->name, (const char *)event->data.alias.anchor) != 0)
			continue;
		r = reader_spend(reader, anchor->cost, event_line(event));
		if (r < 0)
			return r;
		*ret = cJSON_Duplicate(anchor->value, true);
		return *ret ? 0 : err_set(reader->err, ENOMEM, "%s", reader->name);
	}
	return reader_fail(reader, event_line(event), "alias of an anchor that is not there");
}

static int collection_from(struct reader *reader, const yaml_event_t *event, cJSON **ret)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag = mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	auto_json cJSON *node = NULL;
	int r = reader_spend(reader, 1, event_line(event));

	if (r < 0)
		return r;
	if (tag)
		return reader_fail(reader, event_line(event), "tags other than !!str are not supported");
	if (reader->depth >= YAML_DEPTH_MAX)
		return reader_fail(reader, event_line(event), "nested too deeply");
	node = mapping ? cJSON_CreateObject() : cJSON_CreateArray();
	if (!node)
		return err_set(reader->err, ENOMEM, "%s", reader->name);
	reader->depth++;
	r = mapping ? mapping_from(reader, node) : sequence_from(reader, node);
	reader->depth--;
	if (r < 0)
		return r;
	*ret = TAKE(node);
	return 0;
}

static const yaml_char_t *event_anchor(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.anchor;
	return event->data.mapping_start.anchor;
}

static int node_from(struct reader *reader, const yaml_event_t *event, cJSON **ret)
{
	size_t before = reader->spent;
	int r;

	if (event->type == YAML_ALIAS_EVENT)
		return alias_from(reader, event, ret);
	if (event->type == YAML_SCALAR_EVENT)
		r = scalar_from(reader, event, ret);
	else
		r = collection_from(reader, event, ret);
	if (r == 0 && event_anchor(event))
		r = anchor_add(reader, event_anchor(event), *ret, reader->spent - before);
	return r;
}

/* --- documents --- */

static int document_from(struct reader *reader, unsigned int line, struct yaml_docs *docs)
{
	auto_event yaml_event_t event = { 0 }, end = { 0 };
	auto_json cJSON *json = NULL;
	struct yaml_doc *more;
	int r = reader_next(reader, &event);

	if (r == 0)
		r = node_from(reader, &event, &json);
	anchors_clear(reader);
	if (r == 0)
		r = reader_next(reader, &end);
	if (r < 0 || cJSON_IsNull(json))
		return r;
	more = reallocarray(docs->v, docs->n + 1, sizeof(*more));
	if (!more)
		return err_set(reader->err, ENOMEM, "%s", reader->name);
	docs->v = more;
	docs->v[docs->n++] = (struct yaml_doc){ .json = TAKE(json), .line = line };
	return 0;
}

static int stream_from(struct reader *reader, struct yaml_docs *docs)
{
	for (;;) {
		auto_event yaml_event_t event = { 0 };
		int r = reader_next(reader, &event);

		if (r == 0 && event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (r == 0 && event.type == YAML_DOCUMENT_START_EVENT)
			r = document_from(reader, event_line(&event), docs);
		if (r < 0)
			return r;
	}
}

static int reader_init(struct reader *reader, const char *text, size_t len)
{
	if (!yaml_parser_initialize(&reader->parser))
		return err_set(reader->err, ENOMEM, "%s", reader->name);
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, len);
	return 0;
}

static void reader_done(struct reader *reader)
{
	anchors_clear(reader);
	yaml_parser_delete(&reader->parser);
}

void yaml_docs_done(struct yaml_docs *docs)
{
	for (size_t i = 0; i < docs->n; i++)
		cJSON_Delete(docs->v[i].json);
	free(docs->v);
	*docs = (struct yaml_docs){ 0 };
}

int yaml_parse(const char *name, const char *text, size_t len, struct yaml_docs *ret_docs, struct err *err)
{
	struct reader reader = { .name = name, .err = err };
	struct yaml_docs docs = { 0 };
	int r = reader_init(&reader, text, len);

	if (r < 0)
		return r;
	r = stream_from(&reader, &docs);
	reader_done(&reader);
	if (r < 0) {
		yaml_docs_done(&docs);
		return r;
	}
	*ret_docs = docs;
	return 0;
}
