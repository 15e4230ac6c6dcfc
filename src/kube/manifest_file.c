// SPDX-License-Identifier: Apache-2.0
#include "kube/manifest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "kube/decode.h"

#define auto_docs cleanup(yaml_docs_done)

/* A file younger than this may change again within one tick of its time stamp. */
#define RACY_NS 100000000LL

struct manifest_file *manifest_file_new(const char *name)
{
	struct manifest_file *file = calloc(1, sizeof(*file));

	if (file && !(file->name = strdup(name))) {
		free(file);
		return NULL;
	}
	return file;
}

void manifest_objects_done(struct manifest_objects *objects)
{
	for (size_t i = 0; i < objects->n_pods; i++)
		pod_free(objects->pods[i]);
	for (size_t i = 0; i < objects->n_namespaces; i++)
		namespace_free(objects->namespaces[i]);
	for (size_t i = 0; i < objects->n_netpols; i++)
		netpol_free(objects->netpols[i]);
	for (size_t i = 0; i < objects->n_services; i++)
		service_free(objects->services[i]);
	for (size_t i = 0; i < objects->n_slices; i++)
		endpoint_slice_free(objects->slices[i]);
	for (size_t i = 0; i < objects->n_nodes; i++)
		node_free(objects->nodes[i]);
	free(objects->pods);
	free(objects->namespaces);
	free(objects->netpols);
	free(objects->services);
	free(objects->slices);
	free(objects->nodes);
	*objects = (struct manifest_objects){ 0 };
}

struct manifest_file *manifest_file_free(struct manifest_file *file)
{
	if (!file)
		return NULL;
	manifest_files_free(file->graves);
	manifest_objects_done(&file->objects);
	free(file->name);
	free(file);
	return NULL;
}

void manifest_files_free(struct manifest_file *list)
{
	while (list) {
		struct manifest_file *file = list;

		list = file->next;
		manifest_file_free(file);
	}
}

/* --- one document at a time --- */

struct loading {
	const struct manifest_reader *reader;
	const char *name; /* of the file */
	const char *text;
	size_t len;
	unsigned int line; /* of the document */
	char prefix[64];   /* of the object in it: "" or "items[3]." */
	bool broken;
	struct manifest_objects objects;
};

/* `message` begins with the field's path when it is about a field. */
static void loading_report(const struct loading *loading, enum manifest_news news, const char *what,
			   const char *message)
{
	auto_text struct text path = { 0 }, line = { 0 };
	unsigned int at = loading->line;
	const char *end = strstr(message, ": ");

	text_addf(&path, "%s%.*s", loading->prefix, end ? (int)(end - message) : 0, message);
	if (!path.failed)
		at = yaml_line_of(loading->text, loading->len, loading->line, path.data);
	text_addf(&line, "%s:%u: %s%s%s%s", loading->name, at, what, *what ? ": " : "", loading->prefix,
		  message);
	if (!line.failed)
		loading->reader->report(news, line.data, loading->reader->data);
}

static int list_add(void ***list, size_t *n, void *object, struct err *err)
{
	void **more = reallocarray(*list, *n + 1, sizeof(*more));

	if (!more)
		return err_set(err, ENOMEM, "objects");
	*list = more;
	more[(*n)++] = object;
	return 0;
}

static int load_netpol(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct manifest_objects *objects = &loading->objects;
	struct netpol *netpol = NULL;
	int r = decode_netpol(object, loading->reader->default_namespace, &netpol, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < netpol->n_problems; i++)
		loading_report(loading, MANIFEST_PROBLEM, what, netpol->problems[i]);
	r = list_add((void ***)&objects->netpols, &objects->n_netpols, netpol, err);
	if (r < 0)
		netpol_free(netpol);
	return r;
}

static int pod_keep(struct loading *loading, struct pod *pod, struct err *err)
{
	int r = list_add((void ***)&loading->objects.pods, &loading->objects.n_pods, pod, err);

	if (r < 0)
		pod_free(pod);
	return r;
}

static int load_pod(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct pod *pod = NULL;
	int r = decode_pod(object, loading->reader->default_namespace, &pod, err);

	(void)what;
	return r < 0 ? r : pod_keep(loading, pod, err);
}

static int load_workload(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct pod *pod = NULL;
	int r = decode_workload(object, loading->reader->default_namespace, &pod, err);

	(void)what;
	return r < 0 ? r : pod_keep(loading, pod, err);
}

static int load_namespace(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct namespace *ns = NULL;
	int r = decode_namespace(object, &ns, err);

	if (r < 0)
		return r;
	if (r == 1)
		loading_report(loading, MANIFEST_PROBLEM, what, err->msg);
	r = list_add((void ***)&loading->objects.namespaces, &loading->objects.n_namespaces, ns, err);
	if (r < 0)
		namespace_free(ns);
	return r;
}

