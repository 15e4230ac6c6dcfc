/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the specification. Each returns 0 or -1 with the failure that
 * dispatch.c prints; a result is the caller's to print and delete. */
#ifndef CNI_COMMAND_H
#define CNI_COMMAND_H

#include <stdio.h>

#include "cni/netconf.h"

int cmd_add(const struct cni_env *env, const struct netconf *conf, cJSON **ret_result,
	    struct failure *failure);
int cmd_del(const struct cni_env *env, const struct netconf *conf, struct failure *failure);
int cmd_check(const struct cni_env *env, const struct netconf *conf, struct failure *failure);
int cmd_status(const struct cni_env *env, const struct netconf *conf, struct failure *failure);
int cmd_gc(const struct cni_env *env, const struct netconf *conf, struct failure *failure);
cJSON *cmd_version(void); /* null when out of memory */

/* The whole run of the plugin: environment, `config_fd` in, JSON to `out`. Returns
 * the exit code. */
int dispatch(int config_fd, FILE *out);

#endif
