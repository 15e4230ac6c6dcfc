/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cluster says, as plain structs: pods, namespaces and policies after
 * decoding and before compiling. src/kube fills them, src/policy reads them,
 * anyone may print them.
 *
 * Absent and empty mean different things in NetworkPolicy, so the model keeps
 * has_ flags. An invalid part (R23) is kept as `invalid`: it isolates what its
 * policy selects and allows nothing.
 *
 * Every pointer is owned by the struct that holds it, but for what compact pods and
 * policies and shared label sets have in common with others (pod_compact()); _free takes null.
 */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct label {
	char *key;
	char *value;
};

struct labels {
	struct label *v; /* sorted by key, keys unique */
	uint32_t n;
	bool shared; /* with others that say the same: equal by pointer, and not to be written */
};

enum selector_op { SELECTOR_IN, SELECTOR_NOT_IN, SELECTOR_EXISTS, SELECTOR_NOT_EXISTS };

/* One requirement; a matchLabels entry is SELECTOR_IN with one value. */
struct requirement {
	char *key;
	char **values;
	uint32_t n_values;
	enum selector_op op;
};

struct selector {
	struct requirement *v; /* all must hold; none: matches everything (R2) */
	uint32_t n;
	bool has;     /* absent differs from empty (R8) */
	bool invalid; /* matches nothing */
};

/* One item of from/to (R8). All has_ flags false: matches nothing. */
struct peer {
	struct selector pods;	    /* podSelector */
	struct selector namespaces; /* namespaceSelector */
	struct prefix *excepts;
	uint32_t n_excepts;
	struct prefix block; /* ipBlock.cidr */
	bool has_block;
	bool invalid; /* matches nothing */
};

/* One item of ports (R12, R14, R15). */
struct port_match {
	char *name;	/* named port; null: numeric */
	uint16_t first; /* numeric, inclusive */
	uint16_t last;
	uint8_t proto; /* IPPROTO_TCP, _UDP, _SCTP */
	bool has_port; /* absent: all ports of that protocol */
	bool invalid;  /* matches nothing */
};

struct rule {
	struct peer *peers; /* none: anyone (R7), unless n_invalid parts made it so: see has_peers */
	struct port_match *ports;
	uint32_t n_peers;
	uint32_t n_ports;
	bool has_peers; /* from/to present and not empty */
	bool has_ports; /* ports present and not empty */
	bool invalid;	/* an unknown field or kind inside: allows nothing (C11) */
};

struct netpol {
	char *namespace;
	char *name;
	char *uid; /* may be empty */
	struct selector pods;
	struct rule *rules[2]; /* indexed by enum bh_direction */
	uint32_t n_rules[2];
	char **problems; /* "spec.ingress[0].ports[1].port: ..." (R23); shown, never fatal */
	uint32_t n_problems;
	bool isolates[2]; /* (R3) */
	bool audit;	  /* annotation bulkhead.dev/audit: its isolation reports instead of drops */
	bool compact;	  /* made by netpol_compact(): read only */
};

struct named_port {
	char *name;
	uint8_t proto;
	uint16_t number;
};

struct pod {
	char *namespace;
	char *name;
	char *uid;
	char *node;	/* may be empty */
	char *workload; /* "Deployment/frontend" when a template stands for the pod, or empty */
	struct labels labels;
	struct bh_addr *addrs;	  /* status.podIPs, both families (R10) */
	struct named_port *ports; /* containers in order; restartable init containers too (R14) */
	uint16_t n_addrs;
	uint16_t n_ports;
	bool host_network : 1; /* never a subject, never matched (R10) */
	bool finished : 1;     /* Succeeded or Failed (R22) */
	bool compact : 1;      /* made by pod_compact(): read only */
	char words[];	       /* of a compact one: name, uid and addresses */
};

struct service_port {
	char *name; /* may be empty */
	uint8_t proto;
	uint16_t port;	   /* what clients dial */
	uint16_t target;   /* what the pods serve; 0: target_name says it */
	char *target_name; /* a port's name in each pod; null: numeric */
};

/* Verdicts are on pods and never read these (R25); translation, lint and hints do. */
struct service {
	char *namespace;
	char *name;
	struct labels selector;
	bool has_selector;     /* without one, it says nothing about pods */
	bool headless;	       /* clients dial the pods themselves: no translation */
	bool is_name;	       /* type ExternalName: nothing but a DNS name */
	bool local_only;       /* internalTrafficPolicy Local: backends of the client's node */
	uint32_t affinity_s;   /* sessionAffinity ClientIP; 0: none */
	struct bh_addr *addrs; /* spec.clusterIPs */
	size_t n_addrs;
	struct service_port *ports;
	size_t n_ports;
};

struct slice_port {
	char *name; /* of the Service's port; may be empty */
	uint8_t proto;
	uint16_t port; /* 0: none is said, nothing can be dialled */
};

struct slice_endpoint {
	struct bh_addr addr; /* the first one: the others are aliases nobody dials */
	char *node;	     /* may be empty */
	bool ready;
	bool serving;
	bool terminating;
};

/* Some of a Service's endpoints, all of one family; those of other address types are
 * left out. */
