// SPDX-License-Identifier: Apache-2.0
#include "policy/writes.h"

#include <stdlib.h>
#include <string.h>

void plan_done(struct plan *plan)
{
	free(plan->v);
	*plan = (struct plan){ 0 };
}

/* Zeroed whole: plans are compared by their bytes. */
static struct bh_write *add(struct plan *plan, enum bh_write_kind kind)
{
	struct bh_write *write;

	if (!array_reserve(&plan->v, &plan->cap, plan->n, sizeof(*plan->v)))
		return NULL;
	write = &plan->v[plan->n++];
	memset(write, 0, sizeof(*write));
	write->kind = kind;
	return write;
}

bool write_port(struct plan *plan, uint32_t index, const struct bh_port *port)
{
	struct bh_write *write = add(plan, BH_WRITE_PORT);

	if (!write)
		return false;
	write->port.index = index;
	write->port.port = *port;
	return true;
}

bool write_verdict(struct plan *plan, uint32_t subject, uint32_t class, const struct row *row)
{
	struct bh_write *write = add(plan, BH_WRITE_VERDICT);

	if (!write)
		return false;
	write->verdict.key = (struct bh_verdict_key){ .subject = subject, .peer = class };
	write->verdict.verdict = row_verdict(row);
	return true;
}

bool erase_verdict(struct plan *plan, uint32_t subject, uint32_t class)
{
	struct bh_write *write = add(plan, BH_ERASE_VERDICT);

	if (!write)
		return false;
	write->verdict.key = (struct bh_verdict_key){ .subject = subject, .peer = class };
	return true;
}

static bool peer_put(struct plan *plan, enum bh_write_kind kind, const struct bh_addr *addr, uint32_t class)
{
	struct bh_write *write = add(plan, kind);

	if (!write)
		return false;
	write->peer.addr = *addr;
	write->peer.class = class;
	return true;
}

bool write_peer(struct plan *plan, const struct bh_addr *addr, uint32_t class)
{
	return peer_put(plan, BH_WRITE_PEER, addr, class);
}

bool erase_peer(struct plan *plan, const struct bh_addr *addr)
{
	return peer_put(plan, BH_ERASE_PEER, addr, 0);
}

static bool prefix_put(struct plan *plan, enum bh_write_kind kind, const struct bh_prefix_key *prefix,
		       uint32_t class)
{
	struct bh_write *write = add(plan, kind);

	if (!write)
		return false;
	write->prefix.prefix = *prefix;
	write->prefix.class = class;
	return true;
}

bool write_prefix(struct plan *plan, const struct bh_prefix_key *prefix, uint32_t class)
{
	return prefix_put(plan, BH_WRITE_PREFIX, prefix, class);
}

bool erase_prefix(struct plan *plan, const struct bh_prefix_key *prefix)
{
	return prefix_put(plan, BH_ERASE_PREFIX, prefix, 0);
}

bool write_endpoint(struct plan *plan, uint32_t slot, const struct endpoint_state *endpoint)
{
	struct bh_write *write = add(plan, BH_WRITE_ENDPOINT);

	if (!write)
		return false;
	write->endpoint.slot = slot;
	write->endpoint.ifindex = endpoint->ifindex;
	write->endpoint.flags = endpoint->flags;
	write->endpoint.egress = endpoint->number[BH_EGRESS];
	write->endpoint.ingress = endpoint->number[BH_INGRESS];
	write->endpoint.revision = endpoint->revision;
	return true;
}
