/* SPDX-License-Identifier: Apache-2.0 */
/* The user side of the tables: one handle over the pinned maps. */
#ifndef DATAPLANE_MAPS_H
#define DATAPLANE_MAPS_H

#include <bulkhead/abi.h>
#include <bulkhead/plan.h>
#include <bulkhead/reason.h>
#include <bulkhead/service_plan.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct maps;
/* Opens the pinned maps under root. -ENOENT: the daemon has never run here; -EPROTO:
 * they are of another version's layout. */
int maps_open(const char *root, struct maps **ret_maps, struct err *err);
struct maps *maps_free(struct maps *maps);

/* Held while an endpoint row is claimed or cleared; the caller closes it. -ESTALE: a
 * daemon of another layout has taken over since the maps were opened. */
int maps_lock(struct maps *maps, int *ret_fd, struct err *err);

/* Endpoint rows. claim: finds the slot for endpoint->ifindex (ABI: bh_endpoints),
 * zeroes its usage, counters and fragments and writes the row closed (BH_EP_OPEN
 * stripped). Callers hold maps_lock(). -ENOSPC: no
 * free slot in reach; -EEXIST: the ifindex has a row. */
int maps_endpoint_claim(struct maps *maps, const struct bh_endpoint *endpoint, uint32_t *ret_slot,
			struct err *err);
int maps_endpoint_get(struct maps *maps, uint32_t slot, struct bh_endpoint *ret, struct err *err);
/* Slot of an ifindex, or -ENOENT. */
int maps_endpoint_find(struct maps *maps, uint32_t ifindex, uint32_t *ret_slot, struct err *err);
/* Zeroes the row if it is still this ifindex's, and the bh_locals that point at
 * it. Nothing there is success. */
int maps_endpoint_release(struct maps *maps, uint32_t ifindex, struct err *err);

/* Ends BH_EP_GRACE: from now on only connections that were seen to open pass.
 * -ESTALE: the slot is another interface's. */
int maps_endpoint_grace_end(struct maps *maps, uint32_t slot, uint32_t ifindex, struct err *err);

int maps_local_set(struct maps *maps, const struct bh_addr *addr, uint32_t slot, struct err *err);
int maps_local_clear(struct maps *maps, const struct bh_addr *addr, struct err *err);
/* Replaces the set of the node's own addresses (BH_LOCAL_NODE). */
int maps_node_addrs_set(struct maps *maps, const struct bh_addr *addrs, size_t n, struct err *err);

/* Who may send through the tunnel: replaces settings and ranges (tunnel->lens is
 * filled in here). A range that stays is never missing meanwhile. -ENOSPC: more
 * ranges or different lengths than fit; then nothing was changed. */
struct maps_range {
	struct bh_prefix_key key;
	struct bh_range range;
};
int maps_tunnel_set(struct maps *maps, const struct bh_tunnel *tunnel, const struct maps_range *ranges,
		    size_t n, struct err *err);

/* Applies the writes in order; stops at the first failure, naming it. */
int maps_apply(struct maps *maps, const struct bh_write *writes, size_t n, struct err *err);

/* Counter of one endpoint, direction and reason, summed over CPUs. */
int maps_counters_get(struct maps *maps, uint32_t slot, uint64_t ret[2][BH_REASONS_MAX], struct err *err);
int maps_usage_get(struct maps *maps, uint32_t slot, struct bh_usage *ret, struct err *err);

/* Runs the kernel's own expiry over the flow records once. Returns how many
 * records remain (>= 0). */
int maps_flows_sweep(struct maps *maps, struct err *err);
/* Calls `each` for every record until it returns non-zero. */
int maps_flows_each(struct maps *maps,
		    int (*each)(const struct bh_flow_key *key, const struct bh_flow *flow, void *data),
		    void *data, struct err *err);

int maps_config_set(struct maps *maps, const struct bh_config *config, struct err *err);
/* BH_CONFIG_MOVING, and nothing else of the configuration. */
int maps_moving_set(struct maps *maps, bool moving, struct err *err);
int maps_events_fd(struct maps *maps);

/* Everything the kernel holds, for tables_adopt(). */
int maps_snapshot(struct maps *maps, struct bh_snapshot *ret_snapshot, struct err *err);
void maps_snapshot_done(struct bh_snapshot *snapshot);

/* Applies the writes in order; stops at the first failure, naming it. */
int maps_services_apply(struct maps *maps, const struct bh_service_write *writes, size_t n, struct err *err);
int maps_services_snapshot(struct maps *maps, struct bh_service_snapshot *ret_snapshot, struct err *err);
void maps_services_snapshot_done(struct bh_service_snapshot *snapshot);

#endif
