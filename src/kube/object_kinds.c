// SPDX-License-Identifier: Apache-2.0
/* The kinds that are watched, and when two objects of a kind mean the same: most
 * events about a pod change nothing that policy could see. */
#include <errno.h>
#include <string.h>

#include "kube/decode.h"
#include "kube/objects.h"
#include "kube/scan_pod.h"

static bool pod_equal(const void *x, const void *y)
{
	const struct pod *a = x, *b = y;

	if (a->n_addrs != b->n_addrs || a->host_network != b->host_network || a->finished != b->finished ||
	    strcmp(a->uid, b->uid) != 0 || strcmp(a->node, b->node) != 0)
		return false;
	for (size_t i = 0; i < a->n_addrs; i++)
		if (!addr_equal(&a->addrs[i], &b->addrs[i]))
			return false;
	return pod_ports_equal(a, b) && labels_equal(&a->labels, &b->labels);
}

static bool namespace_equal(const void *x, const void *y)
{
	const struct namespace *a = x, *b = y;

	return a->posture == b->posture && a->terminating == b->terminating &&
	       labels_equal(&a->labels, &b->labels);
}

static int pod_decode(const cJSON *json, void **ret, struct err *err)
{
	struct pod *pod = NULL;
	int r = decode_pod(json, NULL, &pod, err);

	*ret = pod;
	return r;
}

static int namespace_decode(const cJSON *json, void **ret, struct err *err)
{
	struct namespace *ns = NULL;
	int r = decode_namespace(json, &ns, err);

	*ret = ns;
	return r;
}

/* The problems that a policy carries are said when it is compiled and by lint. */
static int netpol_decode(const cJSON *json, void **ret, struct err *err)
{
	struct netpol *netpol = NULL;
	int r = decode_netpol(json, NULL, &netpol, err);

	*ret = netpol;
	if (r < 0 || netpol->n_problems == 0)
		return r;
	err_set(err, EINVAL, "%s; what is invalid allows nothing", netpol->problems[0]);
	return 1;
}

/* A list must not tell ten thousand policies anew of which one changed. */
static bool policy_equal(const void *x, const void *y)
{
	return netpol_equal(x, y);
}

static bool node_equal(const void *x, const void *y)
{
	const struct node *a = x, *b = y;

	if (a->n_addrs != b->n_addrs || a->n_internal != b->n_internal || a->n_pod_ranges != b->n_pod_ranges)
		return false;
	for (size_t i = 0; i < a->n_addrs; i++)
		if (!addr_equal(&a->addrs[i], &b->addrs[i]))
			return false;
	for (size_t i = 0; i < a->n_pod_ranges; i++)
		if (!prefix_equal(&a->pod_ranges[i], &b->pod_ranges[i]))
			return false;
	return true;
}

static int node_decode(const cJSON *json, void **ret, struct err *err)
{
	struct node *node = NULL;
	int r = decode_node(json, &node, err);

	*ret = node;
	return r;
}

static void node_drop(void *body)
{
	node_free(body);
}

static void pod_drop(void *body)
{
	pod_free(body);
}

static void namespace_drop(void *body)
{
	namespace_free(body);
}

static void netpol_drop(void *body)
{
	netpol_free(body);
}

const struct object_kind object_kind_pod = {
	.name = "pods",
	.kind = "Pod",
	.list_kind = "PodList",
	.api_version = "v1",
	.path = "/api/v1/pods",
	.change = CHANGE_POD,
	.is_namespaced = true,
	.decode = pod_decode,
	.scan = scan_pod,
	.equal = pod_equal,
	.free = pod_drop,
};

const struct object_kind object_kind_namespace = {
	.name = "namespaces",
	.kind = "Namespace",
	.list_kind = "NamespaceList",
	.api_version = "v1",
	.path = "/api/v1/namespaces",
	.change = CHANGE_NAMESPACE,
	.decode = namespace_decode,
	.equal = namespace_equal,
	.free = namespace_drop,
};

const struct object_kind object_kind_netpol = {
	.name = "networkpolicies",
	.kind = "NetworkPolicy",
	.list_kind = "NetworkPolicyList",
	.api_version = "networking.k8s.io/v1",
	.path = "/apis/networking.k8s.io/v1/networkpolicies",
	.change = CHANGE_NETPOL,
	.is_namespaced = true,
	.decode = netpol_decode,
	.equal = policy_equal,
	.free = netpol_drop,
};

const struct object_kind object_kind_node = {
	.name = "nodes",
	.kind = "Node",
	.list_kind = "NodeList",
	.api_version = "v1",
	.path = "/api/v1/nodes",
	.change = CHANGE_NODE,
	.decode = node_decode,
	.equal = node_equal,
	.free = node_drop,
};
