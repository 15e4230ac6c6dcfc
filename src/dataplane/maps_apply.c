// SPDX-License-Identifier: Apache-2.0
/* The plan, applied: one write after the other, exactly in its order. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "dataplane/maps_room.h"

#define PEERS_AT_ONCE 256

/* Nobody reads the place yet: a row leads there later. */
static int port_put(struct maps *maps, const struct bh_write *write)
{
	return map_put(maps->fd[MAP_PORTS], &write->port.index, &write->port.port);
}

/* List before trie and, erasing, trie before list: the list never lacks a row
 * that the trie has. */
static int prefix_put(struct maps *maps, const struct bh_write *write)
{
	int r = map_put(maps->fd[MAP_PREFIX_LIST], &write->prefix.prefix, &write->prefix.class);

	return r < 0 ? r : map_put(maps->fd[MAP_PREFIXES], &write->prefix.prefix, &write->prefix.class);
}

static int prefix_erase(struct maps *maps, const struct bh_write *write)
{
	int r = map_erase(maps->fd[MAP_PREFIXES], &write->prefix.prefix);

	return r < 0 ? r : map_erase(maps->fd[MAP_PREFIX_LIST], &write->prefix.prefix);
}

/* The commit of one pod. Subjects flip together in one store; the revision
 * follows them, and the flags come last when they open and first when they
 * close, so that no packet passes by a half-written row. */
static int endpoint_put(struct maps *maps, const struct bh_write *write)
{
	struct bh_endpoint *row;
	__u32 subjects[2] = { write->endpoint.egress, write->endpoint.ingress };
	__u32 flags;
	__u64 word;

	if (write->endpoint.slot >= BH_ENDPOINTS_MAX || (write->endpoint.flags & ~(__u32)BH_EP_POLICY_FLAGS))
		return -EINVAL;
	row = &maps->endpoints[write->endpoint.slot];
	if (write->endpoint.ifindex == 0 ||
	    __atomic_load_n(&row->ifindex, __ATOMIC_ACQUIRE) != write->endpoint.ifindex)
		return -ESTALE;
	flags = (row->flags & ~(__u32)BH_EP_POLICY_FLAGS) | write->endpoint.flags;
	memcpy(&word, subjects, sizeof(word));
	if (!(flags & BH_EP_OPEN))
		__atomic_store_n(&row->flags, flags, __ATOMIC_SEQ_CST);
	__atomic_store_n((__u64 *)&row->egress, word, __ATOMIC_SEQ_CST);
	__atomic_store_n(&row->revision, write->endpoint.revision, __ATOMIC_SEQ_CST);
	__atomic_store_n(&row->flags, flags, __ATOMIC_SEQ_CST);
	return 0;
}

static int write_apply(struct maps *maps, const struct bh_write *write)
{
	switch (write->kind) {
	case BH_WRITE_PORT:
		return port_put(maps, write);
	case BH_WRITE_VERDICT:
		return map_put(maps->fd[MAP_VERDICTS], &write->verdict.key, &write->verdict.verdict);
	case BH_WRITE_PEER:
		return map_put(maps->fd[MAP_PEERS], &write->peer.addr, &write->peer.class);
	case BH_WRITE_PREFIX:
		return prefix_put(maps, write);
	case BH_WRITE_ENDPOINT:
		return endpoint_put(maps, write);
	case BH_ERASE_PEER:
		return map_erase(maps->fd[MAP_PEERS], &write->peer.addr);
	case BH_ERASE_PREFIX:
		return prefix_erase(maps, write);
	case BH_ERASE_VERDICT:
		return map_erase(maps->fd[MAP_VERDICTS], &write->verdict.key);
	default:
		return -EINVAL;
	}
}

/* What a failed write was about, for the operator. */
static void write_name(const struct bh_write *write, char *out, size_t size)
{
	char addr[ADDR_TEXT_MAX];

	switch (write->kind) {
	case BH_WRITE_PORT:
		snprintf(out, size, "port entry %u", write->port.index);
		break;
	case BH_WRITE_VERDICT:
	case BH_ERASE_VERDICT:
		snprintf(out, size, "row of subject %u and peer %u", write->verdict.key.subject,
			 write->verdict.key.peer);
		break;
	case BH_WRITE_PEER:
	case BH_ERASE_PEER:
		addr_format(&write->peer.addr, addr);
		snprintf(out, size, "peer %s", addr);
		break;
	case BH_WRITE_PREFIX:
	case BH_ERASE_PREFIX:
		addr_format(&write->prefix.prefix.addr, addr);
		snprintf(out, size, "prefix %s of %u bits", addr, write->prefix.prefix.len);
		break;
	case BH_WRITE_ENDPOINT:
		snprintf(out, size, "endpoint slot %u of interface %u", write->endpoint.slot,
			 write->endpoint.ifindex);
		break;
	default:
		snprintf(out, size, "kind %u", write->kind);
	}
}

/* A start writes a peer for each pod of the cluster: several by one call, in their order. */
static int peers_put(struct maps *maps, const struct bh_write *writes, size_t n, size_t *ret_done)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_ANY);
	struct bh_addr addrs[PEERS_AT_ONCE];
	__u32 classes[PEERS_AT_ONCE], wanted = 0, done;
	int r;

	while (wanted < n && wanted < PEERS_AT_ONCE && writes[wanted].kind == BH_WRITE_PEER) {
		addrs[wanted] = writes[wanted].peer.addr;
		classes[wanted] = writes[wanted].peer.class;
		wanted++;
	}
	done = wanted;
	r = bpf_map_update_batch(maps->fd[MAP_PEERS], addrs, classes, &done, &opts);
	*ret_done = r < 0 && done == wanted ? 0 : done;
	return r;
}

/* The next write, or the next few. How many are in the kernel, on failure too. */
static int next_apply(struct maps *maps, const struct bh_write *writes, size_t n, size_t *ret_done)
{
	int r;

	if (n > 1 && writes[0].kind == BH_WRITE_PEER && writes[1].kind == BH_WRITE_PEER)
		return peers_put(maps, writes, n, ret_done);
	r = write_apply(maps, writes);
	*ret_done = r == 0;
	return r;
}

int maps_apply(struct maps *maps, const struct bh_write *writes, size_t n, struct err *err)
{
	for (size_t i = 0, done; i < n; i += done) {
		char name[128];
		int r = next_apply(maps, &writes[i], n - i, &done);

		if (r == 0)
			continue;
		write_name(&writes[i + done], name, sizeof(name));
		return err_set(err, -r, "write %zu of %zu, %s: %s", i + done + 1, n, name,
			       r == -ESTALE ? "the slot belongs to another interface now" : strerror(-r));
	}
	return 0;
}
