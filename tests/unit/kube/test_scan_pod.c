// SPDX-License-Identifier: Apache-2.0
/*
 * Pods read from their text beside pods read through cJSON: whatever scan_pod() takes,
 * json_parse() and object_read() read the same way; and what servers send, it takes.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json_scan.h"
#include "base/yaml.h"
#include "kube/objects.h"
#include "kube/scan_pod.h"
#include "lib/crowd.h"
#include "lib/mutate.h"
#include "policy/model.h"

#define FULL                                                                                                 \
	"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-0\",\"namespace\":\"shop\","   \
	"\"uid\":\"u-1\","                                                                                   \
	"\"resourceVersion\":\"77\",\"labels\":{\"app\":\"web\",\"example.com/"                              \
	"tier\":\"front\",\"z\":\"\"},\"annotations\":"                                                      \
	"{\"note\":\"say \\\"hi\\\" "                                                                        \
	"\\u0000\\u00e9\"}},\"spec\":{\"initContainers\":[{\"name\":\"once\",\"ports\":[{\"name\":\"no\","   \
	"\"containerPort\":1}]},{\"name\":\"proxy\",\"ports\":[{\"name\":\"admin\",\"containerPort\":15000}" \
	"],"                                                                                                 \
	"\"restartPolicy\":\"Always\"}],\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":8080," \
	"\"name\":\"http\","                                                                                 \
	"\"protocol\":\"TCP\"},{\"containerPort\":53,\"protocol\":\"UDP\"},{\"containerPort\":5,"            \
	"\"protocol\":\"SCTP\",\"hostPort\":9}]},"                                                           \
	"{\"name\":\"b\",\"ports\":[]}],\"nodeName\":\"node-1\",\"hostNetwork\":false},\"status\":{"         \
	"\"phase\":\"Running\",\"podIP\":"                                                                   \
	"\"10.0.0.1\",\"podIPs\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"fd00::1\"}],\"containerStatuses\":[{"      \
	"\"ready\":true}]}}"
#define SMALL "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\"}}"
#define WITH(spec)                                                                                           \
	"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"1\"}," spec "}"

struct outcome {
	int r;
	const char *type;
	char version[OBJECT_VERSION_MAX];
	struct object *object;
	struct err err;
};

static const char *type_in(const cJSON *event)
{
	static const char *const types[] = { "ADDED", "MODIFIED", "DELETED" };
	const cJSON *type = json_get(event, "type");

	for (size_t i = 0; i < 3; i++)
		if (cJSON_IsString(type) && strcmp(type->valuestring, types[i]) == 0)
			return types[i];
	return NULL;
}

/* The scanner, on a copy with what must stand behind it; where it is not sure, the copy
 * must be as it was. */
static void scan(const char *text, size_t len, bool is_event, struct outcome *out)
{
	char *copy = calloc(1, len + JSON_SCAN_PAD);

	*out = (struct outcome){ 0 };
	memcpy(copy, text, len);
	out->r = scan_pod(copy, len, is_event ? &out->type : NULL, out->version, &out->object);
	if (out->r == 1)
		assert_memory_equal(copy, text, len);
	free(copy);
}

static void read_tree(const cJSON *json, bool is_event, struct outcome *out)
{
	out->type = is_event ? type_in(json) : NULL;
	if (is_event && !out->type)
		out->r = err_set(&out->err, EBADMSG, "type: none that carries an object");
	else
		out->r = object_read(&object_kind_pod, is_event ? json_get(json, "object") : json, is_event,
				     out->version, &out->object, &out->err);
}

/* The long way. `keys_twice`: what json_parse() says to keys that stand twice is not
 * asked. */
static void parse(const char *text, size_t len, bool is_event, bool keys_twice, struct outcome *out)
{
	char *copy = strndup(text, len);
	cJSON *json = NULL;

	*out = (struct outcome){ 0 };
	json_text_defang(copy, len);
	out->r = json_parse(copy, len, &json, &out->err);
	if (out->r < 0 && keys_twice && strstr(out->err.msg, "stands twice")) {
		json = cJSON_ParseWithLength(copy, len);
		out->r = json ? 0 : -EBADMSG;
	}
	if (out->r == 0)
		read_tree(json, is_event, out);
	cJSON_Delete(json);
	free(copy);
}

