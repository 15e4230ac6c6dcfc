// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kube/decode.h"
#include "kube/decode_part.h"

#define LABEL_NAMESPACE_NAME "kubernetes.io/metadata.name"
#define ANNOTATION_POSTURE   "bulkhead.dev/posture"

DEFINE_AUTO(struct pod, pod_free)
#define auto_pod cleanup(pod_free_auto)
DEFINE_AUTO(struct namespace, namespace_free)
#define auto_namespace cleanup(namespace_free_auto)

/* --- ports (R14) --- */

static int port_add(struct pod *pod, const cJSON *port, struct err *err)
{
	struct named_port found = { 0 }, *more;
	const char *name = NULL;
	struct path path = path_root("port");
	int64_t number = 0;

	if (json_get_string(port, "name", &name, NULL) < 0 ||
	    json_get_int(port, "containerPort", 1, 65535, &number, NULL) != 1 ||
	    part_protocol(port, &path, &found.proto, NULL) < 0 || pod->n_ports >= DECODE_PORTS_MAX)
		return 0;
	more = reallocarray(pod->ports, pod->n_ports + 1, sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "container ports");
	pod->ports = more;
	found.number = (uint16_t)number;
	found.name = strdup(name ? name : "");
	if (!found.name)
		return err_set(err, ENOMEM, "container ports");
	more[pod->n_ports++] = found;
	return 0;
}

static int container_decode(struct pod *pod, const cJSON *container, struct err *err)
{
	const cJSON *port;
	int r = 0;

	cJSON_ArrayForEach (port, json_get(container, "ports")) {
		r = port_add(pod, port, err);
		if (r < 0)
			break;
	}
	return r;
}

