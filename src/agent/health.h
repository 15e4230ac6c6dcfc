/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong now, since when, in words: one line in the log at each change,
 * shown by status and /metrics until it is over. */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include <stdbool.h>
#include <time.h>

#include "base/err.h"
#include "base/json.h"

enum health_part {
	HEALTH_ENFORCE,	  /* the last change could not be brought into the kernel */
	HEALTH_ROOM,	  /* policies of some endpoints do not fit, so they are closed */
	HEALTH_PEERS,	  /* addresses of pods do not fit, so no selector matches them */
	HEALTH_MANIFESTS, /* a file is broken or the folder unreadable */
	HEALTH_CLUSTER,	  /* a kind of object is not up to date with the API server */
	HEALTH_NODE,	  /* the node's own addresses could not be read */
	HEALTH_EVENTS,	  /* the event ring cannot be read */
	HEALTH_STATE,	  /* state on disk and kernel disagree */
	HEALTH_CONFLIST,  /* the runtime's network configuration could not be written */
	HEALTH_SERVICES,  /* Services are not translated as they say */
	HEALTH_NETWORK,	  /* the network between nodes is not as it should be */
	HEALTH_PARTS,
};

struct health {
	struct {
		bool bad;
		time_t since;
		char why[ERR_MSG_MAX];
	} part[HEALTH_PARTS];
};

void health_bad(struct health *health, enum health_part part, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void health_good(struct health *health, enum health_part part);
bool health_degraded(const struct health *health);

/* {"since","reasons":[{"part","since","message"}]}, or JSON null when all is
 * well. Null pointer: out of memory. */
cJSON *health_json(const struct health *health);

#endif
