// SPDX-License-Identifier: Apache-2.0
/* Endpoint rows, and the addresses that point at them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "dataplane/maps_room.h"

static uint32_t slot_probe(uint32_t ifindex, uint32_t step)
{
	return (ifindex + step) % BH_ENDPOINTS_MAX;
}

/* Everything an earlier owner of the slot left behind. */
static int slot_clear(struct maps *maps, uint32_t slot, struct err *err)
{
	uint64_t zeros[maps->n_cpus];
	struct bh_usage usage = { 0 };
	struct bh_frag frag = { 0 };

	memset(zeros, 0, sizeof(zeros));
	for (__u32 i = 0; i < 2 * BH_REASONS_MAX; i++) {
		__u32 index = bh_counter_index(slot, 0, 0) + i;

		if (bpf_map_update_elem(maps->fd[MAP_COUNTERS], &index, zeros, BPF_ANY) < 0)
			return err_set(err, errno, "clearing the counters of slot %u: %s", slot,
				       strerror(errno));
	}
	for (__u32 i = 0; i < BH_FRAG_WAYS; i++) {
		__u32 index = slot * BH_FRAG_WAYS + i;

		if (bpf_map_update_elem(maps->fd[MAP_FRAGS], &index, &frag, BPF_ANY) < 0)
			return err_set(err, errno, "clearing the fragments of slot %u: %s", slot,
				       strerror(errno));
	}
	if (bpf_map_update_elem(maps->fd[MAP_USAGE], &slot, &usage, BPF_ANY) < 0)
		return err_set(err, errno, "clearing the usage of slot %u: %s", slot, strerror(errno));
	return 0;
}

int maps_endpoint_find(struct maps *maps, uint32_t ifindex, uint32_t *ret_slot, struct err *err)
{
	for (uint32_t step = 0; ifindex != 0 && step < BH_ENDPOINT_PROBE; step++) {
		uint32_t slot = slot_probe(ifindex, step);

		if (__atomic_load_n(&maps->endpoints[slot].ifindex, __ATOMIC_ACQUIRE) == ifindex) {
			*ret_slot = slot;
			return 0;
		}
	}
	return err_set(err, ENOENT, "interface %u has no endpoint row", ifindex);
}

/* The row becomes visible with its ifindex, which is stored last: until then
 * packets on the interface find no endpoint and drop. */
static void row_publish(struct bh_endpoint *row, const struct bh_endpoint *endpoint)
{
	struct bh_endpoint closed = *endpoint;

	closed.flags &= ~(__u32)BH_EP_OPEN;
	closed.ifindex = closed.last = 0;
	memcpy(row, &closed, sizeof(closed));
	__atomic_store_n(&row->ifindex, endpoint->ifindex, __ATOMIC_RELEASE);
}

/* The same interface again (chained mode): its flow records must not outlive the
 * row that they were judged by. */
static int flows_forget(struct maps *maps, uint32_t ifindex, struct err *err)
{
	int r = 0;

	for (uint32_t step = 0; step < BH_ENDPOINT_PROBE && r >= 0; step++) {
		const struct bh_endpoint *row = &maps->endpoints[slot_probe(ifindex, step)];

		if (row->ifindex == 0 && row->last == ifindex)
			r = maps_flows_sweep(maps, err);
	}
	return r < 0 ? r : 0;
}

int maps_endpoint_claim(struct maps *maps, const struct bh_endpoint *endpoint, uint32_t *ret_slot,
			struct err *err)
{
	uint32_t slot;
	int r;

	if (endpoint->ifindex == 0)
		return err_set(err, EINVAL, "endpoint without an interface");
	if (maps_endpoint_find(maps, endpoint->ifindex, &slot, NULL) == 0)
		return err_set(err, EEXIST, "interface %u has an endpoint row already", endpoint->ifindex);
	r = flows_forget(maps, endpoint->ifindex, err);
	if (r < 0)
		return r;
	for (uint32_t step = 0; step < BH_ENDPOINT_PROBE; step++) {
		slot = slot_probe(endpoint->ifindex, step);
		if (maps->endpoints[slot].ifindex != 0)
			continue;
		r = slot_clear(maps, slot, err);
		if (r < 0)
			return r;
		row_publish(&maps->endpoints[slot], endpoint);
		*ret_slot = slot;
		return 0;
	}
	return err_set(err, ENOSPC, "no free endpoint slot near interface %u", endpoint->ifindex);
}

