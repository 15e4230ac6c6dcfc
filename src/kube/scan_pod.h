/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods from their text without a tree of it: what enforcement needs is read, the rest
 * is skipped (base/json_scan.h). Pods are most of what a cluster says, and most of a
 * pod is of no concern here.
 *
 * Says nothing but yes. Where it is not sure, json_parse() and object_read() decide
 * and find the words; what it reads, they read the same way (decode.h).
 */
#ifndef KUBE_SCAN_POD_H
#define KUBE_SCAN_POD_H

#include "kube/objects.h"

/* One item of a list (ret_type null), or one ADDED, MODIFIED or DELETED event of a watch,
 * whose type *ret_type is then. JSON_SCAN_PAD bytes stand behind the text. 0: *ret is the
 * pod and ret_version (OBJECT_VERSION_MAX) is set as by object_read(), and the text is used up. 1: not sure,
 * and the text is as it was. -ENOMEM. */
int scan_pod(char *text, size_t len, const char **ret_type, char *ret_version, struct object **ret);

#endif
