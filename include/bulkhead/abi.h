/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What crosses the line between the kernel programs and user space: the keys
 * and values of every pinned map.
 *
 * All addresses are 16 bytes in network order; IPv4 travels v4-mapped
 * (::ffff:a.b.c.d), so one key type serves both families.
 *
 * Upgrade rule: whoever changes a layout raises BH_ABI, and lets records grow only
 * at their end, by fields whose zero means what was before. Then the daemon hands
 * live hooks over from the older layout without a gap (dataplane/handover.h).
 * Every other difference it refuses in words.
 */
#ifndef BULKHEAD_ABI_H
#define BULKHEAD_ABI_H

#include <linux/types.h>

#define BH_ABI 2

#define BH_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " changed its size")

/* Limits. Each is checked before a commit, never met by surprise. */
#define BH_ENDPOINTS_MAX  1024	 /* endpoints on this node */
#define BH_ENDPOINT_PROBE 8	 /* slots tried for one ifindex */
#define BH_ENDPOINT_ADDRS 4	 /* addresses of one endpoint */
#define BH_LOCALS_MAX	  8192	 /* endpoint and node addresses on this node */
#define BH_PEERS_MAX	  262144 /* addresses with a peer class of their own */
#define BH_PREFIXES_MAX	  16384	 /* prefixes with a peer class */
#define BH_VERDICTS_MAX	  262144 /* (subject, peer) rows */
#define BH_PORTS_MAX	  65536	 /* port ranges over all lists */
#define BH_PORT_LIST_MAX  4096	 /* port ranges in one list */
#define BH_FLOWS_MAX	  262144 /* flow records */
#define BH_FRAG_WAYS	  64	 /* fragment records per endpoint */
#define BH_FRONTS_MAX	  65536	 /* Service addresses, each with a port and a protocol */
#define BH_GROUPS_MAX	  262144 /* groups of backends */
#define BH_GROUP_SIZE	  8	 /* backends in a group */
#define BH_FRONT_BACKENDS 8192	 /* backends of one front */
#define BH_AFFINITIES_MAX 32768	 /* clients that a front remembers, over all fronts */
#define BH_EVENTS_BYTES	  (1 << 20)
#define BH_RANGES_MAX	  32768 /* pod ranges of the cluster's nodes */
#define BH_RANGE_LENS	  8	/* different lengths among them */

/* Map names (under 16 characters); dataplane/pins.h says where they are pinned. */
#define BH_MAP_CONFIG	   "bh_config"
#define BH_MAP_ENDPOINTS   "bh_endpoints"
#define BH_MAP_LOCALS	   "bh_locals"
#define BH_MAP_PEERS	   "bh_peers"
#define BH_MAP_PREFIXES	   "bh_prefixes"
#define BH_MAP_PREFIX_LIST "bh_prefix_list"
#define BH_MAP_VERDICTS	   "bh_verdicts"
#define BH_MAP_PORTS	   "bh_ports"
#define BH_MAP_FLOWS	   "bh_flows"
#define BH_MAP_SWEEPS	   "bh_sweeps"
#define BH_MAP_FRAGS	   "bh_frags"
#define BH_MAP_SERVICES	   "bh_services"
#define BH_MAP_BACKENDS	   "bh_backends"
#define BH_MAP_AFFINITY	   "bh_affinity"
#define BH_MAP_SERVICE_GEN "bh_service_gen"
#define BH_MAP_USAGE	   "bh_usage"
#define BH_MAP_EVENTS	   "bh_events"
#define BH_MAP_COUNTERS	   "bh_counters"
#define BH_MAP_TUNNEL	   "bh_tunnel"
#define BH_MAP_RANGES	   "bh_ranges"
#define BH_MAP_NEXT	   "bh_next"
#define BH_MAP_FLOWS_PREV  "bh_flows_prev"

#define BH_PROG_FROM_POD "bh_from_pod"
#define BH_PROG_TO_POD	 "bh_to_pod"
#define BH_PROG_SWEEP	 "bh_sweep"
#define BH_PROG_DECAP	 "bh_decap"
#define BH_PROG_ENCAP	 "bh_encap"

struct bh_addr {
	union {
		__u8 b[16];
		__u32 w[4];
	};
};
BH_ASSERT_SIZE(struct bh_addr, 16);

