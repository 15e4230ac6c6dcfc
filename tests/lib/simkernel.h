/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's tables in plain arrays, looked up as abi.h says the programs do it.
 * Applies plans one write at a time, so that tests can look between two writes.
 */
#ifndef LIB_SIMKERNEL_H
#define LIB_SIMKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/plan.h>

struct simkernel {
	struct bh_peer_row *peers;
	size_t n_peers, cap_peers;
	struct bh_prefix_row *prefixes;
	size_t n_prefixes, cap_prefixes;
	struct bh_verdict_row *verdicts;
	size_t n_verdicts, cap_verdicts;
	struct bh_port ports[BH_PORTS_MAX];
	struct bh_endpoint endpoints[BH_ENDPOINTS_MAX];
};

struct simkernel *simkernel_new(void);
struct simkernel *simkernel_free(struct simkernel *kernel);

/* What the plugin does at ADD and DEL. */
void simkernel_claim(struct simkernel *kernel, uint32_t slot, uint32_t ifindex);
void simkernel_release(struct simkernel *kernel, uint32_t slot);

/* Aborts the test when a write breaks the contract: an interface that is not
 * there, an erased row that was not, a revision that does not grow. */
void simkernel_apply(struct simkernel *kernel, const struct bh_write *write);

/* The three lookups of a new connection, apart, so that a test can hold a packet
 * between them. */
uint32_t simkernel_class(const struct simkernel *kernel, const struct bh_addr *peer);
struct bh_verdict simkernel_row(const struct simkernel *kernel, uint32_t subject, uint32_t class);
enum bh_action simkernel_ports(const struct simkernel *kernel, const struct bh_verdict *row, uint8_t proto,
			       uint16_t port);

/* All together; -ENOENT: closed or no endpoint. */
int simkernel_verdict(const struct simkernel *kernel, uint32_t slot, enum bh_direction direction,
		      const struct bh_addr *peer, uint8_t proto, uint16_t port);

/* Points into the kernel: valid until the next write. */
struct bh_snapshot simkernel_snapshot(struct simkernel *kernel);

#endif
