/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From an address to its peer class. */
#ifndef BPF_PEER_H
#define BPF_PEER_H

#include "bpf/maps.h"

static __always_inline __u32 peer_class(const struct bh_addr *addr)
{
	struct bh_prefix_key key = { .len = 128, .addr = *addr };
	__u32 *class = bpf_map_lookup_elem(&bh_peers, &key.addr);

	if (!class)
		class = bpf_map_lookup_elem(&bh_prefixes, &key);
	return class ? *class : BH_PEER_ANY;
}

#endif
