/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backend serves a new connection to a Service, and as which of the client's
 * ports it goes there. Asked by connections that open, and by UDP flows after the
 * Services changed; TCP and SCTP stay with the backend they have until they end, so
 * that a terminating one can finish.
 */
#ifndef BPF_SERVICE_H
#define BPF_SERVICE_H

#include "bpf/cache.h"
#include "bpf/flow.h"
#include "bpf/nat.h"

#define SERVICE_PORT_TRIES 8

struct service_ask {
	__u64 now;
	__u32 hz;
	__u32 slot; /* of the client's endpoint */
	__u32 ifindex;
	__u16 bits;	/* enum packet_bits */
	__u16 services; /* service_gen() */
};

/* Could this be a front's address? */
static __always_inline bool front_is_near(const struct bh_addr *addr)
{
	__u32 zero = 0, v6 = !addr_is_mapped_v4(addr);
	const struct bh_service_gen *is = bpf_map_lookup_elem(&bh_service_gen, &zero);
	__u32 word = bpf_ntohl(v6 ? addr->w[0] : addr->w[3]);

	if (!is)
		return true;
	return v6 ? word - is->first[1] <= is->last[1] - is->first[1]
		  : word - is->first[0] <= is->last[0] - is->first[0];
}

/* What a translation needs beside its arguments, in scratch(). */
struct service_work {
	struct bh_affinity_key client; /* the front in it is what the client dialled */
	struct bh_service service;
	struct bh_backend backend;
	struct bh_affinity fresh;
	struct bh_flow_key key;
	struct bh_group_key group;
};
_Static_assert(sizeof(struct service_work) <= sizeof(struct bh_scratch), "scratch is too small");

static __always_inline bool backend_equal(const struct bh_backend *a, const struct bh_backend *b)
{
	return a->port == b->port && addr_eq(&a->addr, &b->addr);
}

static __always_inline bool group_has(const struct bh_group *group, const struct bh_backend *wanted)
{
	for (int i = 0; i < BH_GROUP_SIZE; i++) {
		if (backend_equal(&group->backend[i], wanted))
			return true;
	}
	return false; /* unused places have no port */
}

static __always_inline const struct bh_group *group_at(struct service_work *work, __u32 group)
{
	work->group.set = work->service.set;
	work->group.group = group;
	return bpf_map_lookup_elem(&bh_backends, &work->group);
}

/*
 * Does work->backend serve? It is in the last group that begins at or before it, in
 * the order in which user space sorted them. The same search as port_find()'s, for
 * the same reason; a global function, as verdict_ask() is.
 */
int backend_serves(void);

__noinline int backend_serves(void)
{
	struct service_work *work = scratch();
	const struct bh_group *found = NULL;
	__u32 base = 0;

	if (!work)
		return 0;
	for (__u32 step = BH_FRONT_BACKENDS / BH_GROUP_SIZE; step; step >>= 1) {
		const struct bh_group *group;

		if ((base + step - 1) * BH_GROUP_SIZE >= READ_ONCE(work->service.count))
			continue;
		group = group_at(work, base + step - 1);
		if (!group)
			return 0;
		if (!bh_sorts_after(&group->backend[0].addr, group->backend[0].port, &work->backend.addr,
				    work->backend.port)) {
			base += step;
			found = group;
		}
	}
	return found && group_has(found, &work->backend);
}

static __always_inline bool backend_draw(struct service_work *work)
{
	__u32 index = bpf_get_prandom_u32() % work->service.count;
	const struct bh_group *group = group_at(work, index / BH_GROUP_SIZE);

	if (!group)
		return false;
	work->backend = group->backend[index % BH_GROUP_SIZE];
	return true;
}

/* The backend this client was given last, if it still serves and was not idle for
 * too long; else one by lot. */
static __always_inline bool backend_choose(const struct service_ask *ask, struct service_work *work,
					   const struct tuple *client)
{
	struct bh_affinity *last;

	if (!work->service.affinity_s)
		return backend_draw(work);
	work->client.client = client->src;
	__builtin_memcpy(&work->client.front, &client->dst, sizeof(work->client.front));
	last = bpf_map_lookup_elem(&bh_affinity, &work->client);
	if (last && ask->now - last->used <= (__u64)work->service.affinity_s * ask->hz) {
		work->backend = last->backend;
		if (backend_serves()) {
			WRITE_ONCE(last->used, ask->now);
			return true;
		}
	}
	if (!backend_draw(work))
		return false;
	work->fresh.used = ask->now;
	work->fresh.backend = work->backend;
	work->fresh.pad = 0;
	bpf_map_update_elem(&bh_affinity, &work->client, &work->fresh, BPF_ANY);
	return true;
}

