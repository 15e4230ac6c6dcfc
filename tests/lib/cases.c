// SPDX-License-Identifier: Apache-2.0
#include "lib/cases.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "kube/decode.h"

#define CASE_FILE_MAX (1 << 20)

static const char *const verdict_names[] = { "allow", "deny", "audit", "unknown", "no_backend" };

const char *verdict_name(enum explain_verdict verdict)
{
	return verdict_names[verdict];
}

/* Appends one pointer to an array of pointers. */
static int array_add(void *array, size_t *n, void *item)
{
	void **old = *(void ***)array;
	void **more = realloc(old, (*n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	more[(*n)++] = item;
	*(void ***)array = more;
	return 0;
}

static const struct pod *pod_with_addr(const struct world *world, const struct bh_addr *addr)
{
	for (size_t i = 0; i < world->n_pods; i++) {
		const struct pod *pod = world->pods[i];

		if (pod->host_network || pod->finished)
			continue;
		for (size_t k = 0; k < pod->n_addrs; k++) {
			if (addr_equal(&pod->addrs[k], addr))
				return pod;
		}
	}
	return NULL;
}

static int end_parse(const struct world *world, const char *text, struct explain_end *end, struct err *err)
{
	char namespace[64];
	const char *slash = strchr(text, '/');

	*end = (struct explain_end){ 0 };
	if (strcmp(text, "node") == 0) {
		end->is_own_node = end->has_addr = true;
		return addr_parse(CASE_NODE_V4, &end->addr);
	}
	if (!slash) {
		if (addr_parse(text, &end->addr) < 0)
			return err_set(err, EINVAL, "%s is neither a pod nor an address", text);
		end->has_addr = true;
		end->pod = pod_with_addr(world, &end->addr);
		return 0;
	}
	snprintf(namespace, sizeof(namespace), "%.*s", (int)(slash - text), text);
	end->pod = world_pod(world, namespace, slash + 1);
	if (!end->pod || end->pod->n_addrs == 0)
		return err_set(err, ENOENT, "no pod %s with an address", text);
	end->has_addr = true;
	end->addr = end->pod->addrs[0];
	return 0;
}

static const struct service *service_named(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->n_services; i++) {
		const struct service *service = world->services[i];
		size_t n = strlen(service->namespace);

		if (strncmp(name, service->namespace, n) == 0 && name[n] == '/' &&
		    strcmp(name + n + 1, service->name) == 0)
			return service;
	}
	return NULL;
}

/* The Service's address of the client's family, or else its first. */
static int service_end_parse(const struct world *world, const char *name, struct explain_query *query,
			     struct err *err)
{
	const struct service *service = service_named(world, name);
	const struct pod *client = query->from.pod;

	if (!service || service->n_addrs == 0)
		return err_set(err, ENOENT, "no Service %s with an address", name);
	if (!client || client->host_network || client->finished)
		return err_set(err, EINVAL, "only pods' connections to Services are translated");
	query->to = (struct explain_end){ .has_addr = true, .addr = service->addrs[0] };
	for (size_t i = 0; i < service->n_addrs; i++) {
		if (addr_is_v4(&service->addrs[i]) == addr_is_v4(&query->from.addr))
			query->to.addr = service->addrs[i];
	}
	return 0;
}

/* Both ends must speak the same family; a pod uses the address that fits. */
static int ends_match(struct explain_end *fixed, struct explain_end *free_end)
{
	if (addr_is_v4(&fixed->addr) == addr_is_v4(&free_end->addr))
		return 0;
	if (free_end->is_own_node)
		return addr_parse(CASE_NODE_V6, &free_end->addr);
	for (size_t i = 0; free_end->pod && i < free_end->pod->n_addrs; i++) {
		if (addr_is_v4(&free_end->pod->addrs[i]) == addr_is_v4(&fixed->addr)) {
			free_end->addr = free_end->pod->addrs[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int what_parse(const char *text, struct explain_query *query)
{
	static const struct {
		const char *prefix;
		uint8_t proto;
	} protos[] = { { "tcp/", IPPROTO_TCP }, { "udp/", IPPROTO_UDP }, { "sctp/", IPPROTO_SCTP } };
	unsigned long number;

	query->port = 0;
	if (strcmp(text, "icmp") == 0) {
		query->proto = addr_is_v4(&query->to.addr) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		return 0;
	}
	if (strncmp(text, "proto/", 6) == 0 && text_to_ulong(text + 6, 0, 255, &number) == 0) {
		query->proto = (uint8_t)number;
		return 0;
	}
	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
		size_t n = strlen(protos[i].prefix);

		if (strncmp(text, protos[i].prefix, n) == 0 &&
		    text_to_ulong(text + n, 1, 65535, &number) == 0) {
			query->proto = protos[i].proto;
			query->port = (uint16_t)number;
			return 0;
		}
	}
	return -EINVAL;
}

static int ends_parse(const struct world *world, struct case_row *row, struct err *err)
{
	size_t n = strlen(CASE_SERVICE);
	int r = end_parse(world, row->from, &row->query.from, err);

	if (r < 0)
		return r;
	row->is_service = strncmp(row->to, CASE_SERVICE, n) == 0;
	return row->is_service ? service_end_parse(world, row->to + n, &row->query, err)
			       : end_parse(world, row->to, &row->query.to, err);
}

static int want_parse(const char *text, bool is_service, enum explain_verdict *ret)
{
	static const enum explain_verdict wants[] = { EXPLAIN_ALLOW, EXPLAIN_DENY, EXPLAIN_AUDIT,
						      CASE_NO_BACKEND };

	for (size_t i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		*ret = wants[i];
		if (strcmp(text, verdict_name(*ret)) == 0)
			return *ret == CASE_NO_BACKEND && !is_service ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int row_parse(struct case_file *file, const char *line, struct err *err)
{
	struct case_row row = { 0 }, *more;
	char want[16];
	int r, at = 0;

	if (sscanf(line, "%63s %63s %15s %15s %n", row.from, row.to, row.what, want, &at) < 4)
		return err_set(err, EINVAL, "row \"%s\" is not FROM TO WHAT WANT", line);
	snprintf(row.why, sizeof(row.why), "%s", line + at);
	r = ends_parse(&file->world, &row, err);
	if (r < 0)
		return err_wrap(err, r, "row \"%s\"", line);
	if (ends_match(&row.query.from, &row.query.to) < 0 && ends_match(&row.query.to, &row.query.from) < 0)
		return err_set(err, EINVAL, "row \"%s\": the ends have no family in common", line);
	if (what_parse(row.what, &row.query) < 0)
		return err_set(err, EINVAL, "row \"%s\": %s is no protocol and port", line, row.what);
	if (want_parse(want, row.is_service, &row.want) < 0)
		return err_set(err, EINVAL, "row \"%s\": want %s", line, want);
	more = realloc(file->rows, (file->n_rows + 1) * sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "rows");
	file->rows = more;
	file->rows[file->n_rows++] = row;
	return 0;
}

static int posture_read(const cJSON *cases, struct posture_config *posture, struct err *err)
{
	const char *name = NULL;
	const cJSON *item;

	if (json_get_string(cases, "posture", &name, err) < 0 || !name)
		return -EINVAL;
	posture->posture = strcmp(name, "deny") == 0	? POSTURE_DENY
			   : strcmp(name, "audit") == 0 ? POSTURE_AUDIT
							: POSTURE_STANDARD;
	posture->deny_pod_to_node = true;
	cJSON_ArrayForEach (item, json_get(cases, "exemptNamespaces")) {
		char *copy = strdup(item->valuestring);

		if (!copy || array_add(&posture->exempt_namespaces, &posture->n_exempt_namespaces, copy) < 0)
			return err_set(err, ENOMEM, "posture");
	}
	if (posture->posture == POSTURE_DENY) {
		auto_json cJSON *selector = cJSON_Parse("{\"matchLabels\":{\"k8s-app\":\"kube-dns\"}}");

		posture->allow_dns = true;
		posture->dns_namespace = strdup("kube-system");
		return decode_selector(selector, "dns", &posture->dns_pods, err);
	}
	return 0;
}

static int object_add(struct world *world, const cJSON *json, struct err *err)
{
	const char *kind = NULL;
	int r;

	r = json_get_string(json, "kind", &kind, err);
	if (r < 0 || !kind)
		return r;
	if (strcmp(kind, "Pod") == 0) {
		struct pod *pod = NULL;

		r = decode_pod(json, "default", &pod, err);
		return r < 0 ? r : array_add(&world->pods, &world->n_pods, pod);
	}
	if (strcmp(kind, "Namespace") == 0) {
		struct namespace *ns = NULL;

		r = decode_namespace(json, &ns, err);
		return r < 0 ? r : array_add(&world->namespaces, &world->n_namespaces, ns);
	}
	if (strcmp(kind, "NetworkPolicy") == 0) {
		struct netpol *netpol = NULL;

		r = decode_netpol(json, "default", &netpol, err);
		return r < 0 ? r : array_add(&world->netpols, &world->n_netpols, netpol);
	}
	if (strcmp(kind, "Service") == 0) {
		struct service *service = NULL;

		r = decode_service(json, "default", &service, err);
		return r < 0 ? r : array_add(&world->services, &world->n_services, service);
	}
	if (strcmp(kind, "EndpointSlice") == 0) {
		struct endpoint_slice *slice = NULL;

		r = decode_endpointslice(json, "default", &slice, err);
		return r < 0 ? r : array_add(&world->slices, &world->n_slices, slice);
	}
	return 0;
}

static int rows_read(struct case_file *file, const cJSON *cases, struct err *err)
{
	const char *rows = NULL;
	auto_free char *copy = NULL;
	char *save = NULL;
	int r;

	r = json_get_string(cases, "rows", &rows, err);
	if (r < 0 || !rows)
		return err_set(err, EINVAL, "no rows");
	copy = strdup(rows);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		r = row_parse(file, line, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int case_file_read(const char *path, struct case_file *ret_file, struct err *err)
{
	const char *base = strrchr(path, '/');
	const cJSON *cases = NULL;
	struct yaml_docs docs = { 0 };
	auto_free char *data = NULL;
	size_t len;
	int r;

	*ret_file = (struct case_file){ 0 };
	snprintf(ret_file->name, sizeof(ret_file->name), "%s", base ? base + 1 : path);
	r = file_read(path, CASE_FILE_MAX, &data, &len, err);
	if (r == 0)
		r = yaml_parse(ret_file->name, data, len, &docs, err);
	for (size_t i = 0; r == 0 && i < docs.n; i++) {
		const char *kind = NULL;

		if (json_get_string(docs.v[i].json, "kind", &kind, err) == 0 && kind &&
		    strcmp(kind, "Cases") == 0)
			cases = docs.v[i].json;
		else
			r = object_add(&ret_file->world, docs.v[i].json, err);
	}
	if (r == 0 && !cases)
		r = err_set(err, EINVAL, "no document of kind Cases");
	if (r == 0)
		r = posture_read(cases, &ret_file->world.posture, err);
	if (r == 0)
		r = rows_read(ret_file, cases, err);
	yaml_docs_done(&docs);
	if (r < 0)
		case_file_done(ret_file);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

bool case_pod_is_here(const struct pod *pod)
{
	return !pod->host_network && !pod->finished && (!*pod->node || strcmp(pod->node, CASE_NODE) == 0);
}

void case_file_done(struct case_file *file)
{
	free(file->rows);
	world_done(&file->world);
	*file = (struct case_file){ 0 };
}
