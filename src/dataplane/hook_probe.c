// SPDX-License-Identifier: Apache-2.0
/* What this kernel offers for hooks, and who else uses ours. */
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dataplane/hook.h"
#include "dataplane/hook_room.h"

#define LOOPBACK      1 /* its number in every namespace */
#define STRANGERS_MAX 16

/* "Next program", and nothing else. */
static int next_prog_load(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "bh_probe", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

static enum hook_kind attach_try(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LOOPBACK, .attach_point = BPF_TC_INGRESS);
	auto_close int prog = next_prog_load();
	auto_close int link = -1;

	if (prog < 0)
		return HOOK_NONE;
	link = bpf_link_create(prog, LOOPBACK, (enum bpf_attach_type)hook_sides[0].attach_type, NULL);
	if (link >= 0)
		return HOOK_TCX;
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .prog_fd = prog);
	return bpf_tc_hook_create(&hook) == 0 && bpf_tc_attach(&hook, &opts) == 0 ? HOOK_CLSACT : HOOK_NONE;
}

/* In a process and a network namespace of its own: nothing of it is left. */
int hook_probe(enum hook_kind *ret_kind, struct err *err)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return err_set(err, errno, "fork: %s", strerror(errno));
	if (child == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ? 99 : (int)attach_try());
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set(err, errno, "wait: %s", strerror(errno));
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 99)
		return err_set(err, EPERM, "no network namespace to try in: CAP_SYS_ADMIN is needed");
	*ret_kind = (enum hook_kind)WEXITSTATUS(status);
	return 0;
}

static int prog_name(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	auto_close int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -ENOENT; /* gone meanwhile */
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return 0;
}

int hook_strangers(uint32_t ifindex, int (*each)(const char *prog, bool before_ours, void *data), void *data)
{
	for (int i = 0; i < HOOK_SIDES; i++) {
		__u32 ids[STRANGERS_MAX] = { 0 }, n = STRANGERS_MAX, flags;
		bool seen = false;

		if (bpf_prog_query((int)ifindex, (enum bpf_attach_type)hook_sides[i].attach_type, 0, &flags,
				   ids, &n) < 0)
			return errno == EINVAL || errno == ENODEV || errno == ENOENT ? 0 : -errno;
		for (__u32 j = 0; j < n && j < STRANGERS_MAX; j++) {
			char name[BPF_OBJ_NAME_LEN];
			int r;

			if (prog_name(ids[j], name) < 0)
				continue;
			if (strcmp(name, hook_sides[i].prog) == 0) {
				seen = true;
				continue;
			}
			r = each(name, !seen, data);
			if (r)
				return r;
		}
	}
	return 0;
}
