/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Room for what the stack has none left for. Programs run with softirqs off, so one
 * at a time on a CPU. */
#ifndef BPF_SCRATCH_H
#define BPF_SCRATCH_H

#include "bpf/maps.h"

static __always_inline void *scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&bh_scratch, &zero);
}

#endif
