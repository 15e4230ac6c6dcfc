/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects from JSON into the model. Does not rely on the API server's
 * validation (R23): an invalid policy isolates what it selects, allows nothing
 * through the invalid part, and carries its problems by field.
 */
#ifndef KUBE_DECODE_H
#define KUBE_DECODE_H

#include "base/err.h"
#include "base/json.h"
#include "policy/model.h"

/* Each returns -EINVAL only when the object cannot be named (no metadata.name,
 * not an object); everything else that is wrong is inside the result. */
int decode_netpol(const cJSON *object, const char *default_namespace, struct netpol **ret, struct err *err);
int decode_pod(const cJSON *object, const char *default_namespace, struct pod **ret, struct err *err);
int decode_namespace(const cJSON *object, struct namespace **ret, struct err *err);
/* A workload's template as a pod without address; ret->workload is "Kind/name". */
int decode_workload(const cJSON *object, const char *default_namespace, struct pod **ret, struct err *err);
/* A labelSelector (matchLabels, matchExpressions); null object: absent. Problems
 * name `path`. */
int decode_selector(const cJSON *object, const char *path, struct selector *ret, struct err *err);

#endif
