/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who serves a Service's port now. From the EndpointSlices, as kube-proxy does:
 *   1. endpoints that are ready
 *   2. none of those: endpoints that still serve while they terminate
 *   3. internalTrafficPolicy Local: both only among the client's own node's
 * Conditions decide, not the Service's publishNotReadyAddresses, which whoever writes
 * the slices has read. A port is found in a slice by the Service port's name.
 *
 * Where no controller writes slices (manifests), the pods that the selector selects
 * stand for them; nothing says there who is ready, so all that run are.
 */
#ifndef SERVICE_BACKENDS_H
#define SERVICE_BACKENDS_H

#include <bulkhead/abi.h>

#include "policy/model.h"

/* What decides besides the objects of the Service itself. */
struct service_view {
	const struct pod *const *pods; /* for Services without slices; null: they have no backends */
	size_t n_pods;
	const char *node;					  /* this node's name, or empty */
	bool (*is_local)(const struct bh_addr *addr, void *data); /* is it a pod's here, or this node's? */
	void *data;
};

struct backends {
	struct bh_backend *v; /* in the order of bh_sorts_after(), each once */
	size_t n;
};

/* 0 or -ENOMEM. */
int backends_find(const struct service *service, const struct service_port *port, bool is_v6,
		  const struct endpoint_slice *const *slices, size_t n_slices,
		  const struct service_view *view, struct backends *ret);
void backends_done(struct backends *backends);

#endif
