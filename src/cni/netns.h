/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNI_NETNS_H
#define CNI_NETNS_H

#include "cni/env.h"

/* Opens CNI_NETNS after checking that it is a network namespace other than our
 * own. A missing path is CODE_UNKNOWN_CONTAINER, anything else CODE_NETNS. */
int netns_open(const struct cni_env *env, int *ret_fd, struct failure *failure);

#endif