enum tuple_state {
	TUPLE_FREE,
	TUPLE_OURS, /* the live record of this very connection */
	TUPLE_TAKEN,
};

/* Of the connection from `client` by way of `leaves`. */
static __always_inline enum tuple_state tuple_state(const struct service_ask *ask, struct service_work *work,
						    const struct tuple *client, const struct tuple *leaves)
{
	const struct bh_flow *flow;

	flow_key_fill(&work->key, leaves);
	flow = flow_find(&work->key);
	if (!flow || !flow_is_live(flow, ask->now))
		return TUPLE_FREE;
	if (flow->nat_kind == BH_NAT_REAL &&
	    nat_equal(&flow->nat, &client->dst, client->dport, client->sport))
		return TUPLE_OURS;
	return TUPLE_TAKEN;
}

enum service_answer {
	SERVICE_NONE,	/* not for a Service */
	SERVICE_KNOWN,	/* of a connection that has its records */
	SERVICE_OPENED, /* the client's tuple needs a record */
	SERVICE_MOVED,	/* and the one it has led elsewhere until now */
	SERVICE_FRESH,	/* and under the one it leaves by nothing lives */
};

/* The client may talk to this backend already, directly or by another Service, from
 * the same port: then it goes there from another one. */
static __always_inline int client_port_choose(const struct service_ask *ask, struct service_work *work,
					      const struct tuple *client, struct tuple *leaves)
{
#pragma unroll
	for (int i = 0; i < SERVICE_PORT_TRIES; i++) {
		enum tuple_state state = tuple_state(ask, work, client, leaves);

		if (state != TUPLE_TAKEN)
			return state == TUPLE_FREE ? SERVICE_FRESH : SERVICE_OPENED;
		leaves->sport = bpf_htons(1024 + bpf_get_prandom_u32() % (65536 - 1024));
	}
	return -BH_SERVICE_NAT;
}

static __always_inline const struct bh_service *service_row(const struct tuple *client)
{
	struct bh_front front;

	__builtin_memcpy(&front, &client->dst, sizeof(front));
	return bpf_map_lookup_elem(&bh_services, &front);
}
_Static_assert(sizeof(struct tuple) - offsetof(struct tuple, dst) == sizeof(struct bh_front) &&
		       offsetof(struct tuple, proto) - offsetof(struct tuple, dst) ==
			       offsetof(struct bh_front, proto),
	       "a tuple ends in a front");

/* A connection that opens, or a UDP flow that asks again: `has` its backend in
 * `leaves`. */
static __always_inline int service_open(const struct service_ask *ask, struct service_work *work,
					const struct bh_service *row, const struct tuple *client,
					struct tuple *leaves, bool has)
{
	struct bh_nat nat;
	int r;

	if (!row)
		row = service_row(client);
	if (!row)
		return SERVICE_NONE;
	work->service = *row;
	if (work->service.count == 0)
		return -BH_NO_BACKEND;
	work->backend.addr = leaves->dst;
	work->backend.port = leaves->dport;
	if (has && backend_serves())
		return SERVICE_KNOWN;
	if (!backend_choose(ask, work, client))
		return -BH_NO_BACKEND;
	nat.addr = work->backend.addr;
	nat.port = work->backend.port;
	nat.client_port = client->sport;
	nat_tuple(client, &nat, leaves);
	r = client_port_choose(ask, work, client, leaves);
	return has && r > 0 ? SERVICE_MOVED : r;
}

static __always_inline bool alias_is_own(const struct service_ask *ask, const struct tuple *client,
					 const struct bh_flow *flow)
{
	const struct bh_flow_end *own =
		&flow->end[bh_sorts_after(&client->src, client->sport, &client->dst, client->dport)];

	return flow->nat_kind == BH_NAT_ALIAS && own->ifindex == ask->ifindex && own->slot == ask->slot;
}

