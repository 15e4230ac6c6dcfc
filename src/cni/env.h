/* SPDX-License-Identifier: Apache-2.0 */
/* The CNI_* environment, checked by the rules of THREATS C18 before anything is
 * done with it. Strings point into the environment. */
#ifndef CNI_ENV_H
#define CNI_ENV_H

#include <stdbool.h>

#include "cni/failure.h"

/* Container ids and network names become parts of file names. */
#define CNI_ID_MAX 200

enum cni_command { CNI_NONE, CNI_ADD, CNI_DEL, CNI_CHECK, CNI_STATUS, CNI_GC, CNI_VERSION };

struct cni_env {
	enum cni_command command;
	const char *container_id;
	const char *netns; /* "" when not given; DEL does without */
	const char *ifname;
	const char *path;    /* where IPAM plugins are; "" when not given */
	bool netns_override; /* CNI_NETNS_OVERRIDE: the pod may live in our own namespace */
	char namespace[64];  /* from CNI_ARGS, all three "" when not given; read for ADD only */
	char pod[254];
	char uid[129];
};

int cni_env_read(struct cni_env *ret_env, struct failure *failure);

/* ^[a-zA-Z0-9][a-zA-Z0-9_.-]*$ and at most CNI_ID_MAX bytes. */
bool cni_id_valid(const char *id);
/* 1..15 printable ASCII bytes, not ".", "..", "all" or "default" (those two name
 * sysctl folders), without '/', ':' and space. */
bool cni_ifname_valid(const char *name);

#endif