/* No verdict reads a Service (R25). One that cannot be read is left out; its file's policies must not be held
 * back. */
static int load_service(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct manifest_objects *objects = &loading->objects;
	struct service *service = NULL;
	int r = decode_service(object, loading->reader->default_namespace, &service, err);

	if (r == -EINVAL) {
		loading_report(loading, MANIFEST_PROBLEM, what, err->msg);
		return 0;
	}
	if (r == 0)
		r = list_add((void ***)&objects->services, &objects->n_services, service, err);
	if (r < 0)
		service_free(service);
	return r;
}

/* No verdict reads a Node: as with a Service, its file's policies must not be held
 * back by one that cannot be read. */
static int load_node(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct manifest_objects *objects = &loading->objects;
	struct node *node = NULL;
	int r = decode_node(object, &node, err);

	if (r == -EINVAL) {
		loading_report(loading, MANIFEST_PROBLEM, what, err->msg);
		return 0;
	}
	if (r == 0)
		r = list_add((void ***)&objects->nodes, &objects->n_nodes, node, err);
	if (r < 0)
		node_free(node);
	return r;
}

static int load_slice(struct loading *loading, const cJSON *object, const char *what, struct err *err)
{
	struct manifest_objects *objects = &loading->objects;
	struct endpoint_slice *slice = NULL;
	int r = decode_endpointslice(object, loading->reader->default_namespace, &slice, err);

	if (r == -EINVAL) {
		loading_report(loading, MANIFEST_PROBLEM, what, err->msg);
		return 0;
	}
	if (r == 0)
		r = list_add((void ***)&objects->slices, &objects->n_slices, slice, err);
	if (r < 0)
		endpoint_slice_free(slice);
	return r;
}

static const struct kind {
	const char *group; /* "" is the core group */
	const char *kind;
	int (*load)(struct loading *loading, const cJSON *object, const char *what, struct err *err);
} kinds[] = {
	{ "", "Pod", load_pod },
	{ "", "Namespace", load_namespace },
	{ "", "Node", load_node },
	{ "networking.k8s.io", "NetworkPolicy", load_netpol },
	{ "apps", "Deployment", load_workload },
	{ "apps", "StatefulSet", load_workload },
	{ "apps", "DaemonSet", load_workload },
	{ "apps", "ReplicaSet", load_workload },
	{ "batch", "Job", load_workload },
	{ "batch", "CronJob", load_workload },
	{ "", "Service", load_service },
	{ "discovery.k8s.io", "EndpointSlice", load_slice },
};

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *member = json_get(object, key);

	return cJSON_IsString(member) ? member->valuestring : "";
}

static bool kind_has_group(const struct kind *kind, const char *api_version)
{
	const char *slash = strchr(api_version, '/');
	size_t len = slash ? (size_t)(slash - api_version) : 0;

	return strlen(kind->group) == len && strncmp(kind->group, api_version, len) == 0;
}

/* apiVersion may be missing (from typed lists, or written by hand): the kinds
 * we know have one group each. */
static const struct kind *kind_find(const char *name, const char *api_version)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].kind, name) == 0 &&
		    (!*api_version || kind_has_group(&kinds[i], api_version)))
			return &kinds[i];
	return NULL;
}

/* A policy of another API is skipped like any kind we do not know, but whoever
 * wrote it believes that it isolates: that is an error to report. */
static void report_skipped(const struct loading *loading, const char *what, const char *kind)
{
	if (strcmp(kind, "NetworkPolicy") == 0)
		loading_report(loading, MANIFEST_PROBLEM, what,
			       "skipped, it isolates nothing: apiVersion must be networking.k8s.io/v1");
	else
		loading_report(loading, MANIFEST_SKIPPED, what, "skipped, this kind is not read");
}

static int load_object(struct loading *loading, const cJSON *object, const char *list_kind, struct err *err)
{
	const char *kind = *text_of(object, "kind") ? text_of(object, "kind") : list_kind;
	const char *api_version = text_of(object, "apiVersion");
	const char *name = text_of(json_get(object, "metadata"), "name");
	auto_text struct text what = { 0 };
	const struct kind *found;
	int r;

	text_addf(&what, "%s%s%s", *kind ? kind : "object", *name ? " " : "", name);
	if (what.failed)
		return err_set(err, ENOMEM, "%s", loading->name);
	if (!*kind) {
		loading->broken = true;
		loading_report(loading, MANIFEST_BROKEN, what.data, "kind: missing");
		return 0;
	}
	found = kind_find(kind, api_version);
	if (!found) {
		report_skipped(loading, what.data, kind);
		return 0;
	}
	r = found->load(loading, object, what.data, err);
	if (r != -EINVAL)
		return r;
	loading->broken = true;
	loading_report(loading, MANIFEST_BROKEN, what.data, err->msg);
	return 0;
}

