/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod interfaces of this node, as the plugin registered them over the
 * control socket and left them on disk. What a file says is only believed where
 * the kernel's endpoint row agrees, and never opens anything by itself.
 */
#ifndef AGENT_ATTACHMENTS_H
#define AGENT_ATTACHMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "policy/tables.h"

struct attachment {
	char *container_id;
	char *ifname;
	char *network;
	char *netns;
	bool chained;
	uint8_t mac[6];
	uint8_t host_mac[6];
	struct endpoint endpoint; /* slot, ifindex, pod and addresses */
	bool local;		  /* bh_locals knows its addresses */
	bool grace_over;	  /* BH_EP_GRACE is gone */
	int64_t since_ms;	  /* CLOCK_MONOTONIC of the registration */
	int64_t move_ms;	  /* when its hooks may be moved (agent_hooks.c) */
};

struct attachment *attachment_free(struct attachment *attachment);
DEFINE_AUTO(struct attachment, attachment_free)
#define auto_attachment cleanup(attachment_free_auto)

/* From the POST body or a state file (whose further keys are left alone).
 * Negative naming the field. */
int attachment_decode(const cJSON *json, struct attachment **ret, struct err *err);

/* Does the endpoint row speak of the same interface and addresses? */
bool attachment_agrees(const struct attachment *attachment, const struct bh_endpoint *row, struct err *err);

/* CNI's rule for container ids and interface names (THREATS C18). */
bool attachment_id_valid(const char *id);
bool attachment_ifname_valid(const char *ifname);

struct attachments {
	struct attachment **v; /* owned */
	size_t n;
	size_t cap;
	uint64_t serial; /* grows with every change */
};
void attachments_done(struct attachments *set);
/* Takes the attachment over, in place of one with the same container and name. */
int attachments_put(struct attachments *set, struct attachment *attachment, struct err *err);
/* Hands it out of the set; null: not there. */
struct attachment *attachments_take(struct attachments *set, const char *container_id, const char *ifname);
struct attachment *attachments_find(const struct attachments *set, const char *container_id,
				    const char *ifname);
struct attachment *attachments_find_ifindex(const struct attachments *set, uint32_t ifindex);
/* Another attachment than `but` that holds one of its addresses, or null. */
struct attachment *attachments_conflict(const struct attachments *set, const struct attachment *but);

/* Reads every state file of a folder (absent: none). A file that cannot be
 * decoded is told to `bad` (may be null) and left out (F13). Returns how many of
 * those there were. */
int attachments_load(const char *folder, struct attachments *ret_set,
		     void (*bad)(const char *path, const struct err *err), struct err *err);

#endif
