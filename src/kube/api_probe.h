/* SPDX-License-Identifier: Apache-2.0 */
/* One question to the API server, waited for: for checks, never for the daemon. */
#ifndef KUBE_API_PROBE_H
#define KUBE_API_PROBE_H

#include "kube/api_http.h"

/* GET `target`; only the status counts, the body is thrown away, and a watch is over
 * with its head. ret_reply->error and ->what say why none came. -errno only when it
 * could not be asked at all. */
int api_probe(const struct api_config *config, const char *target, struct api_reply *ret_reply,
	      struct err *err);

#endif