struct endpoint_slice {
	char *namespace;
	char *name;
	char *service; /* label kubernetes.io/service-name; empty: nobody's */
	struct slice_port *ports;
	size_t n_ports;
	struct slice_endpoint *endpoints;
	size_t n_endpoints;
};

/* A machine of the cluster: where its pods' addresses come from, and where it can
 * be reached itself. Verdicts never read these; the network between nodes does. */
struct node {
	char *name;
	struct bh_addr *addrs; /* status.addresses: the internal ones first, then the external */
	size_t n_addrs;
	size_t n_internal;
	struct prefix *pod_ranges; /* spec.podCIDRs */
	size_t n_pod_ranges;
};

enum posture { POSTURE_UNSET, POSTURE_STANDARD, POSTURE_DENY, POSTURE_AUDIT };

struct namespace
{
	char *name;
	struct labels labels; /* kubernetes.io/metadata.name always present (R9) */
	enum posture posture; /* annotation bulkhead.dev/posture */
	bool terminating;     /* R24 */
};

/* Cluster-wide settings that change what policies mean (SEMANTICS 1.4). */
struct posture_config {
	enum posture posture;	  /* never UNSET */
	char **exempt_namespaces; /* posture deny does not isolate here */
	size_t n_exempt_namespaces;
	bool allow_dns;		  /* under deny: every pod may reach the DNS pods on 53 UDP and TCP */
	char *dns_namespace;	  /* "kube-system" */
	struct selector dns_pods; /* k8s-app=kube-dns */
	bool deny_pod_to_node;	  /* under deny, pod to its own node needs a rule (default true there) */
	bool forbid_policy_audit; /* ignore bulkhead.dev/audit on policies */
};

/* Everything known, by value of pointers: the arrays belong to the holder of the
 * world, usually the agent's store or a manifest reader. Any order. */
struct world {
	struct pod **pods;
	size_t n_pods;
	struct namespace **namespaces;
	size_t n_namespaces;
	struct netpol **netpols;
	size_t n_netpols;
	struct service **services;
	size_t n_services;
	struct endpoint_slice **slices;
	size_t n_slices;
	struct node **nodes;
	size_t n_nodes;
	struct posture_config posture;
};

void labels_done(struct labels *labels);
/* Adds or replaces one label, keeping order; a shared set becomes its owner's first.
 * 0 or -ENOMEM. */
int labels_set(struct labels *labels, const char *key, const char *value);
const char *labels_get(const struct labels *labels, const char *key); /* null: absent */
bool labels_equal(const struct labels *a, const struct labels *b);

/* The shared set that says the same as `from`, which stays the caller's. 0 or -ENOMEM; drop it with
 * labels_done(). */
int labels_share(const struct labels *from, struct labels *ret);

/* A copy in one allocation, for the many pods of a cluster: the namespace, the node,
 * the workload, labels and ports are shared with the pods that have the same. Read
 * only. Null members of `from` become "". Null: out of memory. */
struct pod *pod_compact(const struct pod *from);

void shared_ports_drop(struct named_port *ports, size_t n); /* of compact pods; takes null */
/* Do both serve the same names, in the same order? */
bool pod_ports_equal(const struct pod *a, const struct pod *b);

void selector_done(struct selector *selector);
/* R2: does the selector match? Absent and invalid selectors match nothing here;
 * what absence means is the caller's rule. */
bool selector_matches(const struct selector *selector, const struct labels *labels);

/* Does the policy's podSelector select the pod (R2; namespace included; never a
 * hostNetwork or finished pod, R10, R22)? A podSelector that is invalid selects
 * every pod of the namespace, and its policy allows none of them anything: what
 * was meant to be closed is closed (R23). */
bool netpol_selects(const struct netpol *netpol, const struct pod *pod);

struct netpol *netpol_free(struct netpol *netpol);
struct netpol *netpol_copy(const struct netpol *from); /* null: out of memory */
/* A copy in one allocation, its words shared with other policies; read only. Null: out
 * of memory. */
struct netpol *netpol_compact(const struct netpol *from);
void netpol_compact_free(struct netpol *netpol); /* for netpol_free() */
bool netpol_equal(const struct netpol *a, const struct netpol *b);
/* False: out of memory; peer_done() in any case. */
bool peer_copy(struct peer *to, const struct peer *from);
void peer_done(struct peer *peer);
struct pod *pod_free(struct pod *pod);
struct namespace *namespace_free(struct namespace *ns);
struct service *service_free(struct service *service);
/* Does its selector pick the pod, of its own namespace? */
bool service_selects(const struct service *service, const struct pod *pod);
/* The pod's port behind a Service's; 0: the pod serves no port of that name. */
uint16_t service_port_in(const struct service_port *port, const struct pod *pod);
struct endpoint_slice *endpoint_slice_free(struct endpoint_slice *slice);
struct node *node_free(struct node *node);
void posture_config_done(struct posture_config *config);
/* Frees the objects and the arrays. */
void world_done(struct world *world);

const struct namespace *world_namespace(const struct world *world, const char *name);
const struct node *world_node(const struct world *world, const char *name);
const struct pod *world_pod(const struct world *world, const char *namespace, const char *name);

/* A namespace that no object describes still exists for its pods: it has only
 * the name label (R9). The policy room treats a missing one that way. */

#endif
