/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One state of the kernel's tables, as user space knows it: what a committed plan
 * left there, or what a restart found.
 *
 * Rows are kept by class. A row that a class does not list is the row of
 * BH_PEER_ANY, and what that lacks is denied, as in the kernel.
 */
#ifndef POLICY_STATE_H
#define POLICY_STATE_H

#include <bulkhead/plan.h>

#include "policy/portlist.h"
#include "policy/regions.h"

struct class_row {
	uint32_t subject;
	struct row row;
};

struct class
{
	uint32_t id;
	answer_t *signature; /* over the matchers in use; owned. Adopted classes have none */
	size_t n_signature;
	struct class_row *rows; /* by subject; owned */
	size_t n_rows;
	size_t cap_rows;
};

struct peer_class {
	struct bh_addr addr;
	uint32_t class;
};

struct endpoint_state {
	uint32_t slot;
	uint32_t ifindex;
	uint32_t flags;	     /* within BH_EP_POLICY_FLAGS */
	uint32_t subject[2]; /* by direction; 0: not isolated */
	uint32_t revision;
	char *who; /* namespace/pod/uid as registered; null after a restart: anyone. Owned */
};

struct state {
	struct class *classes; /* by id; the first is BH_PEER_ANY */
	size_t n_classes;
	size_t cap_classes;
	struct peer_class *peers; /* by address */
	size_t n_peers;
	size_t cap_peers;
	struct regions regions;
	struct endpoint_state *endpoints; /* by slot */
	size_t n_endpoints;
	size_t cap_endpoints;
};

/* An empty kernel. 0 or -ENOMEM. */
int state_init(struct state *state);
void state_done(struct state *state);

/* 0 or -ENOMEM. */
int state_adopt(struct state *state, const struct bh_snapshot *snapshot, struct port_lists *lists);

/* Null: no rows of its own, so all of them are BH_PEER_ANY's. */
const struct class *state_class(const struct state *state, uint32_t id);
const struct peer_class *state_peer(const struct state *state, const struct bh_addr *addr);
const struct endpoint_state *state_endpoint(const struct state *state, uint32_t slot);

/* By bh_peers, else by longest prefix. */
uint32_t state_class_of(const struct state *state, const struct bh_addr *addr);

/* The row as the kernel finds it: own, or BH_PEER_ANY's, or none (deny). */
struct row state_row(const struct state *state, uint32_t subject, uint32_t class);

/* Own row of a class, or null. */
const struct row *class_row_find(const struct class *class, uint32_t subject);
/* Appends; rows must be added in order of subject, or sorted afterwards. */
int class_row_add(struct class *class, uint32_t subject, const struct row *row);
void class_rows_sort(struct class *class);

size_t state_n_verdicts(const struct state *state);

#endif
