// SPDX-License-Identifier: Apache-2.0
/* Every function that gets an `into` adds to it and returns false when out of memory. */
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/encode.h"

static const char *const operator_names[] = { [SELECTOR_IN] = "In",
					      [SELECTOR_NOT_IN] = "NotIn",
					      [SELECTOR_EXISTS] = "Exists",
					      [SELECTOR_NOT_EXISTS] = "DoesNotExist" };

/* An item that is in its list in any case, so that the list is freed with all of it. */
static cJSON *item_add(cJSON *list)
{
	cJSON *item = list ? cJSON_CreateObject() : NULL;

	if (item && !cJSON_AddItemToArray(list, item)) {
		cJSON_Delete(item);
		return NULL;
	}
	return item;
}

static bool text_item_add(cJSON *list, const char *text)
{
	cJSON *item = cJSON_CreateString(text);

	if (item && cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool invalid_encode(cJSON *into)
{
	return into && cJSON_AddTrueToObject(into, "invalid");
}

static bool requirement_encode(const struct requirement *requirement, cJSON *into)
{
	cJSON *values;

	if (!into || !cJSON_AddStringToObject(into, "key", requirement->key) ||
	    !cJSON_AddStringToObject(into, "operator", operator_names[requirement->op]))
		return false;
	if (requirement->n_values == 0)
		return true;
	values = cJSON_AddArrayToObject(into, "values");
	for (size_t i = 0; i < requirement->n_values; i++)
		if (!values || !text_item_add(values, requirement->values[i]))
			return false;
	return values;
}

static bool selector_encode(const struct selector *selector, cJSON *into, const char *key)
{
	cJSON *object, *list;

	if (!selector->has)
		return true;
	object = cJSON_AddObjectToObject(into, key);
	if (!object || selector->invalid)
		return invalid_encode(object);
	list = cJSON_AddArrayToObject(object, "matchExpressions");
	for (size_t i = 0; i < selector->n; i++)
		if (!requirement_encode(&selector->v[i], item_add(list)))
			return false;
	return list;
}

static bool block_encode(const struct peer *peer, cJSON *into)
{
	cJSON *block = cJSON_AddObjectToObject(into, "ipBlock");
	cJSON *excepts = block ? cJSON_AddArrayToObject(block, "except") : NULL;
	char text[ADDR_TEXT_MAX];

	prefix_format(&peer->block, text);
	if (!excepts || !cJSON_AddStringToObject(block, "cidr", text))
		return false;
	for (size_t i = 0; i < peer->n_excepts; i++) {
		prefix_format(&peer->excepts[i], text);
		if (!text_item_add(excepts, text))
			return false;
	}
	return true;
}

static bool peer_encode(const struct peer *peer, cJSON *into)
{
	if (!into || peer->invalid)
		return invalid_encode(into);
	return selector_encode(&peer->pods, into, "podSelector") &&
	       selector_encode(&peer->namespaces, into, "namespaceSelector") &&
	       (!peer->has_block || block_encode(peer, into));
}

static const char *protocol(uint8_t proto)
{
	return proto == IPPROTO_UDP ? "UDP" : proto == IPPROTO_SCTP ? "SCTP" : "TCP";
}

static bool port_encode(const struct port_match *port, cJSON *into)
{
	if (!into || port->invalid)
		return invalid_encode(into);
	if (!cJSON_AddStringToObject(into, "protocol", protocol(port->proto)))
		return false;
	if (!port->has_port)
		return true;
	if (port->name)
		return cJSON_AddStringToObject(into, "port", port->name);
	return cJSON_AddNumberToObject(into, "port", port->first) &&
	       (port->last == port->first || cJSON_AddNumberToObject(into, "endPort", port->last));
}

static bool rule_encode(const struct rule *rule, enum bh_direction direction, cJSON *into)
{
	cJSON *list;

	if (!into || rule->invalid)
		return invalid_encode(into);
	if (rule->has_peers) {
		list = cJSON_AddArrayToObject(into, direction == BH_EGRESS ? "to" : "from");
		for (size_t i = 0; i < rule->n_peers; i++)
			if (!peer_encode(&rule->peers[i], item_add(list)))
				return false;
	}
	if (rule->has_ports) {
		list = cJSON_AddArrayToObject(into, "ports");
		for (size_t i = 0; i < rule->n_ports; i++)
			if (!port_encode(&rule->ports[i], item_add(list)))
				return false;
	}
	return true;
}

static bool direction_encode(const struct netpol *netpol, enum bh_direction direction, cJSON *types,
			     cJSON *spec)
{
	static const char *const type_names[2] = { [BH_EGRESS] = "Egress", [BH_INGRESS] = "Ingress" };
	static const char *const keys[2] = { [BH_EGRESS] = "egress", [BH_INGRESS] = "ingress" };
	cJSON *rules = cJSON_AddArrayToObject(spec, keys[direction]);

	if (!rules || (netpol->isolates[direction] && !text_item_add(types, type_names[direction])))
		return false;
	for (size_t i = 0; i < netpol->n_rules[direction]; i++)
		if (!rule_encode(&netpol->rules[direction][i], direction, item_add(rules)))
			return false;
	return true;
}

static bool metadata_encode(const struct netpol *netpol, cJSON *into)
{
	cJSON *annotations;

	if (!into || !cJSON_AddStringToObject(into, "namespace", netpol->namespace) ||
	    !cJSON_AddStringToObject(into, "name", netpol->name) ||
	    (netpol->uid && !cJSON_AddStringToObject(into, "uid", netpol->uid)))
		return false;
	if (!netpol->audit)
		return true;
	annotations = cJSON_AddObjectToObject(into, "annotations");
	return annotations && cJSON_AddStringToObject(annotations, "bulkhead.dev/audit", "true");
}

cJSON *encode_netpol(const struct netpol *netpol)
{
	auto_json cJSON *object = cJSON_CreateObject();
	cJSON *spec = object ? cJSON_AddObjectToObject(object, "spec") : NULL;
	cJSON *types = spec ? cJSON_AddArrayToObject(spec, "policyTypes") : NULL;

	if (!types || !metadata_encode(netpol, cJSON_AddObjectToObject(object, "metadata")) ||
	    !selector_encode(&netpol->pods, spec, "podSelector") ||
	    !direction_encode(netpol, BH_EGRESS, types, spec) ||
	    !direction_encode(netpol, BH_INGRESS, types, spec))
		return NULL;
	return TAKE(object);
}