/*
 * 1 where (a, a_port) sorts after (b, b_port), compared as bytes, else 0: the order of
 * the two ends in a flow's key, and of the backends in a set. It is the borrow of b - a
 * and takes no branch: each would double what the verifier has to follow.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BH_BE32(x) __builtin_bswap32(x)
#define BH_BE16(x) __builtin_bswap16(x)
#else
#define BH_BE32(x) (x)
#define BH_BE16(x) (x)
#endif
static inline __u64 bh_sorts_after(const struct bh_addr *a, __be16 a_port, const struct bh_addr *b,
				   __be16 b_port)
{
	__u64 borrow = ((__u64)BH_BE16(b_port) - BH_BE16(a_port)) >> 63;

	for (int i = 3; i >= 0; i--)
		borrow = ((__u64)BH_BE32(b->w[i]) - BH_BE32(a->w[i]) - borrow) >> 63;
	return borrow;
}

/* Direction as NetworkPolicy says it: seen from the pod. */
enum bh_direction {
	BH_EGRESS = 0,
	BH_INGRESS = 1,
};

enum bh_action {
	BH_DENY = 0,
	BH_ALLOW = 1,
	BH_AUDIT = 2, /* allowed, and reported as what would have been dropped */
};

/* bh_config[0]. Written by the daemon, read by every program. `abi` and `flags` keep
 * their place in every layout. */
enum bh_config_flags {
	BH_CONFIG_DROP_FRAGMENTS = 1 << 0,
	BH_CONFIG_ALLOW_EXT_HEADERS = 1 << 1, /* IPv6 HBH, DestOpt, Routing but RH0/RH2 */
	BH_CONFIG_ALLOW_ENCAP = 1 << 2,	      /* protocols 4, 41, 47 by port-less rules */
	BH_CONFIG_KEEP_FLOWS = 1 << 3,	      /* R19's setting: live flows survive a policy change */
	BH_CONFIG_MOVING = 1 << 29,	      /* an interface may have filters and links: bpf/moving.h */
	BH_CONFIG_HANDED_OVER = 1 << 30,      /* bh_next has the programs that judge now */
};

struct bh_config {
	__u32 abi;	  /* BH_ABI */
	__u32 flags;	  /* enum bh_config_flags */
	__u32 hz;	  /* kernel ticks per second */
	__u32 flow_quota; /* flow records one endpoint may cause */
	__u32 event_rate; /* events per second and endpoint */
	__u32 tcp_syn_s;  /* life of a flow that has seen no reply */
	__u32 tcp_established_s;
	__u32 tcp_closing_s;
	__u32 udp_s;
	__u32 other_s; /* ICMP echo and port-less protocols */
	__u32 frag_s;
	__be16 tunnel_port; /* pods never send UDP to it, wherever to (S14); 0: none */
	__u16 pad;
};
BH_ASSERT_SIZE(struct bh_config, 48);

/*
 * bh_endpoints[slot]: one pod interface. The slot is ifindex modulo
 * BH_ENDPOINTS_MAX or one of the following BH_ENDPOINT_PROBE - 1 (wrapping);
 * ifindex tells whose it is, 0 is free. The plugin claims a slot under a lock
 * with flags without BH_EP_OPEN (closed: everything drops); the daemon opens
 * it by policy; DEL zeroes it.
 *
 * The array is mapped into user space and written there by ordered stores.
 * `egress` and `ingress` share one 8-byte word, so both flip together, and
 * `revision` is stored after them: a packet that reads the revision first can
 * stamp new subjects with the old revision (judged once more, no harm), never
 * old subjects with the new one.
 */
enum bh_endpoint_flags {
	BH_EP_OPEN = 1 << 0,	/* policy is in place; absent: drop all (CLOSED) */
	BH_EP_ROUTED = 1 << 1,	/* our own point-to-point veth: frames go to the host
				 * side's MAC, local delivery may skip the stack */
	BH_EP_TO_NODE = 1 << 2, /* R16: pod to its own node needs no rule */
	BH_EP_GRACE = 1 << 3,	/* attached to a pod that already talked */
};

