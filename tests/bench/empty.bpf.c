// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Nothing at all, and the sender of new flows: changes the source port in the
 * packet, which stays between repeats of a test run, and goes on to the program
 * under measurement. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

SEC("tc")
int bench_empty(__attribute__((unused)) struct __sk_buff *skb)
{
	return -1;
}

SEC("tc")
int bench_vary(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct tcphdr *tcp = data + sizeof(struct ethhdr) + sizeof(struct iphdr);

	if ((void *)(tcp + 1) > end)
		return 2;
	tcp->source = bpf_htons(bpf_ntohs(tcp->source) + 1);
	bpf_tail_call(skb, &next, 0);
	return 2;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
