// SPDX-License-Identifier: Apache-2.0
#include "lib/simkernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "simkernel: %s does not hold\n", #condition);                        \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

struct simkernel *simkernel_new(void)
{
	struct simkernel *kernel = calloc(1, sizeof(*kernel));

	CHECK(kernel);
	return kernel;
}

struct simkernel *simkernel_free(struct simkernel *kernel)
{
	if (!kernel)
		return NULL;
	free(kernel->peers);
	free(kernel->prefixes);
	free(kernel->verdicts);
	free(kernel);
	return NULL;
}

void simkernel_claim(struct simkernel *kernel, uint32_t slot, uint32_t ifindex)
{
	CHECK(kernel->endpoints[slot].ifindex == 0);
	kernel->endpoints[slot] = (struct bh_endpoint){ .ifindex = ifindex };
}

void simkernel_release(struct simkernel *kernel, uint32_t slot)
{
	kernel->endpoints[slot] = (struct bh_endpoint){ 0 };
}

/* Rows begin with their key. Index of the row, or n. */
static size_t row_find(const void *rows, size_t n, size_t row_size, const void *key, size_t key_size)
{
	size_t i = 0;

	while (i < n && memcmp((const char *)rows + i * row_size, key, key_size) != 0)
		i++;
	return i;
}

static void row_put(void *array, size_t *n, size_t *cap, size_t row_size, const void *row, size_t key_size)
{
	char *rows;
	size_t i;

	memcpy(&rows, array, sizeof(rows));
	i = row_find(rows, *n, row_size, row, key_size);
	if (i == *n && *n == *cap) {
		*cap = *cap ? 2 * *cap : 64;
		rows = reallocarray(rows, *cap, row_size);
		CHECK(rows);
		memcpy(array, &rows, sizeof(rows));
	}
	memcpy(rows + i * row_size, row, row_size);
	*n += i == *n;
}

static void row_erase(void *rows, size_t *n, size_t row_size, const void *key, size_t key_size)
{
	size_t i = row_find(rows, *n, row_size, key, key_size);

	CHECK(i < *n);
	--*n;
	memmove((char *)rows + i * row_size, (char *)rows + *n * row_size, row_size);
}

static void endpoint_put(struct simkernel *kernel, const struct bh_write *write)
{
	struct bh_endpoint *row;

	CHECK(write->endpoint.slot < BH_ENDPOINTS_MAX);
	CHECK(!(write->endpoint.flags & ~(unsigned int)BH_EP_POLICY_FLAGS));
	row = &kernel->endpoints[write->endpoint.slot];
	CHECK(row->ifindex && row->ifindex == write->endpoint.ifindex);
	CHECK(write->endpoint.revision > row->revision);
	row->flags = write->endpoint.flags;
	row->egress = write->endpoint.egress;
	row->ingress = write->endpoint.ingress;
	row->revision = write->endpoint.revision;
}

static void peer_put(struct simkernel *kernel, const struct bh_write *write)
{
	const struct bh_peer_row row = { write->peer.addr, write->peer.class };

	row_put(&kernel->peers, &kernel->n_peers, &kernel->cap_peers, sizeof(row), &row, sizeof(row.addr));
}

static void prefix_put(struct simkernel *kernel, const struct bh_write *write)
{
	const struct bh_prefix_row row = { write->prefix.prefix, write->prefix.class };

	CHECK(row.prefix.len <= 128);
	row_put(&kernel->prefixes, &kernel->n_prefixes, &kernel->cap_prefixes, sizeof(row), &row,
		sizeof(row.prefix));
}

static void verdict_put(struct simkernel *kernel, const struct bh_write *write)
{
	const struct bh_verdict_row row = { write->verdict.key, write->verdict.verdict };

	CHECK(row.key.subject != 0);
	CHECK(row.verdict.first + row.verdict.count <= BH_PORTS_MAX && row.verdict.count <= BH_PORT_LIST_MAX);
	row_put(&kernel->verdicts, &kernel->n_verdicts, &kernel->cap_verdicts, sizeof(row), &row,
		sizeof(row.key));
}