struct bh_endpoint {
	__u32 ifindex; /* host side of the veth; 0: free slot */
	__u32 flags;   /* enum bh_endpoint_flags */
	__u32 egress;  /* subject; 0: not isolated in this direction */
	__u32 ingress;
	__u32 revision;	  /* of this endpoint's policy; only grows, never 0 when open */
	__u32 last;	  /* free slot: the ifindex that had it last. User space only */
	__u8 mac[6];	  /* the pod's */
	__u8 host_mac[6]; /* of the host side */
	__u32 pad2;
	struct bh_addr addr[BH_ENDPOINT_ADDRS]; /* all zero: unused. fe80:: included */
};
BH_ASSERT_SIZE(struct bh_endpoint, 104);

/* bh_locals: address -> who has it here. Written by the daemon; DEL removes. */
#define BH_LOCAL_NODE 0xffffffffu
struct bh_local {
	__u32 slot; /* bh_endpoints index, or BH_LOCAL_NODE for the node's own */
};
BH_ASSERT_SIZE(struct bh_local, 4);

/* bh_peers: struct bh_addr -> __u32 class. Asked first, exact.
 * bh_prefixes: struct bh_prefix_key -> __u32 class. Asked when bh_peers misses.
 * Class 0 (BH_PEER_ANY) is what neither knows: matched by no selector or block.
 * bh_prefix_list: the same rows as a plain hash, for user space only. Walking a
 * trie writes out of bounds in kernels before 6.12 (THREATS C24), so a restart
 * reads this list instead. Written before the trie, erased after it. */
#define BH_PEER_ANY 0
struct bh_prefix_key {
	__u32 len; /* 0..128, over the v4-mapped form: an IPv4 /8 is 104 */
	struct bh_addr addr;
};
BH_ASSERT_SIZE(struct bh_prefix_key, 20);

/*
 * bh_verdicts: (subject, peer class) -> port list. A present row is complete
 * in itself. Absent: the row (subject, BH_PEER_ANY) counts; absent too: deny.
 * Subject 0 means "not isolated" and is never looked up.
 */
struct bh_verdict_key {
	__u32 subject;
	__u32 peer;
};
BH_ASSERT_SIZE(struct bh_verdict_key, 8);

struct bh_verdict {
	__u32 first; /* index of the list's first entry in bh_ports */
	__u16 count; /* entries, at most BH_PORT_LIST_MAX */
	__u8 rest;   /* enum bh_action for what no entry covers, port-less protocols included */
	__u8 pad;
};
BH_ASSERT_SIZE(struct bh_verdict, 8);

/*
 * bh_ports[i]: one range of a port list. Within a list entries are sorted by
 * (proto, first) and disjoint, so a binary search decides. Lists are immutable
 * while a row refers to them; their space is used again only after a grace
 * period.
 */
struct bh_port {
	__u16 first; /* host order, inclusive */
	__u16 last;
	__u8 proto;  /* IPPROTO_TCP, _UDP or _SCTP */
	__u8 action; /* enum bh_action */
	__u16 pad;
};
BH_ASSERT_SIZE(struct bh_port, 8);

/*
 * bh_flows: one record for both directions. The key is direction-free: the
 * end that bh_sorts_after() is `hi`. ICMP echo uses the id as
 * the requester's port and BH_ECHO_PORT as the other's; port-less protocols use
 * 0 and 0. Created, judged again, expired and deleted only in the kernel.
 *
 * A connection to a Service has two records, found from its two tuples. The one
 * under (client, backend) is the connection: judged, touched, expired; its `nat`
 * is what the client dialled. The one under (client, Service) is an alias: its
 * `nat` is where that went, and it lives exactly as long as the other one
 * (bpf/sweep.h). Both are charged to the client.
 */
#define BH_ECHO_PORT 8 /* host order */
struct bh_flow_key {
	struct bh_addr lo;
	struct bh_addr hi;
	__be16 lo_port;
	__be16 hi_port;
	__u8 proto;
	__u8 pad[3];
};
BH_ASSERT_SIZE(struct bh_flow_key, 40);

