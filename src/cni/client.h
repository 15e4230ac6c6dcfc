/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin asks the daemon over <runDir>/bulkhead.sock. */
#ifndef CNI_CLIENT_H
#define CNI_CLIENT_H

#include "cni/attachment.h"

/* Returns 0 once the pod's rows are in and the endpoint is open. No daemon, no
 * answer or "not yet" is CODE_TRY_LATER, a refusal CODE_DAEMON. */
int client_announce(const struct netconf *conf, const struct attachment *attachment, struct failure *failure);
/* Best effort: DEL must succeed without a daemon. */
void client_forget(const struct netconf *conf, const char *container_id, const char *ifname);
/* Would ADD work? CODE_NOT_AVAILABLE otherwise. */
int client_ready(const struct netconf *conf, struct failure *failure);

#endif
