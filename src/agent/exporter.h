/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics, /healthz and /readyz on a TCP port, for Prometheus and the kubelet. */
#ifndef AGENT_EXPORTER_H
#define AGENT_EXPORTER_H

#include "agent/agent.h"

/* Setting "none": success and a null exporter. */
int exporter_open(struct agent *agent, struct exporter **ret_exporter, struct err *err);
struct exporter *exporter_free(struct exporter *exporter);

#endif