void simkernel_apply(struct simkernel *kernel, const struct bh_write *write)
{
	switch (write->kind) {
	case BH_WRITE_PORT:
		CHECK(write->port.index < BH_PORTS_MAX);
		kernel->ports[write->port.index] = write->port.port;
		break;
	case BH_WRITE_VERDICT:
		verdict_put(kernel, write);
		break;
	case BH_WRITE_PEER:
		peer_put(kernel, write);
		break;
	case BH_WRITE_PREFIX:
		prefix_put(kernel, write);
		break;
	case BH_WRITE_ENDPOINT:
		endpoint_put(kernel, write);
		break;
	case BH_ERASE_PEER:
		row_erase(kernel->peers, &kernel->n_peers, sizeof(*kernel->peers), &write->peer.addr,
			  sizeof(write->peer.addr));
		break;
	case BH_ERASE_PREFIX:
		row_erase(kernel->prefixes, &kernel->n_prefixes, sizeof(*kernel->prefixes),
			  &write->prefix.prefix, sizeof(write->prefix.prefix));
		break;
	case BH_ERASE_VERDICT:
		row_erase(kernel->verdicts, &kernel->n_verdicts, sizeof(*kernel->verdicts),
			  &write->verdict.key, sizeof(write->verdict.key));
		break;
	default:
		CHECK(!"a known kind of write");
	}
}

static bool bits_equal(const struct bh_addr *a, const struct bh_addr *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((a->b[i / 8] ^ b->b[i / 8]) & (0x80 >> i % 8))
			return false;
	}
	return true;
}

uint32_t simkernel_class(const struct simkernel *kernel, const struct bh_addr *peer)
{
	size_t i = row_find(kernel->peers, kernel->n_peers, sizeof(*kernel->peers), peer, sizeof(*peer));
	uint32_t class = BH_PEER_ANY;
	int64_t longest = -1;

	if (i < kernel->n_peers)
		return kernel->peers[i].class;
	for (i = 0; i < kernel->n_prefixes; i++) {
		const struct bh_prefix_row *row = &kernel->prefixes[i];

		if ((int64_t)row->prefix.len > longest &&
		    bits_equal(&row->prefix.addr, peer, row->prefix.len)) {
			longest = row->prefix.len;
			class = row->class;
		}
	}
	return class;
}

struct bh_verdict simkernel_row(const struct simkernel *kernel, uint32_t subject, uint32_t class)
{
	struct bh_verdict_key key = { subject, class };
	size_t i =
		row_find(kernel->verdicts, kernel->n_verdicts, sizeof(*kernel->verdicts), &key, sizeof(key));

	if (i == kernel->n_verdicts) {
		key.peer = BH_PEER_ANY;
		i = row_find(kernel->verdicts, kernel->n_verdicts, sizeof(*kernel->verdicts), &key,
			     sizeof(key));
	}
	return i < kernel->n_verdicts ? kernel->verdicts[i].verdict : (struct bh_verdict){ .rest = BH_DENY };
}

enum bh_action simkernel_ports(const struct simkernel *kernel, const struct bh_verdict *row, uint8_t proto,
			       uint16_t port)
{
	enum bh_action action = row->rest;
	unsigned int hits = 0;

	for (uint32_t i = row->first; i < (uint32_t)row->first + row->count; i++) {
		const struct bh_port *at = &kernel->ports[i];

		if (at->proto == proto && port >= at->first && port <= at->last) {
			action = at->action;
			hits++;
		}
		/* sorted and disjoint, or a binary search would miss */
		CHECK(i == row->first || at[-1].proto < at->proto ||
		      (at[-1].proto == at->proto && at[-1].last < at->first));
	}
	CHECK(hits <= 1);
	return action;
}

int simkernel_verdict(const struct simkernel *kernel, uint32_t slot, enum bh_direction direction,
		      const struct bh_addr *peer, uint8_t proto, uint16_t port)
{
	const struct bh_endpoint *endpoint = &kernel->endpoints[slot];
	uint32_t subject = direction == BH_EGRESS ? endpoint->egress : endpoint->ingress;
	struct bh_verdict row;

	if (!endpoint->ifindex || !(endpoint->flags & BH_EP_OPEN))
		return -ENOENT;
	if (subject == 0)
		return BH_ALLOW;
	row = simkernel_row(kernel, subject, simkernel_class(kernel, peer));
	return (int)simkernel_ports(kernel, &row, proto, port);
}

struct bh_snapshot simkernel_snapshot(struct simkernel *kernel)
{
	return (struct bh_snapshot){
		.peers = kernel->peers,
		.prefixes = kernel->prefixes,
		.verdicts = kernel->verdicts,
		.ports = kernel->ports,
		.endpoints = kernel->endpoints,
		.n_peers = (__u32)kernel->n_peers,
		.n_prefixes = (__u32)kernel->n_prefixes,
		.n_verdicts = (__u32)kernel->n_verdicts,
	};
}
