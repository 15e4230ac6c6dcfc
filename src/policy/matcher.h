/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matchers: the questions that the subjects' rules ask about the other end, each
 * asked once however many rules contain it. A peer's answers are its signature.
 *
 * A matcher lives as long as a subject names it, and is *active* while a wanted one
 * does: only then profiles and regions have answered it. Its number stands in
 * subjects' keys and in signatures; both are gone before it is given again.
 */
#ifndef POLICY_MATCHER_H
#define POLICY_MATCHER_H

#include "policy/model.h"
#include "policy/signature.h"

enum matcher_kind {
	MATCHER_PODS = 1,  /* podSelector and namespaceSelector */
	MATCHER_BLOCK = 2, /* ipBlock with its excepts */
	MATCHER_NAMED = 3, /* serves a port of this name and protocol: answers the number (R14) */
};

struct subject;

struct matcher {
	struct pool_entry entry; /* key: the question in canonical bytes */
	uint32_t id;
	enum matcher_kind kind;
	uint8_t proto;		 /* NAMED */
	bool active;		 /* it has been asked */
	bool touched;		 /* its askers changed since */
	struct peer peer;	 /* PODS, BLOCK; owned */
	char *namespace;	 /* PODS: the policy's, when the peer has no namespaceSelector (R8) */
	char *port_name;	 /* NAMED */
	uint32_t n_namers;	 /* subjects that name it */
	struct subject **askers; /* those of them that are wanted */
	uint32_t n_askers, cap_askers;
	struct matcher *next_touched;
};

struct matchers {
	struct pool pool;
	struct matcher **by_id; /* null: free */
	uint32_t *free_ids;	/* a stack */
	uint32_t n_ids, n_free, cap_ids;
	struct matcher *touched; /* list */
};

void matchers_init(struct matchers *matchers);
void matchers_done(struct matchers *matchers);

/* The matcher of a peer, null when out of memory. The peer must match something
 * (peer_matches_nothing(), and block_is_empty() for blocks). */
struct matcher *matcher_of_peer(struct matchers *matchers, const char *policy_namespace,
				const struct peer *peer);
struct matcher *matcher_of_port(struct matchers *matchers, uint8_t proto, const char *name);

/* A subject asks from now on, or no more. 0 or -ENOMEM. */
int matcher_add_asker(struct matchers *matchers, struct matcher *matcher, struct subject *subject);
void matcher_remove_asker(struct matchers *matchers, struct matcher *matcher, struct subject *subject);
/* Puts it among the touched: what nobody names and is not active goes from there. */
void matcher_touch(struct matchers *matchers, struct matcher *matcher);
void matcher_free(struct matchers *matchers, struct matcher *matcher);

/* An except that covers the whole block leaves nothing of it. */
bool block_is_empty(const struct peer *peer);

/* Does a PODS matcher select pods with these labels in this namespace? */
bool matcher_selects(const struct matcher *matcher, const char *namespace,
		     const struct labels *namespace_labels, const struct labels *labels);

#endif