/* "PodList" holds Pods that need not say so; plain "List" holds anything. */
static int load_document(struct loading *loading, const cJSON *json, struct err *err)
{
	const char *kind = text_of(json, "kind");
	const cJSON *items = json_get(json, "items"), *item;
	size_t len = strlen(kind), i = 0;
	char item_kind[64] = "";
	int r = 0;

	loading->prefix[0] = '\0';
	if (len < 4 || strcmp(kind + len - 4, "List") != 0 || (items && !cJSON_IsArray(items)))
		return load_object(loading, json, "", err);
	if (len - 4 < sizeof(item_kind))
		snprintf(item_kind, sizeof(item_kind), "%.*s", (int)(len - 4), kind);
	cJSON_ArrayForEach (item, items) {
		snprintf(loading->prefix, sizeof(loading->prefix), "items[%zu].", i++);
		r = load_object(loading, item, item_kind, err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- the file --- */

static bool name_ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* JSON by the JSON parser: YAML's has other escapes. */
static int documents_parse(const char *name, const char *text, size_t len, struct yaml_docs *ret,
			   struct err *err)
{
	int r;

	if (!name_ends_with(name, ".json"))
		return yaml_parse(name, text, len, ret, err);
	ret->v = calloc(1, sizeof(*ret->v));
	if (!ret->v)
		return err_set(err, ENOMEM, "%s", name);
	r = json_parse(text, len, &ret->v[0].json, err);
	if (r < 0)
		return err_wrap(err, r, "%s", name);
	ret->v[0].line = 1;
	ret->n = 1;
	return 0;
}

static int documents_load(struct loading *loading, struct err *err)
{
	auto_docs struct yaml_docs docs = { 0 };
	int r = documents_parse(loading->name, loading->text, loading->len, &docs, err);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		loading->broken = true;
		loading->reader->report(MANIFEST_BROKEN, err->msg, loading->reader->data);
		return 0;
	}
	for (size_t i = 0; i < docs.n; i++) {
		loading->line = docs.v[i].line;
		r = load_document(loading, docs.v[i].json, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* FNV-1a: tells an edit from a touched time stamp; the folder's writer is trusted. */
static uint64_t digest_of(const char *text, size_t len)
{
	uint64_t digest = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ (unsigned char)text[i]) * 0x100000001b3u;
	return digest;
}

static bool stat_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool stat_is_racy(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - st->st_ctim.tv_sec) * 1000000000LL + (now.tv_nsec - st->st_ctim.tv_nsec) <
	       RACY_NS;
}

/* A file that was never good gives what can be read of it: its policies isolate
 * more than none would. One that was good before keeps what it had. */
static int file_take(struct manifest_file *file, struct loading *loading)
{
	struct manifest_file *grave;

	file->broken = loading->broken;
	if (loading->broken && file->was_good)
		return 0;
	grave = manifest_file_new(file->name);
	if (!grave)
		return -ENOMEM;
	grave->objects = file->objects;
	grave->next = file->graves;
	file->graves = grave;
	file->objects = loading->objects;
	loading->objects = (struct manifest_objects){ 0 };
	file->was_good = !loading->broken;
	file->is_new = true;
	return 1;
}

static int text_read(const struct manifest_file *file, int folder_fd, char **ret_text, size_t *ret_len,
		     struct err *err)
{
	auto_close int fd = openat(folder_fd, file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(err, errno, "%s: cannot be opened: %s", file->name, strerror(errno));
	return file_read_fd(fd, file->name, MANIFEST_FILE_MAX, ret_text, ret_len, err);
}

int manifest_file_read(struct manifest_file *file, int folder_fd, const struct stat *st,
		       const struct manifest_reader *reader, struct err *err)
{
	struct loading loading = { .reader = reader, .name = file->name };
	auto_free char *text = NULL;
	uint64_t digest;
	bool first = !file->stat.st_ino;
	int r;

	if (!first && !file->racy && stat_is_same(&file->stat, st))
		return 0;
	r = text_read(file, folder_fd, &text, &loading.len, err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (!file->broken || !stat_is_same(&file->stat, st))
			reader->report(MANIFEST_BROKEN, err->msg, reader->data);
		file->broken = true;
		file->stat = *st;
		file->racy = true; /* try again, whatever the time stamp says */
		file->digest = 0;
		return 0;
	}
	digest = digest_of(text, loading.len);
	file->stat = *st;
	file->racy = stat_is_racy(st);
	if (!first && digest == file->digest)
		return 0;
	file->digest = digest;
	loading.text = text;
	r = documents_load(&loading, err);
	if (r == 0)
		r = file_take(file, &loading);
	if (r < 0) {
		file->digest = 0; /* not taken: try again, whatever the time stamp says */
		file->racy = true;
	}
	manifest_objects_done(&loading.objects);
	return r;
}