static void assert_same(const char *text, const struct outcome *scanned, const struct outcome *parsed)
{
	const struct pod *a = scanned->object->body, *b;

	if (parsed->r != 0)
		fail_msg("taken, but %s: %s", parsed->err.msg, text);
	b = parsed->object->body;
	assert_string_equal(object_names(scanned->object).uid, object_names(parsed->object).uid);
	assert_string_equal(scanned->version, parsed->version);
	assert_ptr_equal(scanned->object->kind, parsed->object->kind);
	if (scanned->type || parsed->type)
		assert_string_equal(scanned->type, parsed->type);
	assert_string_equal(a->namespace, b->namespace);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->workload, b->workload);
	if (!object_kind_pod.equal(a, b))
		fail_msg("read in two ways: %s", text);
}

/* True: the scanner took it. */
static bool assert_agree(const char *text, size_t len, bool is_event)
{
	struct outcome scanned, parsed;

	scan(text, len, is_event, &scanned);
	if (scanned.r == 0) {
		parse(text, len, is_event, true, &parsed);
		assert_same(text, &scanned, &parsed);
		object_free(parsed.object);
	} else {
		assert_int_equal(scanned.r, 1);
		assert_null(scanned.object);
	}
	object_free(scanned.object);
	return scanned.r == 0;
}

static char *event_of(const char *type, const char *object)
{
	struct text text = { 0 };

	text_addf(&text, "{\"type\":\"%s\",\"object\":%s}", type, object);
	return text_take(&text);
}

static void a_pod_is_read_whole(void **state)
{
	struct outcome out;
	const struct pod *pod;

	(void)state;
	assert_true(assert_agree(FULL, strlen(FULL), false));
	scan(FULL, strlen(FULL), false, &out);
	pod = out.object->body;
	assert_string_equal(object_words(out.object), "shop/web-0");
	assert_string_equal(pod->node, "node-1");
	assert_int_equal(pod->labels.n, 3);
	assert_string_equal(labels_get(&pod->labels, "example.com/tier"), "front");
	assert_int_equal(pod->n_addrs, 2);
	assert_int_equal(pod->n_ports, 4);
	assert_string_equal(pod->ports[0].name, "http");
	assert_string_equal(pod->ports[1].name, "");
	assert_string_equal(pod->ports[3].name, "admin");
	object_free(out.object);
}

static void what_servers_send_is_taken(void **state)
{
	static const char *const texts[] = {
		SMALL,
		WITH("\"spec\":{},\"status\":{}"),
		WITH("\"status\":{\"phase\":\"Succeeded\"}"),
		WITH("\"spec\":{\"hostNetwork\":true,\"containers\":[]}"),
		WITH("\"status\":{\"podIP\":\"10.0.0.9\"}"),
		WITH("\"spec\":{\"nodeName\":\"\"}"),
	};
	char *event;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!assert_agree(texts[i], strlen(texts[i]), false))
			fail_msg("not taken: %s", texts[i]);
	event = event_of("MODIFIED", FULL);
	assert_true(assert_agree(event, strlen(event), true));
	free(event);
}

static void the_pods_of_a_crowd_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		struct text text = { 0 };
		char *event;

		crowd_pod(&text, i * 47, (long)i, true);
		assert_true(assert_agree(text.data, text.len, false));
		event = event_of(i % 2 ? "ADDED" : "DELETED", text.data);
		assert_true(assert_agree(event, strlen(event), true));
		free(event);
		text_done(&text);
	}
}

