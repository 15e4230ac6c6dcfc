// SPDX-License-Identifier: Apache-2.0
#include "cni/result.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

void result_done(struct result *result)
{
	free(result->routes);
	*result = (struct result){ 0 };
}

void mac_format(const uint8_t mac[6], char out[18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

int mac_parse(const char *text, uint8_t out[6])
{
	int n = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &out[0], &out[1], &out[2], &out[3], &out[4],
		   &out[5], &n) != 6)
		return -EINVAL;
	return n == 17 && !text[17] ? 0 : -EINVAL;
}

/* "10.1.0.5/24" with the host bits kept, unlike prefix_parse(). */
static int cidr_parse(const char *text, struct bh_addr *ret_addr, uint8_t *ret_len)
{
	const char *slash = strchr(text, '/');
	char host[ADDR_TEXT_MAX];
	struct prefix prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(host) || prefix_parse(text, &prefix) < 0)
		return -EINVAL;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	*ret_len = prefix.len;
	return addr_parse(host, ret_addr);
}

static int unusable(struct failure *failure, const char *field, size_t i, const char *value)
{
	char safe[128];

	text_escape(value ?: "missing", safe, sizeof(safe));
	return failure_set(failure, CODE_IPAM_RESULT, "result: %s[%zu] cannot be used: %s", field, i, safe);
}

static bool addr_usable(const struct bh_addr *addr)
{
	uint8_t first = addr->b[addr_is_v4(addr) ? 12 : 0];

	if (addr_is_v4(addr))
		return first != 0 && first != 127 && first < 224;
	return first != 0xff && !addr_is_zero(addr);
}

/* 1 taken, 0 of another interface, -1 with failure. */
static int ip_parse(const cJSON *item, size_t i, int interface, struct result_ip *ret_ip,
		    struct failure *failure)
{
	const char *address = NULL, *gateway = NULL;
	struct result_ip ip = { 0 };
	int64_t index;
	int r = json_get_int(item, "interface", 0, 1024, &index, NULL);

	if (r < 0)
		return unusable(failure, "ips", i, "interface");
	if (r == 1 && interface >= 0 && index != interface)
		return 0;
	if (json_get_string(item, "address", &address, NULL) < 0 || !address ||
	    cidr_parse(address, &ip.addr, &ip.len) < 0 || !addr_usable(&ip.addr))
		return unusable(failure, "ips", i, address);
	if (json_get_string(item, "gateway", &gateway, NULL) < 0)
		return unusable(failure, "ips", i, "gateway");
	if (gateway && *gateway) {
		if (addr_parse(gateway, &ip.gateway) < 0 || addr_is_v4(&ip.gateway) != addr_is_v4(&ip.addr))
			return unusable(failure, "ips", i, gateway);
		ip.has_gateway = true;
	}
	*ret_ip = ip;
	return 1;
}

static int ips_parse(const cJSON *json, int interface, struct result *result, struct failure *failure)
{
	const cJSON *ips = json_get(json, "ips"), *item;
	size_t i = 0;

	if (ips && !cJSON_IsArray(ips))
		return failure_set(failure, CODE_IPAM_RESULT, "result: ips is not a list");
	cJSON_ArrayForEach (item, ips) {
		struct result_ip ip;
		int r = ip_parse(item, i++, interface, &ip, failure);

		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		if (result->n_ips == RESULT_IPS_MAX)
			return failure_set(failure, CODE_IPAM_RESULT,
					   "result: more than %d addresses for one interface",
					   RESULT_IPS_MAX);
		result->ips[result->n_ips++] = ip;
	}
	if (!result->n_ips)
		return failure_set(failure, CODE_IPAM_RESULT, "result: no address for the pod's interface");
	return 0;
}

static int route_numbers(const cJSON *item, struct result_route *route)
{
	static const char *const keys[] = { "mtu", "advmss", "priority", "table" };
	uint32_t *const out[] = { &route->mtu, &route->advmss, &route->priority, &route->table };

	for (int k = 0; k < 4; k++) {
		int64_t value = 0;

		if (json_get_int(item, keys[k], 0, UINT32_MAX, &value, NULL) < 0)
			return -EINVAL;
		*out[k] = (uint32_t)value;
	}
	return 0;
}

static int route_parse(const cJSON *item, size_t i, struct result_route *ret_route, struct failure *failure)
{
	const char *dst = NULL, *gateway = NULL;
	struct result_route route = { 0 };

	if (json_get_string(item, "dst", &dst, NULL) < 0 || !dst || prefix_parse(dst, &route.dst) < 0)
		return unusable(failure, "routes", i, dst);
	if (json_get_string(item, "gw", &gateway, NULL) < 0 || route_numbers(item, &route) < 0)
		return unusable(failure, "routes", i, dst);
	if (gateway && *gateway) {
		if (addr_parse(gateway, &route.gateway) < 0 || addr_is_v4(&route.gateway) != route.dst.is_v4)
			return unusable(failure, "routes", i, gateway);
		route.has_gateway = true;
	}
	*ret_route = route;
	return 0;
}

