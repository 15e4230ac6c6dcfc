/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes source: pods, namespaces, network policies and nodes of a cluster,
 * kept up to date by a watch each, in the shape of the manifest source. Whatever
 * happens to the server, the last confirmed objects stay. The process must ignore
 * SIGPIPE.
 */
#ifndef KUBE_CLUSTER_H
#define KUBE_CLUSTER_H

#include <stdbool.h>
#include <time.h>

#include "base/err.h"
#include "kube/api_config.h"
#include "kube/watch.h"
#include "policy/model.h"

/* pods, namespaces, networkpolicies, nodes; and, for translation, services and
 * endpointslices. */
#define CLUSTER_KINDS 6

struct cluster;

struct cluster_options {
	struct watch_timing timing;
	size_t max[CLUSTER_KINDS]; /* objects; 0: the default */
	bool without_services;	   /* services and endpointslices are not asked for */
	/* Problems, recoveries and what the watches do, one sentence each. */
	void (*report)(bool is_error, const char *message, void *data);
	void (*changed)(void *data); /* cluster_read() has something new; may not call back */
	void *data;
};

/* `config` is taken over (and emptied) on success. */
int cluster_new(struct api_config *config, const struct cluster_options *options, struct cluster **ret,
		struct err *err);
struct cluster *cluster_free(struct cluster *cluster);

/* The descriptor to wait for (readable), and what to call then. Never blocks. */
int cluster_fd(const struct cluster *cluster);
void cluster_drain(struct cluster *cluster);

/* Has every kind been known whole at least once? */
bool cluster_synced(const struct cluster *cluster);

/* What changed since the last read, in order: cluster_changes(), valid until the next
 * read. 1: something changed, 0: nothing did; CLUSTER_FIRST: the cluster is synced for the
 * first time, and cluster_each() tells all of it. What the changes before had as `old` is
 * freed here. */
#define CLUSTER_FIRST 2
int cluster_read(struct cluster *cluster);
const struct change *cluster_changes(const struct cluster *cluster, size_t *ret_n);
/* Is a policy gone among what was not read yet? */
bool cluster_loosens(const struct cluster *cluster);
/* Every object that was read, as new: for a reader that begins anew after cluster_read().
 * Nothing may be waiting to be read. */
void cluster_each(const struct cluster *cluster, void (*each)(const struct change *change, void *data),
		  void *data);
/* The newest object of that name; null: none, or not synced. Valid until the next cluster_read(). */
const struct pod *cluster_pod_for(const struct cluster *cluster, const char *namespace, const char *name);

struct cluster_kind_status {
	const char *name;  /* "pods" */
	const char *state; /* "cold", "listing", "watching", "waiting" */
	bool synced;
	bool degraded;
	time_t degraded_since; /* for people; nothing decides by it */
	const char *why;
	size_t objects;
	size_t unreadable; /* of them, known by name only */
	size_t faulty;	   /* of them, not as they are now: as they were, in part, or by name only */
	struct watch_counts counts;
};
unsigned int cluster_n_kinds(const struct cluster *cluster); /* that are watched */
struct cluster_kind_status cluster_status(const struct cluster *cluster, unsigned int kind);

#endif