/* Not wrong, most of it, but not the scanner's to judge. */
static void what_is_unusual_is_left_to_the_parser(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"null",
		"[]",
		"{}",
		"{\"metadata\":null}",
		"{\"metadata\":{}}",
		SMALL " x",
		SMALL SMALL,
		"{\"metadata\":{\"name\":\"\",\"namespace\":\"n\",\"uid\":\"u\"}}",
		"{\"metadata\":{\"name\":\"a/b\",\"namespace\":\"n\",\"uid\":\"u\"}}",
		"{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"}}",
		"{\"metadata\":{\"name\":\"\\u0061\",\"namespace\":\"n\",\"uid\":\"u\"}}",
		"{\"metadata\":{\"name\":\"a\",\"name\":\"b\",\"namespace\":\"n\",\"uid\":\"u\"}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":5}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":null}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"b\":\"1\","
		"\"a\":\"2\"}}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"a\":\"1\","
		"\"a\":\"2\"}}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"-\":\"1\"}}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"a\":\"b "
		"c\"}}}",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"a\":1}}}",
		"{\"kind\":\"Node\",\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\"}}",
		"{\"apiVersion\":\"v2\",\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\"}}",
		WITH("\"spec\":null"),
		WITH("\"spec\":{},\"spec\":{}"),
		WITH("\"spec\":{\"hostNetwork\":\"true\"}"),
		WITH("\"spec\":{\"hostNetwork\":true,\"hostNetwork\":false}"),
		WITH("\"spec\":{\"nodeName\":null}"),
		WITH("\"spec\":{\"containers\":{}}"),
		WITH("\"spec\":{\"containers\":[1]}"),
		WITH("\"spec\":{\"containers\":[{\"ports\":null}]}"),
		WITH("\"spec\":{\"containers\":[{\"ports\":[{}]}]}"),
		WITH("\"spec\":{\"containers\":[{\"ports\":[{\"containerPort\":0}]}]}"),
		WITH("\"spec\":{\"containers\":[{\"ports\":[{\"containerPort\":65536}]}]}"),
		WITH("\"spec\":{\"containers\":[{\"ports\":[{\"containerPort\":80.0}]}]}"),
		WITH("\"spec\":{\"containers\":[{\"ports\":[{\"containerPort\":80,\"protocol\":\"tcp\"}]}]}"),
		WITH("\"spec\":{\"initContainers\":[{\"restartPolicy\":1}]}"),
		WITH("\"status\":[]"),
		WITH("\"status\":{\"phase\":1}"),
		WITH("\"status\":{\"podIP\":\"nonsense\"}"),
		WITH("\"status\":{\"podIPs\":[{\"ip\":\"0.0.0.0\"}]}"),
		WITH("\"status\":{\"podIPs\":[\"10.0.0.1\"]}"),
		WITH("\"status\":{\"podIPs\":[{\"ip\":\"10.0.0.1\",\"ip\":\"10.0.0.2\"}]}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (assert_agree(texts[i], strlen(texts[i]), false))
			fail_msg("taken: %s", texts[i]);
}

