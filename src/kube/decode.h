/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects from JSON into the model. Does not rely on the API server's
 * validation (R23): an invalid policy isolates what it selects, allows nothing
 * through the invalid part, and carries its problems by field.
 *
 * A null member counts as absent, as it does in the API server. An object or
 * list that has members we do not know is never read as if they were not there.
 */
#ifndef KUBE_DECODE_H
#define KUBE_DECODE_H

#include "base/err.h"
#include "base/json.h"
#include "policy/model.h"

/* -EINVAL only when the object cannot be named (no metadata.name, not an
 * object); everything else that is wrong is inside the result. */
int decode_netpol(const cJSON *object, const char *default_namespace, struct netpol **ret, struct err *err);

/* -EINVAL naming the field also when labels or hostNetwork cannot be read: an
 * unknown pod stays closed, a half-read one could slip out of its isolation.
 * Addresses and ports that are wrong are left out; both only ever allow.
 * struct named_port.name is "" for a port that is declared by number only. */
int decode_pod(const cJSON *object, const char *default_namespace, struct pod **ret, struct err *err);

/* A workload's template as a pod without address, under the workload's name;
 * ret->workload is "Kind/name". */
int decode_workload(const cJSON *object, const char *default_namespace, struct pod **ret, struct err *err);

/* -EINVAL naming the field when names, selector or a port cannot be read: a hint
 * from half a Service would mislead. */
int decode_service(const cJSON *object, const char *default_namespace, struct service **ret, struct err *err);

/* -EINVAL naming the field when a part cannot be read, or names an address that no
 * Service may lead to (loopback, link-local, multicast, unspecified). */
int decode_endpointslice(const cJSON *object, const char *default_namespace, struct endpoint_slice **ret,
			 struct err *err);

/* -EINVAL naming the field when an address or a range cannot be read: a route from
 * half a Node would lead somewhere else. An address type that is not Internal or
 * External is passed over. */
int decode_node(const cJSON *object, struct node **ret, struct err *err);

/* 1: decoded, but the posture annotation is none of standard, deny, audit; it
 * counts as unset and err says so. */
int decode_namespace(const cJSON *object, struct namespace **ret, struct err *err);

/* A labelSelector (matchLabels, matchExpressions); null object: absent. On
 * -EINVAL ret is a selector that matches nothing and err names the field under
 * `path`. */
int decode_selector(const cJSON *object, const char *path, struct selector *ret, struct err *err);

#endif