static int containers_decode(struct pod *pod, const cJSON *spec, struct err *err)
{
	const cJSON *container;
	int r = 0;

	cJSON_ArrayForEach (container, json_get(spec, "containers")) {
		r = container_decode(pod, container, err);
		if (r < 0)
			return r;
	}
	/* A restartable init container (sidecar) serves as long as the pod does. */
	cJSON_ArrayForEach (container, json_get(spec, "initContainers")) {
		const cJSON *restart = json_get(container, "restartPolicy");

		if (!cJSON_IsString(restart) || strcmp(restart->valuestring, "Always") != 0)
			continue;
		r = container_decode(pod, container, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* --- addresses (R10) --- */

static int addr_add(struct pod *pod, const cJSON *text, struct err *err)
{
	struct bh_addr addr, *more;

	if (!cJSON_IsString(text) || addr_parse(text->valuestring, &addr) < 0)
		return 0;
	if (addr_is_zero(&addr) || (addr_is_v4(&addr) && addr.w[3] == 0))
		return 0;
	for (size_t i = 0; i < pod->n_addrs; i++)
		if (addr_equal(&pod->addrs[i], &addr))
			return 0;
	if (pod->n_addrs >= DECODE_ADDRS_MAX)
		return 0;
	more = reallocarray(pod->addrs, pod->n_addrs + 1, sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "status.podIPs");
	pod->addrs = more;
	more[pod->n_addrs++] = addr;
	return 0;
}

static int status_decode(struct pod *pod, const cJSON *status, struct err *err)
{
	const cJSON *phase = json_get(status, "phase"), *item;
	int r = 0;

	pod->finished = cJSON_IsString(phase) && (strcmp(phase->valuestring, "Succeeded") == 0 ||
						  strcmp(phase->valuestring, "Failed") == 0);
	cJSON_ArrayForEach (item, json_get(status, "podIPs")) {
		r = addr_add(pod, json_get(item, "ip"), err);
		if (r < 0)
			return r;
	}
	return addr_add(pod, json_get(status, "podIP"), err);
}

/* --- pods --- */

static int pod_spec_decode(struct pod *pod, const cJSON *spec, const char *path, struct err *err)
{
	bool host_network = false;
	int r;

	if (spec && !cJSON_IsObject(spec))
		return err_set(err, EINVAL, "%s: must be an object", path);
	r = json_get_bool(spec, "hostNetwork", &host_network, NULL);
	if (r < 0)
		return err_set(err, EINVAL, "%s.hostNetwork: must be true or false", path);
	pod->host_network = host_network;
	r = part_text(spec, "nodeName", path, &pod->node, err);
	if (r == 0)
		r = containers_decode(pod, spec, err);
	return r;
}

static int metadata_check(const cJSON *metadata, const char *path, struct err *err)
{
	if (metadata && !cJSON_IsObject(metadata))
		return err_set(err, EINVAL, "%s: must be an object", path);
	return 0;
}

int decode_pod(const cJSON *object, const char *default_namespace, struct pod **ret, struct err *err)
{
	auto_pod struct pod *pod = calloc(1, sizeof(*pod));
	const cJSON *metadata = json_get(object, "metadata");
	int r;

	if (!pod || !(pod->workload = strdup("")))
		return err_set(err, ENOMEM, "Pod");
	r = part_names(object, default_namespace, &pod->namespace, &pod->name, err);
	if (r == 0)
		r = part_text(metadata, "uid", "metadata", &pod->uid, err);
	if (r == 0)
		r = part_labels(metadata, "metadata", &pod->labels, err);
	if (r == 0)
		r = pod_spec_decode(pod, json_get(object, "spec"), "spec", err);
	if (r == 0)
		r = status_decode(pod, json_get(object, "status"), err);
	if (r < 0)
		return r;
	*ret = pod_compact(pod);
	return *ret ? 0 : err_set(err, ENOMEM, "Pod");
}

/* Where a kind keeps its pod template. */
static const char *template_path(const char *kind)
{
	return strcmp(kind, "CronJob") == 0 ? "spec.jobTemplate.spec.template" : "spec.template";
}

static const cJSON *template_of(const cJSON *object, const char *kind)
{
	const cJSON *spec = json_get(object, "spec");

	if (strcmp(kind, "CronJob") == 0)
		spec = json_get(json_get(spec, "jobTemplate"), "spec");
	return json_get(spec, "template");
}

static int template_decode(struct pod *pod, const cJSON *template, const char *path, struct err *err)
{
	struct path root = path_root(path), metadata = path_field(&root, "metadata"),
		    spec = path_field(&root, "spec");
	int r;

	if (!cJSON_IsObject(template))
		return err_set(err, EINVAL, "%s: must be an object", path);
	r = metadata_check(json_get(template, "metadata"), metadata.text, err);
	if (r == 0)
		r = part_labels(json_get(template, "metadata"), metadata.text, &pod->labels, err);
	if (r == 0)
		r = pod_spec_decode(pod, json_get(template, "spec"), spec.text, err);
	return r;
}

static char *workload_name(const char *kind, const char *name)
{
	auto_text struct text text = { 0 };

	text_addf(&text, "%s/%s", kind, name);
	return text_take(&text);
}

int decode_workload(const cJSON *object, const char *default_namespace, struct pod **ret, struct err *err)
{
	auto_pod struct pod *pod = calloc(1, sizeof(*pod));
	const cJSON *kind = json_get(object, "kind");
	int r;

	if (!pod || !(pod->uid = strdup("")))
		return err_set(err, ENOMEM, "workload");
	if (!cJSON_IsString(kind))
		return err_set(err, EINVAL, "kind: missing");
	r = part_names(object, default_namespace, &pod->namespace, &pod->name, err);
	if (r == 0)
		r = template_decode(pod, template_of(object, kind->valuestring),
				    template_path(kind->valuestring), err);
	if (r < 0)
		return r;
	pod->workload = workload_name(kind->valuestring, pod->name);
	if (!pod->workload)
		return err_set(err, ENOMEM, "workload");
	*ret = TAKE(pod);
	return 0;
}

/* --- namespaces --- */

/* 1 when the annotation says nothing that we know. */
static int posture_decode(const cJSON *object, enum posture *ret, struct err *err)
{
	static const char *const words[] = {
		[POSTURE_STANDARD] = "standard",
		[POSTURE_DENY] = "deny",
		[POSTURE_AUDIT] = "audit",
	};
	const cJSON *posture = part_annotation(object, ANNOTATION_POSTURE);

	if (!posture)
		return 0;
	for (int i = POSTURE_STANDARD; i <= POSTURE_AUDIT; i++)
		if (cJSON_IsString(posture) && strcmp(posture->valuestring, words[i]) == 0) {
			*ret = (enum posture)i;
			return 0;
		}
	err_set(err, EINVAL, "metadata.annotations.%s: must be standard, deny or audit; ignoring it",
		ANNOTATION_POSTURE);
	return 1;
}

int decode_namespace(const cJSON *object, struct namespace **ret, struct err *err)
{
	auto_namespace struct namespace *ns = calloc(1, sizeof(*ns));
	const cJSON *metadata = json_get(object, "metadata");
	const cJSON *phase = json_get(json_get(object, "status"), "phase");
	int r;

	if (!ns)
		return err_set(err, ENOMEM, "Namespace");
	r = part_names(object, NULL, NULL, &ns->name, err);
	if (r == 0)
		r = part_labels(metadata, "metadata", &ns->labels, err);
	if (r < 0)
		return r;
	/* R9. Always ours: a manifest must not pose as another namespace. */
	if (labels_set(&ns->labels, LABEL_NAMESPACE_NAME, ns->name) < 0)
		return err_set(err, ENOMEM, "metadata.labels");
	ns->terminating = json_get(metadata, "deletionTimestamp") ||
			  (cJSON_IsString(phase) && strcmp(phase->valuestring, "Terminating") == 0);
	r = posture_decode(object, &ns->posture, err);
	*ret = TAKE(ns);
	return r;
}