int maps_endpoint_get(struct maps *maps, uint32_t slot, struct bh_endpoint *ret, struct err *err)
{
	if (slot >= BH_ENDPOINTS_MAX)
		return err_set(err, EINVAL, "endpoint slot %u: no such slot", slot);
	*ret = maps->endpoints[slot];
	if (ret->ifindex == 0)
		return err_set(err, ENOENT, "endpoint slot %u is free", slot);
	return 0;
}

static int local_forget(int fd, const void *key, void *data)
{
	struct bh_local local;

	if (bpf_map_lookup_elem(fd, key, &local) == 0 && local.slot == *(uint32_t *)data)
		bpf_map_delete_elem(fd, key);
	return 0;
}

int maps_endpoint_release(struct maps *maps, uint32_t ifindex, struct err *err)
{
	struct bh_endpoint *row;
	uint32_t slot;
	int r;

	if (maps_endpoint_find(maps, ifindex, &slot, NULL) < 0)
		return 0;
	row = &maps->endpoints[slot];
	r = map_walk(maps->fd[MAP_LOCALS], sizeof(struct bh_addr), local_forget, &slot, err);
	if (r < 0)
		return err_wrap(err, r, "forgetting the addresses of slot %u", slot);
	__atomic_store_n(&row->flags, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&row->ifindex, 0, __ATOMIC_SEQ_CST);
	memset(row, 0, sizeof(*row));
	row->last = ifindex;
	return 0;
}

int maps_endpoint_grace_end(struct maps *maps, uint32_t slot, uint32_t ifindex, struct err *err)
{
	struct bh_endpoint *row;

	if (slot >= BH_ENDPOINTS_MAX)
		return err_set(err, EINVAL, "endpoint slot %u: no such slot", slot);
	row = &maps->endpoints[slot];
	if (ifindex == 0 || __atomic_load_n(&row->ifindex, __ATOMIC_ACQUIRE) != ifindex)
		return err_set(err, ESTALE, "endpoint slot %u belongs to another interface", slot);
	__atomic_and_fetch(&row->flags, ~(__u32)BH_EP_GRACE, __ATOMIC_SEQ_CST);
	return 0;
}

int maps_local_set(struct maps *maps, const struct bh_addr *addr, uint32_t slot, struct err *err)
{
	struct bh_local local = { .slot = slot };

	if (slot >= BH_ENDPOINTS_MAX && slot != BH_LOCAL_NODE)
		return err_set(err, EINVAL, "local address for slot %u: no such slot", slot);
	if (bpf_map_update_elem(maps->fd[MAP_LOCALS], addr, &local, BPF_ANY) < 0)
		return err_set(err, errno, "writing a local address: %s", strerror(errno));
	return 0;
}

int maps_local_clear(struct maps *maps, const struct bh_addr *addr, struct err *err)
{
	if (bpf_map_delete_elem(maps->fd[MAP_LOCALS], addr) < 0 && errno != ENOENT)
		return err_set(err, errno, "erasing a local address: %s", strerror(errno));
	return 0;
}

struct node_addrs {
	const struct bh_addr *v;
	size_t n;
};

static int node_addr_prune(int fd, const void *key, void *data)
{
	const struct node_addrs *wanted = data;
	struct bh_local local;

	if (bpf_map_lookup_elem(fd, key, &local) < 0 || local.slot != BH_LOCAL_NODE)
		return 0;
	for (size_t i = 0; i < wanted->n; i++) {
		if (memcmp(&wanted->v[i], key, sizeof(wanted->v[i])) == 0)
			return 0;
	}
	bpf_map_delete_elem(fd, key);
	return 0;
}

int maps_node_addrs_set(struct maps *maps, const struct bh_addr *addrs, size_t n, struct err *err)
{
	struct node_addrs wanted = { addrs, n };

	for (size_t i = 0; i < n; i++) {
		int r = maps_local_set(maps, &addrs[i], BH_LOCAL_NODE, err);

		if (r < 0)
			return r;
	}
	return map_walk(maps->fd[MAP_LOCALS], sizeof(struct bh_addr), node_addr_prune, &wanted, err);
}