static void an_event_says_its_kind_and_one_of_three_types(void **state)
{
	static const char *const events[] = {
		"{\"type\":\"ADDED\",\"object\":" SMALL "}",
		"{\"type\":\"BOOKMARK\",\"object\":" FULL "}",
		"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}",
		"{\"type\":\"added\",\"object\":" FULL "}",
		"{\"object\":" FULL "}",
		"{\"type\":\"ADDED\"}",
		"{\"type\":\"ADDED\",\"type\":\"DELETED\",\"object\":" FULL "}",
		"{\"type\":\"ADDED\",\"object\":" FULL ",\"object\":" FULL "}",
		"{\"type\":\"ADDED\",\"object\":" FULL "",
		FULL,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (assert_agree(events[i], strlen(events[i]), true))
			fail_msg("taken: %s", events[i]);
}

static void more_labels_or_ports_than_usual_are_left_to_the_parser(void **state)
{
	(void)state;
	for (unsigned int n = 60; n < 70; n++) {
		struct text labels = { 0 }, ports = { 0 };

		text_addf(&labels,
			  "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{");
		text_addf(&ports, WITH("\"spec\":{\"containers\":[{\"ports\":["));
		ports.len = strlen(ports.data) - 1; /* the brace that WITH closes too early */
		for (unsigned int i = 0; i < n; i++) {
			text_addf(&labels, "%s\"k%02u\":\"v\"", i ? "," : "", i);
			text_addf(&ports, "%s{\"containerPort\":%u}", i ? "," : "", i + 1);
		}
		text_addf(&labels, "}}}");
		text_addf(&ports, "]}]}}");
		assert_int_equal(assert_agree(labels.data, labels.len, false), n <= 64);
		assert_int_equal(assert_agree(ports.data, ports.len, false), n <= 64);
		text_done(&labels);
		text_done(&ports);
	}
}

static void twice_in_what_is_skipped_is_no_matter_and_in_what_is_read_is(void **state)
{
	struct outcome out;

	(void)state;
	assert_true(assert_agree(WITH("\"other\":{\"a\":1,\"a\":2}"),
				 strlen(WITH("\"other\":{\"a\":1,\"a\":2}")), false));
	parse(WITH("\"spec\":{},\"spec\":{}"), strlen(WITH("\"spec\":{},\"spec\":{}")), false, false, &out);
	assert_true(out.r < 0);
}

static void a_cut_pod_is_refused_by_both_at_every_byte(void **state)
{
	char *event = event_of("ADDED", FULL);
	struct outcome parsed;

	(void)state;
	for (size_t len = 0; len < strlen(event); len++) {
		assert_false(assert_agree(event, len, true));
		parse(event, len, true, false, &parsed);
		assert_true(parsed.r < 0);
	}
	free(event);
}

/* --- mutations --- */

static void mutations_are_read_the_same_way_or_left_to_the_parser(void **state)
{
	size_t taken = 0, left = 0;
	struct mutate mutate;

	(void)state;
	mutate_begin(&mutate);
	for (size_t round = 0; round < mutate_rounds(20000); round++) {
		bool is_event = mutate_below(&mutate, 2);
		struct text text = { 0 };

		if (is_event)
			text_addf(&text, "{\"type\":\"MODIFIED\",\"object\":");
		if (mutate_below(&mutate, 8) == 0)
			crowd_pod(&text, mutate_below(&mutate, 1000), 7, true);
		else
			text_addf(&text, "%s", FULL);
		if (is_event)
			text_addf(&text, "}");
		mutate_text(&mutate, &text);
		if (assert_agree(text.data, text.len, is_event))
			taken++;
		else
			left++;
		text_done(&text);
	}
	assert_true(taken > 100);
	assert_true(left > 100);
}

/* --- what people write: the templates of real manifests as the pods they become --- */

static cJSON *pod_of_template(const cJSON *object, unsigned int n)
{
	const cJSON *template = json_get(json_get(object, "spec"), "template");
	cJSON *pod = cJSON_Duplicate(cJSON_IsObject(template) ? template : object, true), *metadata;

	metadata = cJSON_GetObjectItemCaseSensitive(pod, "metadata");
	if (!cJSON_IsObject(metadata) || !json_get(pod, "spec")) {
		cJSON_Delete(pod);
		return NULL;
	}
	for (const char *const *key =
		     (const char *const[]){ "name", "namespace", "uid", "resourceVersion", NULL };
	     *key; key++) {
		char value[32];

		snprintf(value, sizeof(value), "%s-%u", *key, n);
		cJSON_DeleteItemFromObjectCaseSensitive(metadata, *key);
		cJSON_AddStringToObject(metadata, *key, value);
	}
	cJSON_DeleteItemFromObjectCaseSensitive(pod, "kind");
	cJSON_DeleteItemFromObjectCaseSensitive(pod, "apiVersion");
	return pod;
}

static unsigned int agree_on_file(const char *path, unsigned int n)
{
	cleanup(yaml_docs_done) struct yaml_docs docs = { 0 };
	auto_free char *text = NULL;
	struct err err = { 0 };
	size_t len = 0;

	if (file_read(path, 8 << 20, &text, &len, &err) < 0 || yaml_parse(path, text, len, &docs, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	for (size_t i = 0; i < docs.n; i++) {
		auto_json cJSON *pod = pod_of_template(docs.v[i].json, n);
		auto_free char *printed = pod ? cJSON_PrintUnformatted(pod) : NULL;

		if (printed) {
			assert_agree(printed, strlen(printed), false);
			n++;
		}
	}
	return n;
}

static unsigned int agree_on_folder(const char *inputs, const char *folder)
{
	char path[4096];
	struct dirent *entry;
	unsigned int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", inputs, folder);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len < 5 || strcmp(entry->d_name + len - 5, ".yaml") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", inputs, folder, entry->d_name);
		n = agree_on_file(path, n);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void pods_of_real_manifests_are_read_the_same_way(void **state)
{
	const char *inputs = getenv("BULKHEAD_INPUTS") ? getenv("BULKHEAD_INPUTS") : "../shared/inputs";
	unsigned int n = agree_on_folder(inputs, "online-boutique");

	(void)state;
	if (n == 0)
		skip();
	assert_in_range(n, 5, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_is_read_whole),
		cmocka_unit_test(what_servers_send_is_taken),
		cmocka_unit_test(the_pods_of_a_crowd_are_taken),
		cmocka_unit_test(what_is_unusual_is_left_to_the_parser),
		cmocka_unit_test(an_event_says_its_kind_and_one_of_three_types),
		cmocka_unit_test(more_labels_or_ports_than_usual_are_left_to_the_parser),
		cmocka_unit_test(twice_in_what_is_skipped_is_no_matter_and_in_what_is_read_is),
		cmocka_unit_test(a_cut_pod_is_refused_by_both_at_every_byte),
		cmocka_unit_test(mutations_are_read_the_same_way_or_left_to_the_parser),
		cmocka_unit_test(pods_of_real_manifests_are_read_the_same_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