enum bh_flow_state {
	BH_FLOW_REPLIED = 1 << 0,   /* both directions seen */
	BH_FLOW_CLOSING = 1 << 1,   /* FIN or RST seen: lives tcp_closing_s more */
	BH_FLOW_OPENER_HI = 1 << 2, /* the `hi` end opened it */
	BH_FLOW_AUDITED = 1 << 3,   /* passes by BH_AUDIT */
	BH_FLOW_NODE = 1 << 4,	    /* the node itself opened it (R16): never judged */
	BH_FLOW_OPENER_FIN = 1 << 5,
	BH_FLOW_ANSWER_FIN = 1 << 6,
	BH_FLOW_CLOSED = BH_FLOW_OPENER_FIN | BH_FLOW_ANSWER_FIN, /* both have said all */
};

/* ends[0] is lo's, ends[1] is hi's. ifindex 0: that end is not on this node. */
struct bh_flow_end {
	__u32 ifindex;
	__u32 slot;
	__u32 revision; /* of the endpoint when it judged this flow */
};

enum bh_nat_kind {
	BH_NAT_NONE = 0,
	BH_NAT_ALIAS = 1, /* nat: the backend, and the client's port towards it */
	BH_NAT_REAL = 2,  /* nat: the Service, and the client's port towards it */
};

struct bh_nat {
	struct bh_addr addr;
	__be16 port;
	__be16 client_port;
};
BH_ASSERT_SIZE(struct bh_nat, 20);

struct bh_flow {
	struct bh_flow_end end[2];
	__u64 expires; /* jiffies64 */
	__u32 owner;   /* slot charged for this record */
	__u32 owner_ifindex;
	__u8 state;	/* enum bh_flow_state */
	__u8 nat_kind;	/* enum bh_nat_kind */
	__u16 services; /* bh_service_gen when the Services were last asked about it */
	struct bh_nat nat;
};
BH_ASSERT_SIZE(struct bh_flow, 64);

/*
 * bh_services: a front, an address and port that clients dial, -> its backends.
 * bh_backends: the backends of a set, BH_GROUP_SIZE to a row, sorted by
 * bh_sorts_after() over the whole set. Sets are immutable while a front names them
 * and their numbers are not used twice by one daemon: a change writes a new set,
 * flips the front's row, waits out the programs that run and erases the old one.
 * bh_affinity: which backend a client was last given. Written by the programs, so
 * a front's own and not the set's; the oldest goes when it is full.
 * bh_service_gen[0]: changes after fronts or backends of UDP came or went, so that
 * live UDP flows ask again: nothing in UDP tells a client that a backend is gone. It
 * also bounds where fronts are, which spares most packets the look into bh_services.
 */
struct bh_service_gen {
	__u32 gen;
	__u32 first[2]; /* IPv4, IPv6: the last, or first, four bytes of the addresses of */
	__u32 last[2];	/* fronts, host order. Only ever widened; 0 to 0: there is none */
};
BH_ASSERT_SIZE(struct bh_service_gen, 20);

struct bh_front {
	struct bh_addr addr;
	__be16 port;
	__u8 proto;
	__u8 pad;
};
BH_ASSERT_SIZE(struct bh_front, 20);

struct bh_service {
	__u32 set;
	__u32 count;	  /* backends; 0: nobody serves it now */
	__u32 affinity_s; /* 0: each connection is drawn anew */
	__u32 pad;
};
BH_ASSERT_SIZE(struct bh_service, 16);

struct bh_group_key {
	__u32 set;
	__u32 group; /* backend index / BH_GROUP_SIZE */
};
BH_ASSERT_SIZE(struct bh_group_key, 8);

struct bh_backend {
	struct bh_addr addr;
	__be16 port;
	__u16 pad;
};
BH_ASSERT_SIZE(struct bh_backend, 20);

struct bh_group {
	struct bh_backend backend[BH_GROUP_SIZE];
};
BH_ASSERT_SIZE(struct bh_group, 160);

/* bh_scratch, per CPU: working space of one program run; no meaning afterwards. */
struct bh_scratch {
	__u64 words[32];
};
BH_ASSERT_SIZE(struct bh_scratch, 256);

struct bh_affinity_key {
	struct bh_addr client;
	struct bh_front front;
};
BH_ASSERT_SIZE(struct bh_affinity_key, 36);

struct bh_affinity {
	__u64 used; /* jiffies64 of the last connection */
	struct bh_backend backend;
	__u32 pad;
};
BH_ASSERT_SIZE(struct bh_affinity, 32);

