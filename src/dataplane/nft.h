/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Bulkhead asks of nftables, in one table of its own (inet bulkhead): pods that
 * talk to the outside speak with their node's address, and nobody reaches the
 * tunnel's port by way of someone's translation. Other tables are left alone.
 */
#ifndef DATAPLANE_NFT_H
#define DATAPLANE_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define NFT_TABLE "bulkhead"

struct nft;
int nft_new(struct nft **ret_nft, struct err *err);
struct nft *nft_free(struct nft *nft);

struct nft_rules {
	bool masquerade;
	const struct prefix *own; /* this node's pod ranges: whose traffic it is about */
	size_t n_own;
	const struct prefix *keep; /* destinations that see a pod's own address */
	size_t n_keep;
	const char *tunnel; /* the device of the tunnel, or null */
	uint16_t tunnel_port;
};

/* Makes the table say exactly this, in one step. 1: it did not, 0: it did already. */
int nft_put(struct nft *nft, const struct nft_rules *rules, struct err *err);
/* The table goes; not there is success. */
int nft_remove(struct nft *nft, struct err *err);

#endif