static int routes_parse(const cJSON *json, struct result *result, struct failure *failure)
{
	const cJSON *routes = json_get(json, "routes"), *item;
	int n = cJSON_GetArraySize(routes);

	if (routes && (!cJSON_IsArray(routes) || n > RESULT_ROUTES_MAX))
		return failure_set(failure, CODE_IPAM_RESULT, "result: routes is not a list of at most %d",
				   RESULT_ROUTES_MAX);
	result->routes = calloc((size_t)n + 1, sizeof(*result->routes));
	if (!result->routes)
		return failure_set(failure, CODE_TRY_LATER, "result: out of memory");
	cJSON_ArrayForEach (item, routes) {
		if (route_parse(item, result->n_routes, &result->routes[result->n_routes], failure) < 0)
			return -1;
		result->n_routes++;
	}
	return 0;
}

int result_parse(const cJSON *json, int interface, struct result *ret_result, struct failure *failure)
{
	auto_result struct result result = { 0 };

	if (ips_parse(json, interface, &result, failure) < 0 || routes_parse(json, &result, failure) < 0)
		return -1;
	*ret_result = result;
	result.routes = NULL;
	return 0;
}

int result_pod_interface(const cJSON *json, const char *ifname)
{
	const cJSON *item;
	int i = 0;

	cJSON_ArrayForEach (item, json_get(json, "interfaces")) {
		const char *name = NULL, *sandbox = NULL;

		(void)json_get_string(item, "name", &name, NULL);
		(void)json_get_string(item, "sandbox", &sandbox, NULL);
		if (name && sandbox && *sandbox && strcmp(name, ifname) == 0)
			return i;
		i++;
	}
	return -1;
}

/* Hands `item` over to `object`; a null item or a failure answers false and
 * leaks nothing. */
static bool object_put(cJSON *object, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(object, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool list_put(cJSON *list, cJSON *item)
{
	if (item && cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static cJSON *interface_build(const struct netconf *conf, const struct result_interface *interface)
{
	auto_json cJSON *out = cJSON_CreateObject();
	char mac[18];

	mac_format(interface->mac, mac);
	if (!out || !cJSON_AddStringToObject(out, "name", interface->name) ||
	    !cJSON_AddStringToObject(out, "mac", mac))
		return NULL;
	if (conf->version >= CNI_V1_1_0 && !cJSON_AddNumberToObject(out, "mtu", interface->mtu))
		return NULL;
	if (interface->sandbox && !cJSON_AddStringToObject(out, "sandbox", interface->sandbox))
		return NULL;
	return TAKE(out);
}

static cJSON *ip_build(const struct netconf *conf, const struct result_ip *ip)
{
	auto_json cJSON *out = cJSON_CreateObject();
	char address[ADDR_TEXT_MAX + 8], gateway[ADDR_TEXT_MAX], host[ADDR_TEXT_MAX];
	bool v4 = addr_is_v4(&ip->addr);

	addr_format(&ip->addr, host);
	snprintf(address, sizeof(address), "%s/%d", host, v4 ? 32 : 128);
	addr_format(&ip->gateway, gateway);
	if (!out || (conf->version < CNI_V1_0_0 && !cJSON_AddStringToObject(out, "version", v4 ? "4" : "6")))
		return NULL;
	if (!cJSON_AddNumberToObject(out, "interface", 1) ||
	    !cJSON_AddStringToObject(out, "address", address))
		return NULL;
	if (ip->has_gateway && !cJSON_AddStringToObject(out, "gateway", gateway))
		return NULL;
	return TAKE(out);
}

static bool dns_put(cJSON *out, const struct netconf *conf, const cJSON *ipam_answer)
{
	const cJSON *dns = json_get(conf->json, "dns");

	if (!dns || !dns->child)
		dns = json_get(ipam_answer, "dns");
	return object_put(out, "dns", dns ? cJSON_Duplicate(dns, true) : cJSON_CreateObject());
}

cJSON *result_build(const struct netconf *conf, const struct result *ips, const cJSON *ipam_answer,
		    const struct result_interface interfaces[2])
{
	auto_json cJSON *out = cJSON_CreateObject();
	const cJSON *routes = json_get(ipam_answer, "routes");
	cJSON *list;

	if (!out || !cJSON_AddStringToObject(out, "cniVersion", cni_version_names[conf->version]))
		return NULL;
	list = cJSON_AddArrayToObject(out, "interfaces");
	for (int i = 0; i < 2; i++) {
		if (!list || !list_put(list, interface_build(conf, &interfaces[i])))
			return NULL;
	}
	list = cJSON_AddArrayToObject(out, "ips");
	for (size_t i = 0; i < ips->n_ips; i++) {
		if (!list || !list_put(list, ip_build(conf, &ips->ips[i])))
			return NULL;
	}
	if (routes && !object_put(out, "routes", cJSON_Duplicate(routes, true)))
		return NULL;
	return list && dns_put(out, conf, ipam_answer) ? TAKE(out) : NULL;
}
