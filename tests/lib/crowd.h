/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large cluster for the benches, made up from numbers: pods of about 8 KiB with
 * everything that a real pod carries and nobody here reads, namespaces, policies.
 * The first CROWD_LOCAL_NAMESPACES namespaces hold the policies of this node, and
 * every pod of the cluster is a peer in one of those.
 */
#ifndef LIB_CROWD_H
#define LIB_CROWD_H

#include "lib/apiserver.h"

#define CROWD_LOCAL_NAMESPACES 20
#define CROWD_LOCAL_POLICIES   200

/* How large; set before anything else. Pods and policies are spread evenly. */
struct crowd {
	size_t pods, namespaces, policies;
};
extern struct crowd crowd;

void crowd_pod(struct text *out, size_t i, long version, bool with_kind);
void crowd_namespace(struct text *out, size_t i, long version, bool with_kind);
void crowd_policy(struct text *out, size_t i, long version, bool with_kind);

/* Pod i with another value of its app label (null: its own), and its status said
 * `again` times before. */
void crowd_pod_as(struct text *out, size_t i, long version, bool with_kind, const char *app,
		  unsigned int again);
size_t crowd_pod_namespace(size_t i);
/* The first pod of that namespace. */
size_t crowd_pod_of(size_t namespace);
void crowd_pod_name(char *out, size_t out_size, size_t i);
void crowd_pod_uid(char *out, size_t out_size, size_t i);
/* Dotted. */
void crowd_pod_addr(char *out, size_t out_size, size_t i);

#endif
