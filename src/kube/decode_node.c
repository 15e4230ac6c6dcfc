// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "kube/decode.h"
#include "kube/decode_part.h"

DEFINE_AUTO(struct node, node_free)
#define auto_node cleanup(node_free_auto)

/* --- the pods' ranges */

static int range_add(struct node *node, const cJSON *item, const struct path *path, struct err *err)
{
	struct prefix range, *more;

	if (!cJSON_IsString(item) || prefix_parse(item->valuestring, &range) < 0)
		return err_set(err, EINVAL, "%s: must be ADDRESS/LENGTH", path->text);
	for (size_t i = 0; i < node->n_pod_ranges; i++)
		if (prefix_equal(&node->pod_ranges[i], &range))
			return 0;
	more = reallocarray(node->pod_ranges, node->n_pod_ranges + 1, sizeof(*more));
	if (!more)
		return err_set(err, ENOMEM, "%s", path->text);
	node->pod_ranges = more;
	more[node->n_pod_ranges++] = range;
	return 0;
}

/* podCIDR is the first of podCIDRs; objects written by hand may have it alone. */
static int ranges_decode(struct node *node, const cJSON *spec, struct err *err)
{
	struct path root = path_root("spec"), list = path_field(&root, "podCIDRs");
	const cJSON *ranges, *item, *only = json_get(spec, "podCIDR");
	size_t n, i = 0;
	int r = part_array(spec, "podCIDRs", &root, DECODE_ADDRS_MAX, &ranges, &n, err);

	if (r == 0 && n == 0 && only && !(cJSON_IsString(only) && !*only->valuestring)) {
		struct path path = path_field(&root, "podCIDR");

		return range_add(node, only, &path, err);
	}
	cJSON_ArrayForEach (item, ranges) {
		struct path path = path_item(&list, i++);

		r = range_add(node, item, &path, err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- the node's own addresses */

static bool node_has_addr(const struct node *node, const struct bh_addr *addr)
{
	for (size_t i = 0; i < node->n_addrs; i++)
		if (addr_equal(&node->addrs[i], addr))
			return true;
	return false;
}

static int addrs_of_type(struct node *node, const cJSON *list, const char *type, struct err *err)
{
	struct path root = path_root("status.addresses");
	const cJSON *item;
	size_t i = 0;

	cJSON_ArrayForEach (item, list) {
		const cJSON *is = json_get(item, "type"), *text = json_get(item, "address");
		struct path path = path_item(&root, i++);
		struct bh_addr addr;

		if (!cJSON_IsString(is) || strcmp(is->valuestring, type) != 0)
			continue;
		if (!cJSON_IsString(text) || addr_parse(text->valuestring, &addr) < 0)
			return err_set(err, EINVAL, "%s.address: must be an IP address", path.text);
		if (!node_has_addr(node, &addr))
			node->addrs[node->n_addrs++] = addr;
	}
	return 0;
}

static int addrs_decode(struct node *node, const cJSON *status, struct err *err)
{
	struct path root = path_root("status");
	const cJSON *list;
	size_t n;
	int r = part_array(status, "addresses", &root, DECODE_ADDRS_MAX, &list, &n, err);

	if (r < 0 || n == 0)
		return r;
	node->addrs = calloc(n, sizeof(*node->addrs));
	if (!node->addrs)
		return err_set(err, ENOMEM, "status.addresses");
	r = addrs_of_type(node, list, "InternalIP", err);
	node->n_internal = node->n_addrs;
	return r < 0 ? r : addrs_of_type(node, list, "ExternalIP", err);
}

int decode_node(const cJSON *object, struct node **ret, struct err *err)
{
	auto_node struct node *node = calloc(1, sizeof(*node));
	const cJSON *spec = json_get(object, "spec"), *status = json_get(object, "status");
	int r;

	if (!node)
		return err_set(err, ENOMEM, "Node");
	r = part_names(object, NULL, NULL, &node->name, err);
	if (r < 0)
		return r;
	if (spec && !cJSON_IsObject(spec))
		return err_set(err, EINVAL, "spec: must be an object");
	if (status && !cJSON_IsObject(status))
		return err_set(err, EINVAL, "status: must be an object");
	r = ranges_decode(node, spec, err);
	if (r == 0)
		r = addrs_decode(node, status, err);
	if (r < 0)
		return r;
	*ret = TAKE(node);
	return 0;
}
