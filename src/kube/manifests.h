/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest source: a folder of YAML and JSON files read as a cluster's
 * objects. Pod, Namespace, NetworkPolicy, Service, EndpointSlice, Node, List,
 * and workloads with a pod template (Deployment, StatefulSet, DaemonSet, Job,
 * ReplicaSet, CronJob). Unknown kinds are skipped with a word.
 *
 * A broken file is reported with file, line and field; the last good objects of
 * that file stay. Of a file that was never good, the objects that can be read
 * count: its policies isolate more than none would. While the folder is watched,
 * the objects of a file that disappears stay for a moment, so that an editor's
 * save by rename opens nothing.
 */
#ifndef KUBE_MANIFESTS_H
#define KUBE_MANIFESTS_H

#include <stdbool.h>

#include "base/err.h"
#include "policy/change.h"

struct manifests;

enum manifest_news {
	MANIFEST_SKIPPED, /* an object of a kind that is not read */
	MANIFEST_PROBLEM, /* an object says what it cannot mean, or is there twice; the file counts */
	MANIFEST_BROKEN,  /* the file cannot be read whole: its last good objects stay */
};

/* Called for every problem and every skipped object: "file:line: what". */
typedef void (*manifests_report_fn)(enum manifest_news news, const char *message, void *data);

/* default_namespace is for objects that name none ("default"). */
int manifests_new(const char *folder, const char *default_namespace, manifests_report_fn report, void *data,
		  struct manifests **ret_manifests, struct err *err);
struct manifests *manifests_free(struct manifests *manifests);

/* Reads what changed since the last call (all of it the first time). 1: the
 * objects changed, 0: they did not, negative: the folder itself cannot be read or
 * -ENOMEM, and the world stays. A broken file is a report, not an error. */
int manifests_read(struct manifests *manifests, struct err *err);

/* A descriptor that is readable when manifests_read() should be called again,
 * after manifests_drain(). Readable at once after the first call: what changed
 * before it was watched is in no event. Belongs to `manifests`. */
int manifests_fd(struct manifests *manifests, struct err *err);
void manifests_drain(struct manifests *manifests);

/* Broken files now: 0 is healthy. */
size_t manifests_broken(const struct manifests *manifests);

/* What led from the world before the last manifests_read() that succeeded to the one
 * after it, in order. Old bodies are readable until the next that succeeds. */
const struct change *manifests_changes(const struct manifests *manifests, size_t *ret_n);

/* Every object as of the last read, as new: for a reader that begins anew. */
void manifests_each(const struct manifests *manifests, void (*each)(const struct change *change, void *data),
		    void *data);

/* The objects as of the last read. The posture is left alone. Pods include one per workload
 * template (struct pod.workload set, no address). An object that two files
 * define is reported; the later file name wins. */
const struct world *manifests_world(const struct manifests *manifests);

/* Fills in pods that a workload's template stands for: the pod
 * namespace/name (a CNI attachment) takes the labels and named ports of the
 * workload that would own a pod of that name. Null when no object describes it.
 * Match order: the Pod object, a workload whose name is the pod's name, the
 * longest workload name that is followed by "-" in the pod's name. */
const struct pod *manifests_pod_for(const struct manifests *manifests, const char *namespace,
				    const char *name);

#endif
