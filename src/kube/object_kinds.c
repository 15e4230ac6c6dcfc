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
	struct labels shared;
	int r = decode_namespace(json, &ns, err);

	if (r < 0)
		return r;
	if (labels_share(&ns->labels, &shared) < 0) {
		namespace_free(ns);
		return err_set(err, ENOMEM, "Namespace");
	}
	labels_done(&ns->labels);
	ns->labels = shared;
	*ret = ns;
	return r;
}

/* The problems that a policy carries are said when it is compiled and by lint. */
static int netpol_decode(const cJSON *json, void **ret, struct err *err)
{
	struct netpol *netpol = NULL, *compact;
	int r = decode_netpol(json, NULL, &netpol, err);

	if (r < 0)
		return r;
	compact = netpol_compact(netpol);
	netpol_free(netpol);
	if (!compact)
		return err_set(err, ENOMEM, "NetworkPolicy");
	*ret = netpol = compact;
	if (netpol->n_problems == 0)
		return 0;
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

static int service_decode(const cJSON *json, void **ret, struct err *err)
{
	struct service *service = NULL;
	int r = decode_service(json, NULL, &service, err);

	*ret = service;
	return r;
}

static int slice_decode(const cJSON *json, void **ret, struct err *err)
{
	struct endpoint_slice *slice = NULL;
	int r = decode_endpointslice(json, NULL, &slice, err);

	*ret = slice;
	return r;
}

static void service_drop(void *body)
{
	service_free(body);
}

static void slice_drop(void *body)
{
	endpoint_slice_free(body);
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

static struct object_names pod_names(const void *body)
{
	const struct pod *pod = body;

	return (struct object_names){ pod->namespace, pod->name, pod->uid };
}

static struct object_names netpol_names(const void *body)
{
	const struct netpol *netpol = body;

	return (struct object_names){ netpol->namespace, netpol->name, netpol->uid };
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
	.names = pod_names,
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
	.names = netpol_names,
};

const struct object_kind object_kind_service = {
	.name = "services",
	.kind = "Service",
	.list_kind = "ServiceList",
	.api_version = "v1",
	.path = "/api/v1/services",
	.change = CHANGE_SERVICE,
	.is_namespaced = true,
	.decode = service_decode,
	.free = service_drop,
};

/* Kubernetes before 1.21. */
static const struct object_kind object_kind_slice_beta = {
	.name = "endpointslices",
	.kind = "EndpointSlice",
	.list_kind = "EndpointSliceList",
	.api_version = "discovery.k8s.io/v1beta1",
	.path = "/apis/discovery.k8s.io/v1beta1/endpointslices",
	.change = CHANGE_SLICE,
	.is_namespaced = true,
	.decode = slice_decode,
	.free = slice_drop,
};

const struct object_kind object_kind_slice = {
	.name = "endpointslices",
	.kind = "EndpointSlice",
	.list_kind = "EndpointSliceList",
	.api_version = "discovery.k8s.io/v1",
	.path = "/apis/discovery.k8s.io/v1/endpointslices",
	.change = CHANGE_SLICE,
	.older = &object_kind_slice_beta,
	.is_namespaced = true,
	.decode = slice_decode,
	.free = slice_drop,
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
