/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's programs under test: a network and mount namespace of our own
 * with a private bpffs, veth interfaces that act as pods' host sides, policy rows
 * written by hand, and packets sent through the programs by BPF_PROG_TEST_RUN.
 */
#ifndef LIB_KERN_H
#define LIB_KERN_H

#include <bulkhead/abi.h>
#include <bulkhead/plan.h>
#include <bulkhead/reason.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/maps.h"
#include "dataplane/ring.h"
#include "lib/packet.h"

#define KERN_ROOT "/sys/fs/bpf/bulkhead"

/* What the programs answer. */
#define KERN_NEXT     (-1)
#define KERN_DROP     2
#define KERN_REDIRECT 7

struct kern {
	struct maps *maps;
	int from_pod; /* program descriptors */
	int to_pod;
	struct bh_config config;
	uint32_t uplink; /* an interface that is no pod's: where the world comes from */
};

/* Moves the process into fresh namespaces and loads. Null: cannot here, and `why`
 * says it; a test prints it as a skip. */
struct kern *kern_open(const char **why);
struct kern *kern_close(struct kern *kern);
int kern_configure(struct kern *kern);					   /* writes kern->config */
void kern_run(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a command that must work */

struct kern_pod {
	char name[16]; /* of the host side; the other is "p-<name>" */
	uint32_t ifindex;
	uint32_t slot;
	uint32_t revision;
	uint32_t flags;
	uint32_t egress, ingress;
	uint8_t mac[6], host_mac[6];
	struct bh_addr v4, v6, ll; /* ll: fe80:: */
	bool moved;
	int inner, outer; /* packet sockets of kern_wire(), reading and writing */
};

/* A veth with the addresses 10.0.0.<n>, fd00::<n> and fe80::<n>, claimed, known in
 * bh_locals and open without isolation. flags: BH_EP_*. */
void kern_pod_add(struct kern *kern, const char *name, uint8_t n, uint32_t flags, struct kern_pod *ret_pod);
/* The commit of a pod: its subjects and flags as they stand in `pod`, and a new
 * revision. */
void kern_pod_commit(struct kern *kern, struct kern_pod *pod);
/* Isolates by subject numbers (0: not) and commits. */
void kern_pod_subjects(struct kern *kern, struct kern_pod *pod, uint32_t egress, uint32_t ingress);

void kern_peer(struct kern *kern, const struct bh_addr *addr, uint32_t class);
/* len over the v4-mapped form. */
void kern_prefix(struct kern *kern, const char *addr, uint32_t len, uint32_t class);
/* The row (subject, class) with up to n ranges, which must be sorted; they go to
 * fresh places in bh_ports. */
void kern_row(struct kern *kern, uint32_t subject, uint32_t class, uint8_t rest, const struct bh_port *ports,
	      size_t n);
void kern_row_erase(struct kern *kern, uint32_t subject, uint32_t class);
void kern_apply(struct kern *kern, const struct bh_write *writes, size_t n);

/* Flow records go behind the programs' back, their quota stays charged. */
void kern_flows_forget(struct kern *kern);
/* From now on this process runs on one CPU: what the programs keep for each of them
 * is always the same. */
void kern_one_cpu(void);
/* Kernels before 6.6 have none. */
bool kern_has_tcx(void);

/* One frame through a program: its answer. */
int kern_from_pod(struct kern *kern, const struct kern_pod *pod, const struct frame *f);
int kern_to_pod(struct kern *kern, const struct kern_pod *pod, uint32_t ingress_ifindex,
		const struct frame *f);
/* The same with `repeat`; nanoseconds for each run. */
uint32_t kern_time(struct kern *kern, int prog, uint32_t ifindex, uint32_t ingress_ifindex,
		   const struct frame *f, uint32_t repeat, int *ret_action);

/* The kernel's test run refuses frames shorter than their IP header; a wire does
 * not. Attaches both hooks to the pod's interface and sends from either side; what
 * enters at the host side counts as the node's own. Counting follows within a
 * moment: kern_settle() waits until the pod's counters rest. */
void kern_wire(struct kern *kern, struct kern_pod *pod);
void kern_wire_from(struct kern *kern, const struct kern_pod *pod, const struct frame *f);
void kern_wire_to(struct kern *kern, const struct kern_pod *pod, const struct frame *f);
/* Gives the pod a network namespace of its own (delivery by redirect asks for one)
 * before kern_wire(). */
void kern_pod_move(struct kern *kern, struct kern_pod *pod);
void kern_settle(struct kern *kern, const struct kern_pod *pod);

uint64_t kern_count(struct kern *kern, uint32_t slot, enum bh_direction direction, enum bh_reason reason);

/* From a pod's Ethernet up: source and destination MACs right for that hook. */
void kern_frame_from(struct frame *f, const struct kern_pod *pod, const struct bh_addr *src,
		     const struct bh_addr *dst);
void kern_frame_to(struct frame *f, const struct kern_pod *pod, const struct bh_addr *src,
		   const struct bh_addr *dst);

/* Sends and checks answer and counter at once. BH_PASS: anything but a drop. Returns
 * whether both were right and says on stderr what was not. */
bool kern_from_gives(struct kern *kern, const struct kern_pod *pod, const struct frame *f,
		     enum bh_reason reason);
bool kern_to_gives(struct kern *kern, const struct kern_pod *pod, uint32_t ingress_ifindex,
		   const struct frame *f, enum bh_reason reason);

const char *reason_name(unsigned int reason);

#endif
