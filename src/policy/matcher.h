/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matchers: the questions that the subjects' rules ask about the other end, each
 * asked once however many rules contain it. A peer's answers, sorted, are its
 * signature; addresses of equal signature share a class.
 *
 * A matcher keeps its number as long as a live or wanted subject uses it. What it
 * points at belongs to the world of the update that asked last.
 */
#ifndef POLICY_MATCHER_H
#define POLICY_MATCHER_H

#include "policy/model.h"
#include "policy/pool.h"

enum matcher_kind {
	MATCHER_PODS = 1,  /* podSelector and namespaceSelector */
	MATCHER_BLOCK = 2, /* ipBlock with its excepts */
	MATCHER_NAMED = 3, /* serves a port of this name and protocol: answers the number (R14) */
};

struct matcher {
	struct pool_entry entry; /* key: the question in canonical bytes */
	enum matcher_kind kind;
	uint64_t asked;		 /* the update that asked last */
	const struct peer *peer; /* PODS, BLOCK */
	const char *namespace;	 /* PODS: the policy's, when the peer has no namespaceSelector (R8) */
	const char *port_name;	 /* NAMED */
	uint8_t proto;
};

/* One answer in a signature: the matcher's number above; below, for a NAMED one,
 * the protocol and the number that the name means there, else 0. */
typedef uint64_t answer_t;
#define ANSWER(id, proto, port) ((answer_t)(id) << 32 | (uint32_t)(proto) << 16 | (port))
#define ANSWER_MATCHER(answer)	((uint32_t)((answer) >> 32))
#define ANSWER_PROTO(answer)	((uint8_t)((answer) >> 16))
#define ANSWER_PORT(answer)	((uint16_t)(answer))

/* The matcher of a peer, null when out of memory. The peer must match something
 * (peer_matches_nothing(), and block_is_empty() for blocks). */
struct matcher *matcher_of_peer(struct pool *pool, const char *policy_namespace, const struct peer *peer);
struct matcher *matcher_of_port(struct pool *pool, uint8_t proto, const char *name);

/* An except that covers the whole block leaves nothing of it. */
bool block_is_empty(const struct peer *peer);

/* Does a PODS matcher select pods with these labels in this namespace? */
bool matcher_selects(const struct matcher *matcher, const char *namespace,
		     const struct labels *namespace_labels, const struct labels *labels);

#endif
