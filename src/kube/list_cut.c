// SPDX-License-Identifier: Apache-2.0
#include "kube/list_cut.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_scan.h"

#define ITEM_KEEP_BYTES (256u << 10)

void list_page_done(struct list_page *page)
{
	free(page->continue_token);
	*page = (struct list_page){ 0 };
}

static int item_add(struct list_cut *cut, const char *bytes, size_t len, struct err *err)
{
	if (cut->item.len + len > LIST_ITEM_MAX)
		return err_set(err, E2BIG, "item %zu is larger than %u bytes", cut->n, LIST_ITEM_MAX);
	text_add(&cut->item, bytes, len);
	return cut->item.failed ? err_set(err, ENOMEM, "item %zu", cut->n) : 0;
}

static int item_end(struct list_cut *cut, struct err *err)
{
	int r;

	text_pad(&cut->item, JSON_SCAN_PAD);
	if (cut->item.failed)
		return err_set(err, ENOMEM, "item %zu", cut->n);
	r = cut->each(cut->item.data, cut->item.len, cut->data, err);
	cut->n++;
	cut->want_comma = true;
	if (cut->item.cap > ITEM_KEEP_BYTES)
		text_done(&cut->item);
	cut->item.len = 0;
	return r;
}

static int frame_add(struct list_cut *cut, char c, struct err *err)
{
	if (cut->frame.len >= LIST_FRAME_MAX)
		return err_set(err, E2BIG, "not a list: %u bytes without an item", LIST_FRAME_MAX);
	text_add(&cut->frame, &c, 1);
	return cut->frame.failed ? err_set(err, ENOMEM, "list") : 0;
}

/* Between the items. */
static int items_step(struct list_cut *cut, char c, struct err *err)
{
	if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
		return 0;
	if (c == ']' && (cut->want_comma || cut->n == 0)) {
		cut->in_items = false;
		return frame_add(cut, c, err);
	}
	if (c == ',' && cut->want_comma) {
		cut->want_comma = false;
		return 0;
	}
	if (c != '{' || cut->want_comma)
		return err_set(err, EBADMSG, "item %zu: not an object", cut->n);
	cut->open = (struct json_depth){ .open = 1 };
	return item_add(cut, &c, 1, err);
}

static void frame_string_step(struct list_cut *cut, char c)
{
	bool was_escaped = cut->escaped;

	cut->escaped = !was_escaped && c == '\\';
	if (c == '"' && !was_escaped)
		cut->in_string = false;
	else if (cut->key_len < sizeof(cut->key))
		cut->key[cut->key_len++] = c;
}

static bool key_is_items(const struct list_cut *cut)
{
	return cut->depth == 1 && cut->key_len == 5 && memcmp(cut->key, "items", 5) == 0;
}

static int frame_step(struct list_cut *cut, char c, struct err *err)
{
	int r = frame_add(cut, c, err);

	if (r < 0)
		return r;
	if (cut->in_string) {
		frame_string_step(cut, c);
	} else if (c == '"') {
		cut->in_string = true;
		cut->key_len = 0;
	} else if (c == '[' && key_is_items(cut) && !cut->had_items) {
		cut->in_items = cut->had_items = true;
	} else if (c == '{' || c == '[') {
		cut->depth++;
	} else if ((c == '}' || c == ']') && cut->depth) {
		cut->depth--;
	} else if (c == ',') {
		cut->key_len = 0;
	}
	return 0;
}

int list_cut_feed(struct list_cut *cut, const char *bytes, size_t len, struct err *err)
{
	const char *end = bytes + len;
	int r = 0;

	while (r == 0 && bytes < end) {
		if (cut->in_items && cut->open.open) {
			size_t run = json_depth_run(&cut->open, bytes, (size_t)(end - bytes));

			r = item_add(cut, bytes, run, err);
			if (r == 0 && cut->open.open == 0)
				r = item_end(cut, err);
			bytes += run;
		} else if (cut->in_items) {
			r = items_step(cut, *bytes++, err);
		} else {
			r = frame_step(cut, *bytes++, err);
		}
	}
	return r;
}

static int word_check(const cJSON *list, const char *key, const char *want, struct err *err)
{
	const cJSON *word = json_get(list, key);
	const char *is = cJSON_IsString(word) ? word->valuestring : "missing";

	return strcmp(is, want) == 0 ? 0 : err_set(err, EBADMSG, "%s: is %.64s, not %s", key, is, want);
}

static int page_fill(const cJSON *list, struct list_page *page, struct err *err)
{
	const cJSON *metadata = json_get(list, "metadata");
	const cJSON *version = json_get(metadata, "resourceVersion"), *token = json_get(metadata, "continue");

	if (!cJSON_IsString(version) || !*version->valuestring ||
	    strlen(version->valuestring) >= sizeof(page->version))
		return err_set(err, EBADMSG, "metadata.resourceVersion: missing");
	if (token && !cJSON_IsString(token))
		return err_set(err, EBADMSG, "metadata.continue: must be a string");
	snprintf(page->version, sizeof(page->version), "%s", version->valuestring);
	if (!token || !*token->valuestring)
		return 0;
	page->continue_token = strdup(token->valuestring);
	return page->continue_token ? 0 : err_set(err, ENOMEM, "metadata.continue");
}

int list_cut_end(struct list_cut *cut, const char *kind, const char *api_version, struct list_page *ret_page,
		 struct err *err)
{
	auto_json cJSON *list = NULL;
	int r;

	if (cut->in_items)
		return err_set(err, EBADMSG, "the body ends in the middle, after %zu items", cut->n);
	r = json_parse(cut->frame.data ? cut->frame.data : "", cut->frame.len, &list, err);
	if (r == 0 && !cJSON_IsObject(list))
		r = err_set(err, EBADMSG, "not an object");
	if (r == 0)
		r = word_check(list, "kind", kind, err);
	if (r == 0)
		r = word_check(list, "apiVersion", api_version, err);
	/* Old servers say null where nothing is. Absent is another object than a list. */
	if (r == 0 && !cut->had_items && !cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(list, "items")))
		r = err_set(err, EBADMSG, "items: missing");
	return r < 0 ? r : page_fill(list, ret_page, err);
}

void list_cut_reset(struct list_cut *cut)
{
	text_done(&cut->frame);
	text_done(&cut->item);
	*cut = (struct list_cut){ .each = cut->each, .data = cut->data };
}
