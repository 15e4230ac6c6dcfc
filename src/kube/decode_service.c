// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/decode.h"
#include "kube/decode_part.h"

DEFINE_AUTO(struct service, service_free)
#define auto_service cleanup(service_free_auto)

/* --- ports --- */

static int target_decode(const cJSON *port, const struct path *path, struct service_port *ret,
			 struct err *err)
{
	const cJSON *target = json_get(port, "targetPort");
	int64_t number = ret->port;

	if (cJSON_IsString(target)) {
		if (!port_name_is_valid(target->valuestring))
			return err_set(err, EINVAL, "%s.targetPort: not a port name", path->text);
		ret->target_name = strdup(target->valuestring);
		return ret->target_name ? 0 : err_set(err, ENOMEM, "%s.targetPort", path->text);
	}
	/* 0 is how clients of the API write "absent". */
	if (json_get_int(port, "targetPort", 0, 65535, &number, NULL) < 0)
		return err_set(err, EINVAL, "%s.targetPort: must be a whole number from 1 to 65535 or a name",
			       path->text);
	ret->target = number ? (uint16_t)number : ret->port;
	return 0;
}

static int port_decode(const cJSON *port, const struct path *path, struct service_port *ret, struct err *err)
{
	int64_t number = 0;
	int r = part_text(port, "name", path->text, &ret->name, err);

	if (r == 0)
		r = part_protocol(port, path, &ret->proto, err);
	if (r < 0)
		return r;
	if (json_get_int(port, "port", 1, 65535, &number, NULL) != 1)
		return err_set(err, EINVAL, "%s.port: must be a whole number from 1 to 65535", path->text);
	ret->port = (uint16_t)number;
	return target_decode(port, path, ret, err);
}

static int ports_decode(struct service *service, const cJSON *spec, struct err *err)
{
	struct path root = path_root("spec"), list = path_field(&root, "ports");
	const cJSON *ports, *port;
	size_t n;
	int r = part_array(spec, "ports", &root, DECODE_PORTS_MAX, &ports, &n, err);

	if (r < 0 || n == 0)
		return r;
	service->ports = calloc(n, sizeof(*service->ports));
	if (!service->ports)
		return err_set(err, ENOMEM, "spec.ports");
	cJSON_ArrayForEach (port, ports) {
		struct path path = path_item(&list, service->n_ports);

		/* Counted before it is read: what it has by then is freed with the rest. */
		r = port_decode(port, &path, &service->ports[service->n_ports++], err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- addresses --- */

static int addr_add(struct service *service, const cJSON *text, struct err *err)
{
	struct bh_addr addr, *more;

	if (!cJSON_IsString(text))
		return 0;
	if (strcmp(text->valuestring, "None") == 0)
		service->headless = true;
	if (addr_parse(text->valuestring, &addr) < 0)
		return 0;
	for (size_t i = 0; i < service->n_addrs; i++)
		if (addr_equal(&service->addrs[i], &addr))
			return 0;
	if (service->n_addrs >= DECODE_ADDRS_MAX)
		return 0;
	more = reallocarray(service->addrs, service->n_addrs + 1, sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "spec.clusterIPs");
	service->addrs = more;
	more[service->n_addrs++] = addr;
	return 0;
}

static int addrs_decode(struct service *service, const cJSON *spec, struct err *err)
{
	const cJSON *item;
	int r = 0;

	cJSON_ArrayForEach (item, json_get(spec, "clusterIPs")) {
		r = addr_add(service, item, err);
		if (r < 0)
			return r;
	}
	return addr_add(service, json_get(spec, "clusterIP"), err);
}

/* --- the selector --- */

/* Equality only, and empty is as good as none: unlike a policy's, it selects no
 * pod. ExternalName has one in vain. */
static int selector_decode(struct service *service, const cJSON *spec, struct err *err)
{
	const cJSON *map = json_get(spec, "selector"), *type = json_get(spec, "type"), *label;

	if (map && !cJSON_IsObject(map))
		return err_set(err, EINVAL, "spec.selector: must be an object");
	if (cJSON_GetArraySize(map) > DECODE_LABELS_MAX)
		return err_set(err, EINVAL, "spec.selector: more than %d labels", DECODE_LABELS_MAX);
	cJSON_ArrayForEach (label, map) {
		if (!label_key_is_valid(label->string) || !cJSON_IsString(label) ||
		    !label_value_is_valid(label->valuestring))
			return err_set(err, EINVAL, "spec.selector.%s: not a label and its value",
				       label->string);
		if (labels_set(&service->selector, label->string, label->valuestring) < 0)
			return err_set(err, ENOMEM, "spec.selector");
	}
	service->is_name = cJSON_IsString(type) && strcmp(type->valuestring, "ExternalName") == 0;
	service->has_selector = service->selector.n > 0 && !service->is_name;
	return 0;
}

/* --- who of the endpoints serves a client */

#define AFFINITY_DEFAULT_S 10800
#define AFFINITY_MAX_S	   86400

static int affinity_decode(struct service *service, const cJSON *spec, struct err *err)
{
	const cJSON *affinity = json_get(spec, "sessionAffinity"),
		    *config = json_get(json_get(spec, "sessionAffinityConfig"), "clientIP");
	int64_t seconds = AFFINITY_DEFAULT_S;

	if (!affinity || (cJSON_IsString(affinity) && strcmp(affinity->valuestring, "None") == 0))
		return 0;
	if (!cJSON_IsString(affinity) || strcmp(affinity->valuestring, "ClientIP") != 0)
		return err_set(err, EINVAL, "spec.sessionAffinity: must be None or ClientIP");
	if (json_get_int(config, "timeoutSeconds", 1, AFFINITY_MAX_S, &seconds, NULL) < 0)
		return err_set(err, EINVAL,
			       "spec.sessionAffinityConfig.clientIP.timeoutSeconds: must be a whole number "
			       "from 1 to %d",
			       AFFINITY_MAX_S);
	service->affinity_s = (uint32_t)seconds;
	return 0;
}

static int traffic_decode(struct service *service, const cJSON *spec, struct err *err)
{
	const cJSON *policy = json_get(spec, "internalTrafficPolicy");
	const char *text = cJSON_IsString(policy) ? policy->valuestring : "";

	if (policy && strcmp(text, "Cluster") != 0 && strcmp(text, "Local") != 0)
		return err_set(err, EINVAL, "spec.internalTrafficPolicy: must be Cluster or Local");
	service->local_only = strcmp(text, "Local") == 0;
	return 0;
}

int decode_service(const cJSON *object, const char *default_namespace, struct service **ret, struct err *err)
{
	auto_service struct service *service = calloc(1, sizeof(*service));
	const cJSON *spec = json_get(object, "spec");
	int r;

	if (!service)
		return err_set(err, ENOMEM, "Service");
	r = part_names(object, default_namespace, &service->namespace, &service->name, err);
	if (r < 0)
		return r;
	if (spec && !cJSON_IsObject(spec))
		return err_set(err, EINVAL, "spec: must be an object");
	r = selector_decode(service, spec, err);
	if (r == 0)
		r = addrs_decode(service, spec, err);
	if (r == 0)
		r = ports_decode(service, spec, err);
	if (r == 0)
		r = affinity_decode(service, spec, err);
	if (r == 0)
		r = traffic_decode(service, spec, err);
	if (r < 0)
		return r;
	*ret = TAKE(service);
	return 0;
}
