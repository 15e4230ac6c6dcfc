// SPDX-License-Identifier: Apache-2.0
/* What the kernel must have, found by trying: version numbers lie. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/loader.h"

/* Can we use bpf() at all? Names the reason apart from missing features. */
static int probe_bpf(struct err *err)
{
	auto_close int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bh_probe", 4, 8, 1, NULL);

	if (fd == -EPERM || fd == -EACCES)
		return err_set(err, EPERM,
			       "no permission to use bpf(): CAP_BPF and CAP_NET_ADMIN are needed");
	if (fd < 0)
		return err_set(err, ENOTSUP, "the kernel has no bpf() maps: %s", strerror(-fd));
	return 0;
}

struct probe_map {
	enum bpf_map_type type;
	const char *name;
};

static int probe_maps(struct err *err)
{
	static const struct probe_map maps[] = {
		{ BPF_MAP_TYPE_LPM_TRIE, "longest-prefix tries (CONFIG_BPF_SYSCALL)" },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, "per-CPU arrays" },
		{ BPF_MAP_TYPE_RINGBUF, "ring buffers (Linux 5.8)" },
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		if (libbpf_probe_bpf_map_type(maps[i].type, NULL) != 1)
			return err_set(err, ENOTSUP, "the kernel has no BPF %s", maps[i].name);
	}
	return 0;
}

struct probe_helper {
	enum bpf_prog_type prog;
	enum bpf_func_id id;
	const char *name;
};

static int probe_helpers(struct err *err)
{
	static const struct probe_helper helpers[] = {
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_jiffies64, "bpf_jiffies64 (Linux 5.6)" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ringbuf_output, "bpf_ringbuf_output (Linux 5.8)" },
		{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_peer, "bpf_redirect_peer (Linux 5.10)" },
	};

	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		if (libbpf_probe_bpf_helper(helpers[i].prog, helpers[i].id, NULL) != 1)
			return err_set(err, ENOTSUP, "the kernel has no BPF helper %s", helpers[i].name);
	}
	/* libbpf 1.1 cannot ask for the helpers of this type (it loads only when
	 * sleepable); the type itself is younger than bpf_for_each_map_elem. */
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SYSCALL, NULL) != 1)
		return err_set(err, ENOTSUP, "the kernel has no BPF programs of type syscall (Linux 5.14)");
	return 0;
}

static int probe_membarrier(struct err *err)
{
	long r = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (r < 0 || !(r & MEMBARRIER_CMD_GLOBAL))
		return err_set(err, ENOTSUP,
			       "the kernel has no membarrier(GLOBAL) (CONFIG_MEMBARRIER, no nohz_full)");
	return 0;
}

int loader_probe(struct err *err)
{
	static int (*const probes[])(struct err *) = { probe_bpf, probe_maps, probe_helpers,
						       probe_membarrier };

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		int r = probes[i](err);

		if (r < 0)
			return r;
	}
	return 0;
}