/*
 * What a pod sent as `client` leaves as `leaves`; `flow` is the record under
 * `client`, or null, and `row` its Service, or null when that was not asked yet. An
 * enum service_answer, or a negative reason. A global function, as verdict_ask() is.
 */
int service_translate(const struct service_ask *ask, const struct tuple *client, struct tuple *leaves,
		      struct bh_flow *flow, const struct bh_service *row);

__noinline int service_translate(const struct service_ask *ask, const struct tuple *client,
				 struct tuple *leaves, struct bh_flow *flow, const struct bh_service *row)
{
	struct service_work *work = scratch();
	bool has = false;
	int r;

	if (!ask || !client || !leaves || !work)
		return -BH_SERVICE_NAT;
	*leaves = *client;
	if (flow && alias_is_own(ask, client, flow)) {
		nat_tuple(client, &flow->nat, leaves);
		has = tuple_state(ask, work, client, leaves) == TUPLE_OURS;
		if (has && !(ask->bits & PKT_SYN) &&
		    (client->proto != IPPROTO_UDP || flow->services == ask->services ||
		     (ask->bits & PKT_FRAG_LATER)))
			return SERVICE_KNOWN;
	}
	if ((ask->bits & PKT_FRAG_LATER) || (client->proto == IPPROTO_TCP && !(ask->bits & PKT_SYN)))
		return SERVICE_NONE;
	r = service_open(ask, work, row, client, leaves, has);
	if (flow && (r == SERVICE_NONE || r == SERVICE_KNOWN))
		WRITE_ONCE(flow->services, ask->services);
	return r;
}

/* Must the Services be asked? Never for a packet of a known connection of its own,
 * but of UDP once after they changed. */
static __always_inline bool service_concerns(const struct pass *pass, const struct flow_view *view)
{
	const struct bh_flow *flow = view->flow;

	if (!flow || !flow_is_live(flow, pass->now) || (pass->pkt.bits & PKT_SYN))
		return proto_has_ports(pass->pkt.proto);
	if (flow->nat_kind == BH_NAT_ALIAS)
		return true;
	return pass->pkt.proto == IPPROTO_UDP && flow->nat_kind == BH_NAT_NONE &&
	       flow->services != pass->services && !flow_is_reply(view);
}

/* What a pod sends, translated if it is for a Service. An enum service_answer, or a
 * negative reason. */
static __always_inline int service_apply(struct pass *pass, struct flow_view *view)
{
	struct service_ask ask = {
		.now = pass->now,
		.hz = pass->config->hz,
		.slot = pass->own.slot,
		.ifindex = pass->own.row->ifindex,
		.bits = pass->pkt.bits,
		.services = pass->services,
	};
	const struct bh_service *row = NULL;
	bool has_alias = view->flow && view->flow->nat_kind == BH_NAT_ALIAS;
	int r;

	if (!has_alias && front_is_near(&pass->pkt.dst) && flow_may_open(&pass->pkt) == 0)
		row = service_row(&pass->pkt.tuple);
	if (likely(!has_alias && !row)) {
		if (view->flow)
			WRITE_ONCE(view->flow->services, pass->services);
		return SERVICE_NONE;
	}
	pass->other = pass->pkt.tuple;
	r = service_translate(&ask, &pass->other, &pass->pkt.tuple, view->flow, row);
	if (r <= SERVICE_NONE) {
		pass->pkt.tuple = pass->other;
		return r;
	}
	/* Another address of the same pod: it could not tell who speaks. */
	if (!addr_eq(&pass->other.src, &pass->pkt.dst) && endpoint_owns(pass->own.row, &pass->pkt.dst))
		return -BH_SERVICE_NAT;
	pass->nat = NAT_FORWARD;
	pass->alias_due = r >= SERVICE_OPENED;
	pass->is_moved = r == SERVICE_MOVED;
	return r;
}

/* The second record of a translated connection, found by the client's own tuple. */
static __always_inline int alias_open(struct pass *pass, struct bh_flow_key *key, struct flow_view *view)
{
	int r;

	view->src_is_hi = flow_key_fill(key, &pass->other);
	view->flow = NULL; /* flow_put() looks when it must */
	r = flow_write(pass, key, view, view->src_is_hi * BH_FLOW_OPENER_HI, BH_NAT_ALIAS);
	if (unlikely(pass->is_moved))
		cache_renounce();
	return r;
}

#endif
