/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: HTTP with JSON for the plugin and the operator's tool. Who
 * may connect is decided by the socket's mode; who may write by the peer's
 * credentials.
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include "agent/agent.h"

int control_open(struct agent *agent, struct control **ret_control, struct err *err);
struct control *control_free(struct control *control);

/* After each recompile: answers the attachments whose endpoints are open now. */
void control_settle(struct control *control);
/* A new line for those who follow drops. */
void control_event(struct control *control, const char *line);

#endif
