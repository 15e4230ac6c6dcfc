/* SPDX-License-Identifier: Apache-2.0 */
/* One write of a plan each; false: out of memory. */
#ifndef POLICY_WRITES_H
#define POLICY_WRITES_H

#include "policy/state.h"
#include "policy/tables.h"

bool write_port(struct plan *plan, uint32_t index, const struct bh_port *port);
bool write_verdict(struct plan *plan, uint32_t subject, uint32_t class, const struct row *row);
bool write_peer(struct plan *plan, const struct bh_addr *addr, uint32_t class);
bool write_prefix(struct plan *plan, const struct bh_prefix_key *prefix, uint32_t class);
bool write_endpoint(struct plan *plan, uint32_t slot, const struct endpoint_state *endpoint);
bool erase_verdict(struct plan *plan, uint32_t subject, uint32_t class);
bool erase_peer(struct plan *plan, const struct bh_addr *addr);
bool erase_prefix(struct plan *plan, const struct bh_prefix_key *prefix);

#endif
