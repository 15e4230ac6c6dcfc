// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/decode.h"
#include "kube/decode_part.h"

#define SLICE_ENDPOINTS_MAX 8192
#define SLICE_PORTS_MAX	    1024

DEFINE_AUTO(struct endpoint_slice, endpoint_slice_free)
#define auto_slice cleanup(endpoint_slice_free_auto)

/* --- ports --- */

static int port_decode(const cJSON *port, const struct path *path, struct slice_port *ret, struct err *err)
{
	int64_t number = 0;
	int r = part_text(port, "name", path->text, &ret->name, err);

	if (r == 0)
		r = part_protocol(port, path, &ret->proto, err);
	if (r < 0)
		return r;
	if (json_get_int(port, "port", 1, 65535, &number, NULL) < 0)
		return err_set(err, EINVAL, "%s.port: must be a whole number from 1 to 65535", path->text);
	ret->port = (uint16_t)number;
	return 0;
}

static int ports_decode(struct endpoint_slice *slice, const cJSON *object, struct err *err)
{
	struct path root = path_root("EndpointSlice"), list = path_root("ports");
	const cJSON *ports, *port;
	size_t n;
	int r = part_array(object, "ports", &root, SLICE_PORTS_MAX, &ports, &n, err);

	if (r < 0 || n == 0)
		return r;
	slice->ports = calloc(n, sizeof(*slice->ports));
	if (!slice->ports)
		return err_set(err, ENOMEM, "ports");
	cJSON_ArrayForEach (port, ports) {
		struct path path = path_item(&list, slice->n_ports);

		/* Counted before it is read: what it has by then is freed with the rest. */
		r = port_decode(port, &path, &slice->ports[slice->n_ports++], err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- endpoints --- */

static int condition_decode(const cJSON *conditions, const char *key, const struct path *path, bool *ret,
			    struct err *err)
{
	const cJSON *value = json_get(conditions, key);

	if (value && !cJSON_IsBool(value))
		return err_set(err, EINVAL, "%s.conditions.%s: must be true or false", path->text, key);
	if (value)
		*ret = cJSON_IsTrue(value);
	return 0;
}

/* Absent conditions: ready is taken for true, serving for what ready is. */
static int conditions_decode(const cJSON *endpoint, const struct path *path, struct slice_endpoint *ret,
			     struct err *err)
{
	const cJSON *conditions = json_get(endpoint, "conditions");
	int r;

	if (conditions && !cJSON_IsObject(conditions))
		return err_set(err, EINVAL, "%s.conditions: must be an object", path->text);
	ret->ready = true;
	r = condition_decode(conditions, "ready", path, &ret->ready, err);
	ret->serving = ret->ready;
	if (r == 0)
		r = condition_decode(conditions, "serving", path, &ret->serving, err);
	return r < 0 ? r : condition_decode(conditions, "terminating", path, &ret->terminating, err);
}

static int addr_decode(const cJSON *endpoint, const struct path *path, bool is_v6, struct bh_addr *ret,
		       struct err *err)
{
	const cJSON *addrs = json_get(endpoint, "addresses"), *first = cJSON_GetArrayItem(addrs, 0);

	if (!cJSON_IsArray(addrs) || !cJSON_IsString(first) || addr_parse(first->valuestring, ret) < 0 ||
	    addr_is_v4(ret) == is_v6)
		return err_set(err, EINVAL, "%s.addresses[0]: must be an %s address", path->text,
			       is_v6 ? "IPv6" : "IPv4");
	if (!addr_is_routable(ret))
		return err_set(err, EINVAL,
			       "%s.addresses[0]: loopback, link-local, multicast and unspecified addresses "
			       "serve nobody",
			       path->text);
	return 0;
}

static int endpoint_decode(const cJSON *endpoint, const struct path *path, bool is_v6,
			   struct slice_endpoint *ret, struct err *err)
{
	int r = addr_decode(endpoint, path, is_v6, &ret->addr, err);

	if (r == 0)
		r = conditions_decode(endpoint, path, ret, err);
	return r < 0 ? r : part_text(endpoint, "nodeName", path->text, &ret->node, err);
}

static int endpoints_decode(struct endpoint_slice *slice, const cJSON *object, bool is_v6, struct err *err)
{
	struct path root = path_root("EndpointSlice"), list = path_root("endpoints");
	const cJSON *endpoints, *endpoint;
	size_t n;
	int r = part_array(object, "endpoints", &root, SLICE_ENDPOINTS_MAX, &endpoints, &n, err);

	if (r < 0 || n == 0)
		return r;
	slice->endpoints = calloc(n, sizeof(*slice->endpoints));
	if (!slice->endpoints)
		return err_set(err, ENOMEM, "endpoints");
	cJSON_ArrayForEach (endpoint, endpoints) {
		struct path path = path_item(&list, slice->n_endpoints);

		r = endpoint_decode(endpoint, &path, is_v6, &slice->endpoints[slice->n_endpoints++], err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- the slice --- */

/* 1: IPv6, 0: IPv4, 2: of names, which nobody translates to. */
static int family_decode(const cJSON *object, struct err *err)
{
	const cJSON *type = json_get(object, "addressType");
	const char *text = cJSON_IsString(type) ? type->valuestring : "";

	if (strcmp(text, "IPv4") == 0)
		return 0;
	if (strcmp(text, "IPv6") == 0)
		return 1;
	if (strcmp(text, "FQDN") == 0)
		return 2;
	return err_set(err, EINVAL, "addressType: must be IPv4, IPv6 or FQDN");
}

static int service_name_decode(struct endpoint_slice *slice, const cJSON *object, struct err *err)
{
	const cJSON *labels = json_get(json_get(object, "metadata"), "labels");

	return part_text(labels, "kubernetes.io/service-name", "metadata.labels", &slice->service, err);
}

int decode_endpointslice(const cJSON *object, const char *default_namespace, struct endpoint_slice **ret,
			 struct err *err)
{
	auto_slice struct endpoint_slice *slice = calloc(1, sizeof(*slice));
	int family, r;

	if (!slice)
		return err_set(err, ENOMEM, "EndpointSlice");
	r = part_names(object, default_namespace, &slice->namespace, &slice->name, err);
	if (r == 0)
		r = service_name_decode(slice, object, err);
	if (r < 0)
		return r;
	family = family_decode(object, err);
	if (family < 0)
		return family;
	r = ports_decode(slice, object, err);
	if (r == 0 && family < 2)
		r = endpoints_decode(slice, object, family == 1, err);
	if (r < 0)
		return r;
	*ret = TAKE(slice);
	return 0;
}
