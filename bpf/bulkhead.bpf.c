// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel room: one pair of programs for every pod interface, one for the
 * tunnel between nodes, and the sweeper of flow records. Start reading at
 * from_pod.h; a packet goes parse -> endpoint -> flow -> policy -> exit.
 */
#include "bpf/from_pod.h"
#include "bpf/sweep.h"
#include "bpf/to_pod.h"
#include "bpf/tunnel.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int bh_from_pod(struct __sk_buff *skb)
{
	struct pass pass = { 0 };
	__u32 flags = flags_now();
	int r;

	if (is_done(skb, BH_EGRESS, flags))
		return ACT_NEXT;
	r = from_pod(skb, &pass);
	return judged(skb, BH_EGRESS, pass_exit(skb, &pass, r));
}

SEC("tc")
int bh_to_pod(struct __sk_buff *skb)
{
	struct pass pass = { 0 };
	__u32 flags = flags_now();
	int r;

	if (is_done(skb, BH_INGRESS, flags))
		return ACT_NEXT;
	r = to_pod(skb, &pass);
	return judged(skb, BH_INGRESS, pass_exit(skb, &pass, r));
}

SEC("tc")
int bh_decap(struct __sk_buff *skb)
{
	struct inner inner = { 0 };
	int r = tunnel_from_node(skb, &inner);

	return tunnel_exit(skb, &inner, r, BH_INGRESS);
}

SEC("tc")
int bh_encap(struct __sk_buff *skb)
{
	struct inner inner = { 0 };
	int r = tunnel_to_node(skb, &inner);

	return tunnel_exit(skb, &inner, r, BH_EGRESS);
}

SEC("syscall")
int bh_sweep(__attribute__((unused)) void *ctx)
{
	return sweep_run();
}