/* bh_sweeps[0]: jiffies64 of the last sweep over bh_flows. The daemon asks for one
 * every second; when none has come for BH_SWEEP_OVERDUE_S and an endpoint's quota
 * is used up, the packet that met it sweeps: records expire with no daemon there. */
#define BH_SWEEP_OVERDUE_S 15

/* A connection that both ends have closed lives that long after its last packet (or
 * tcp_closing_s, if that is less). Where an endpoint has used half of its quota, what
 * it has closed, and what nobody has answered, goes BH_FLOW_SPENT_S after its last
 * packet: so it is not the connections of the last minute that count. */
#define BH_FLOW_CLOSED_S 10
#define BH_FLOW_SPENT_S	 2

/* bh_frags[slot * BH_FRAG_WAYS + hash]: made only by an allowed first fragment. */
struct bh_frag {
	struct bh_addr src;
	struct bh_addr dst;
	__u64 expires; /* jiffies64 */
	__be32 id;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 pad[7];
};
BH_ASSERT_SIZE(struct bh_frag, 56);

/* bh_usage[slot]: what an endpoint has used of its quotas. Zeroed at claim. */
struct bh_usage {
	__u32 flows;	  /* records charged to it */
	__u32 tokens;	  /* events it may still report in this second */
	__u64 refilled;	  /* jiffies64 of the last refill */
	__u64 emitted;	  /* events handed to the ring */
	__u64 suppressed; /* over its rate */
	__u64 lost;	  /* the ring was full */
};
BH_ASSERT_SIZE(struct bh_usage, 40);

/* bh_events: one dropped or audited packet. Written by bpf/event.h, read by
 * src/dataplane/ring.c. Where policy decided, src is the end that opened the
 * connection, also when the packet was a reply: the tuple is the one to explain. */
struct bh_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex; /* the endpoint whose rule decided */
	__u32 revision;
	struct bh_addr src;
	struct bh_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 direction; /* enum bh_direction: of the endpoint named by ifindex */
	__u8 reason;	/* enum bh_reason */
	__u8 action;	/* BH_DENY or BH_AUDIT */
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 pad;
	__u16 ethertype;	/* host order; meaningful when no IP header was read */
	__u16 length;		/* of the frame */
	struct bh_addr service; /* what the client dialled, when a Service was in between; of a packet that
				 * came by the tunnel: the node that sent it; else zero */
	__be16 service_port;
	__u8 pad2[6];
};
BH_ASSERT_SIZE(struct bh_event, 88);

/* bh_next[enum bh_direction]: the programs of the layout after this one, while its
 * daemon takes the hooks over. One flag in bh_config sends every packet of the node
 * there at the same moment. */
#define BH_NEXT_MAX 2

/*
 * bh_tunnel[0] and bh_ranges: who may send through the tunnel, and where a packet
 * goes that enters it. A packet's address is masked to each length in turn and
 * looked up, so rows are found without a trie. Written by the daemon, read by the
 * programs on the tunnel's interface. A length stays as long as a row has it.
 */
struct bh_tunnel {
	__u32 vni;
	__u32 is_on;		  /* 0: nothing passes */
	struct bh_addr local;	  /* this node's outer address; its family is the tunnel's */
	__u8 lens[BH_RANGE_LENS]; /* over the v4-mapped form, longest first; 0 ends the list */
};
BH_ASSERT_SIZE(struct bh_tunnel, 32);

/* Key: struct bh_prefix_key. */
struct bh_range {
	struct bh_addr node; /* whose pods these are; all zero: this node's own */
};
BH_ASSERT_SIZE(struct bh_range, 16);

/*
 * bh_counters, per CPU: index from bh_counter_index(). Reason 0 (BH_PASS)
 * counts what passed. For each endpoint and direction: packets seen = the sum
 * over all reasons. Slot BH_ENDPOINTS_MAX collects packets on an interface
 * that has no endpoint row.
 */
#define BH_REASONS_MAX	64
#define BH_COUNTERS_MAX ((BH_ENDPOINTS_MAX + 1) * 2 * BH_REASONS_MAX)
static inline __u32 bh_counter_index(__u32 slot, __u32 direction, __u32 reason)
{
	return (slot * 2 + direction) * BH_REASONS_MAX + reason;
}

#endif
