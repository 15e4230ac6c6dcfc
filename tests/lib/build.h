/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builders for tests: objects of the model in one line each. Out of memory ends
 * the test. "k=v,k2=v2" is a list of labels; an empty string is none.
 */
#ifndef LIB_BUILD_H
#define LIB_BUILD_H

#include "policy/model.h"
#include "policy/tables.h"

struct bh_addr an_addr(const char *text);
struct prefix a_prefix(const char *text);
struct labels some_labels(const char *list);

struct pod *a_pod(const char *namespace, const char *name, const char *labels);
void pod_add_addr(struct pod *pod, const char *addr);
void pod_add_port(struct pod *pod, const char *name, uint8_t proto, uint16_t number);

/* kubernetes.io/metadata.name is added. */
struct namespace *a_namespace(const char *name, const char *labels);

/* matchLabels; null: absent; "": empty, matches everything. */
struct selector a_selector(const char *labels);
/* Adds "key op (values)"; values is "a,b" and may be empty. */
void selector_add(struct selector *selector, const char *key, enum selector_op op, const char *values);

/* Isolates nothing yet: see policy_isolates(), policy_add_rule(). */
struct netpol *a_policy(const char *namespace, const char *name, const char *pods);
void policy_isolates(struct netpol *policy, enum bh_direction direction);
/* Isolates that direction and adds a rule that allows everything; narrow it by the
 * functions below. The pointer is valid until the next rule. */
struct rule *policy_add_rule(struct netpol *policy, enum bh_direction direction);
/* Null: that selector is absent. */
struct peer *rule_add_peer(struct rule *rule, const char *pods, const char *namespaces);
struct peer *rule_add_block(struct rule *rule, const char *cidr);
void peer_add_except(struct peer *peer, const char *cidr);
/* first 0: all ports of the protocol. */
void rule_add_port(struct rule *rule, uint8_t proto, uint16_t first, uint16_t last);
void rule_add_named_port(struct rule *rule, uint8_t proto, const char *name);

/* The world takes the object. */
void world_add_pod(struct world *world, struct pod *pod);
void world_add_namespace(struct world *world, struct namespace *ns);
void world_add_policy(struct world *world, struct netpol *policy);

/* Of that pod with its addresses; the strings are the pod's and live with it. */
struct endpoint an_endpoint(const struct pod *pod, uint32_t slot, uint32_t ifindex);

#endif
