// SPDX-License-Identifier: Apache-2.0
/* Flow records: who may open, who may use them, and what a policy change does to
 * live ones (S2 to S6, C5, C14, R6, R19). */
#include <bpf/bpf.h>

#include "dataplane/pins.h"
#include "lib/kern_main.h"

#include <unistd.h>

#define SUBJECT 20
#define WEB	80
#define WEB_LIST                                                                                             \
	{                                                                                                    \
		.first = WEB, .last = WEB, .proto = 6, .action = BH_ALLOW                                    \
	}

static struct kern_pod a, b;
static struct bh_addr world;
static uint16_t next_port = 30000;

static struct frame tcp_from(const struct kern_pod *pod, const struct bh_addr *dst, uint16_t sport,
			     uint16_t dport, uint8_t flags)
{
	struct frame f;

	kern_frame_from(&f, pod, &pod->v4, dst);
	frame_tcp(&f, sport, dport, flags);
	frame_end(&f);
	return f;
}

static struct frame tcp_to(const struct kern_pod *pod, const struct bh_addr *src, uint16_t sport,
			   uint16_t dport, uint8_t flags)
{
	struct frame f;

	kern_frame_to(&f, pod, src, &pod->v4);
	frame_tcp(&f, sport, dport, flags);
	frame_end(&f);
	return f;
}

static bool from(const struct kern_pod *pod, const struct bh_addr *dst, uint16_t sport, uint16_t dport,
		 uint8_t flags, enum bh_reason reason)
{
	struct frame f = tcp_from(pod, dst, sport, dport, flags);

	return kern_from_gives(kern, pod, &f, reason);
}

static bool to(const struct kern_pod *pod, const struct bh_addr *src, uint16_t sport, uint16_t dport,
	       uint8_t flags, enum bh_reason reason)
{
	struct frame f = tcp_to(pod, src, sport, dport, flags);

	return kern_to_gives(kern, pod, kern->uplink, &f, reason);
}

static int fresh(void **state)
{
	struct bh_port web = WEB_LIST;

	(void)state;
	kern_row(kern, SUBJECT, BH_PEER_ANY, BH_DENY, &web, 1);
	kern_pod_subjects(kern, &a, 0, 0);
	kern_pod_subjects(kern, &b, 0, 0);
	return 0;
}

struct found {
	uint16_t port;
	struct bh_flow flow;
	unsigned int n;
};

static int flow_with_port(const struct bh_flow_key *key, const struct bh_flow *flow, void *data)
{
	struct found *found = data;
	uint16_t port_be = (uint16_t)(found->port << 8 | found->port >> 8);

	if (key->lo_port == port_be || key->hi_port == port_be) {
		found->flow = *flow;
		found->n++;
	}
	return 0;
}

/* The one record that has this port at either end. */
static struct bh_flow flow_of(uint16_t port)
{
	struct found found = { .port = port };
	struct err err = { 0 };

	assert_int_equal(maps_flows_each(kern->maps, flow_with_port, &found, &err), 0);
	assert_int_equal(found.n, 1);
	return found.flow;
}

static uint32_t flows_of(const struct kern_pod *pod)
{
	struct bh_usage usage;
	struct err err = { 0 };

	assert_int_equal(maps_usage_get(kern->maps, pod->slot, &usage, &err), 0);
	return usage.flows;
}

static void replies_pass_in_both_directions(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 99);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_ACK | FRAME_PSH, BH_PASS));
	/* The answer's tuple opens nothing by itself. */
	assert_true(to(&a, &world, WEB, port, FRAME_SYN, BH_POLICY));
	assert_true(to(&a, &world, WEB, (uint16_t)(port + 1000), FRAME_SYN | FRAME_ACK, BH_NO_FLOW));
}

static void only_a_plain_syn_opens(void **state)
{
	static const uint8_t flags[] = { FRAME_ACK,
					 FRAME_FIN,
					 FRAME_RST,
					 FRAME_PSH | FRAME_ACK,
					 0,
					 FRAME_FIN | FRAME_PSH | FRAME_URG,
					 FRAME_SYN | FRAME_ACK,
					 FRAME_SYN | FRAME_FIN,
					 FRAME_SYN | FRAME_RST,
					 FRAME_RST | FRAME_ACK };

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		uint16_t port = next_port++;

		assert_true(from(&a, &world, port, WEB, flags[i], BH_NO_FLOW));
		assert_true(to(&a, &world, port, WEB, flags[i], BH_NO_FLOW));
	}
	assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_PASS));
	assert_true(to(&a, &world, next_port++, WEB, FRAME_SYN | FRAME_PSH, BH_PASS));
}

static void syn_is_judged_again_on_a_live_record(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	/* The row closes without a new revision: only a SYN asks again. */
	kern_row(kern, SUBJECT, BH_PEER_ANY, BH_DENY, NULL, 0);
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_POLICY));
}

static void syn_of_the_other_end_is_judged_in_its_own_direction(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 99);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_SYN, BH_POLICY));
	/* Refused, it changed nothing for the connection that is there. */
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(to(&a, &world, WEB, port, FRAME_SYN, BH_PASS));
}

static void reset_shortens_and_never_deletes(void **state)
{
	uint16_t port = next_port++;
	uint64_t before, after;

	(void)state;
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	before = flow_of(port).expires;
	assert_true(to(&a, &world, WEB, port, FRAME_RST, BH_PASS));
	after = flow_of(port).expires;
	assert_true(after < before);
	assert_true(before - after >
		    (uint64_t)(kern->config.tcp_established_s - kern->config.tcp_closing_s - 5) *
			    kern->config.hz);
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_ACK, BH_PASS));
}

static void reset_does_not_lengthen_a_half_open_flow(void **state)
{
	uint16_t port = next_port++;
	uint64_t before;

	(void)state;
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	before = flow_of(port).expires;
	assert_true(to(&a, &world, WEB, port, FRAME_RST | FRAME_ACK, BH_PASS));
	assert_true(flow_of(port).expires <= before);
}

/* An answer alone does not buy the long life: a scan would fill the table. */
static void flow_is_established_by_its_openers_ack(void **state)
{
	uint64_t syn, answered, established, margin = 5 * (uint64_t)kern->config.hz;
	uint16_t port = next_port++;

	(void)state;
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	syn = flow_of(port).expires;
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	answered = flow_of(port).expires;
	assert_true(answered < syn + margin);
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	established = flow_of(port).expires;
	assert_true(established > answered + margin);
}

/* A record is its own interface's, even for a twin that owns the same address: S2
 * holds where S1 does not help. */
static void another_interface_never_uses_the_record(void **state)
{
	uint16_t port = next_port++;
	struct kern_pod twin;
	struct err err = { 0 };
	struct bh_endpoint row = { .flags = BH_EP_ROUTED };

	(void)state;
	kern_pod_add(kern, "twin", 11, BH_EP_ROUTED, &twin);
	assert_int_equal(maps_endpoint_release(kern->maps, twin.ifindex, &err), 0);
	row.ifindex = twin.ifindex;
	memcpy(row.mac, twin.mac, 6);
	memcpy(row.host_mac, twin.host_mac, 6);
	row.addr[0] = twin.v4 = a.v4;
	assert_int_equal(maps_endpoint_claim(kern->maps, &row, &twin.slot, &err), 0);
	kern_pod_commit(kern, &twin);

	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	assert_true(from(&twin, &world, port, WEB, FRAME_ACK, BH_NO_FLOW));
	assert_true(to(&twin, &world, WEB, port, FRAME_ACK, BH_NO_FLOW));
	assert_true(to(&a, &world, WEB, port, FRAME_ACK, BH_PASS));
	assert_int_equal(maps_endpoint_release(kern->maps, twin.ifindex, &err), 0);
}

/* THREATS S2 as it would be tried: b answers in the name of whom a asked. */
static void forged_answer_makes_no_record(void **state)
{
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	kern_pod_subjects(kern, &a, 0, 99);
	f = tcp_from(&b, &a.v4, WEB, port, FRAME_SYN | FRAME_ACK);
	memcpy(f.data + f.l3 + 12, world.b + 12, 4);
	frame_end(&f);
	assert_true(kern_from_gives(kern, &b, &f, BH_SRC_ADDR));
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_NO_FLOW));
}

static void routed_pods_address_enters_by_its_own_interface_only(void **state)
{
	struct frame f;

	(void)state;
	f = tcp_to(&a, &b.v4, next_port++, WEB, FRAME_SYN);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_SRC_ADDR));
	assert_true(kern_to_gives(kern, &a, b.ifindex, &f, BH_PASS));
	/* Nor does a record that names both pods let the world speak as one of them. */
	uint16_t port = next_port++;

	f = tcp_from(&b, &a.v4, port, WEB, FRAME_SYN);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_REDIRECT);
	f = tcp_to(&a, &b.v4, port, WEB, FRAME_ACK);
	assert_true(kern_to_gives(kern, &a, kern->uplink, &f, BH_SRC_ADDR));
	assert_true(kern_to_gives(kern, &a, b.ifindex, &f, BH_PASS));
}

static void local_flow_names_both_ends_and_replies_skip_the_stack(void **state)
{
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	f = tcp_from(&a, &b.v4, port, WEB, FRAME_SYN);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_REDIRECT);
	f = tcp_from(&b, &a.v4, WEB, port, FRAME_SYN | FRAME_ACK);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_REDIRECT);
	f = tcp_from(&a, &b.v4, port, WEB, FRAME_ACK);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_REDIRECT);
}

/* A record made from the stack's side may hide a translation: its replies go back
 * through the stack. */
static void reply_to_what_came_by_the_stack_goes_by_the_stack(void **state)
{
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	f = tcp_to(&b, &a.v4, port, WEB, FRAME_SYN);
	assert_int_equal(kern_to_pod(kern, &b, a.ifindex, &f), KERN_NEXT);
	f = tcp_from(&b, &a.v4, WEB, port, FRAME_SYN | FRAME_ACK);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_NEXT);
}

static void tightened_policy_stops_a_live_flow_with_its_next_packet(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	kern_pod_subjects(kern, &a, 99, 0); /* no rows at all */
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_POLICY));
	assert_true(to(&a, &world, WEB, port, FRAME_ACK, BH_POLICY));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_POLICY));
	/* Loosened again while the record lives: it goes on. */
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(to(&a, &world, WEB, port, FRAME_ACK, BH_PASS));
}

static void untouched_flow_loses_nothing(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 99);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	for (int i = 0; i < 50; i++) {
		kern_pod_commit(kern, &a);
		/* A reply is the first to meet the new revision: judged as the opener's. */
		assert_true(to(&a, &world, WEB, port, FRAME_ACK, BH_PASS));
		assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
		assert_int_equal(flow_of(port).end[0].revision + flow_of(port).end[1].revision, a.revision);
	}
}

static void receivers_policy_stops_a_local_flow_from_either_side(void **state)
{
	uint16_t port = next_port++;
	struct frame there, back;
	uint64_t dropped;

	(void)state;
	there = tcp_from(&a, &b.v4, port, WEB, FRAME_SYN);
	assert_int_equal(kern_from_pod(kern, &a, &there), KERN_REDIRECT);
	there = tcp_from(&a, &b.v4, port, WEB, FRAME_ACK);
	back = tcp_from(&b, &a.v4, WEB, port, FRAME_ACK);
	assert_int_equal(kern_from_pod(kern, &b, &back), KERN_REDIRECT);
	kern_pod_subjects(kern, &b, 0, 99);
	dropped = kern_count(kern, b.slot, BH_INGRESS, BH_POLICY);
	assert_int_equal(kern_from_pod(kern, &a, &there), KERN_DROP);
	assert_int_equal(kern_count(kern, b.slot, BH_INGRESS, BH_POLICY), dropped + 1);
	/* The reply meets b's own ingress rule: b's egress counter takes it. */
	assert_true(kern_from_gives(kern, &b, &back, BH_POLICY));
	/* b's egress does not matter to a flow that a opened. */
	kern_pod_subjects(kern, &b, 99, 0);
	assert_int_equal(kern_from_pod(kern, &a, &there), KERN_REDIRECT);
	assert_int_equal(kern_from_pod(kern, &b, &back), KERN_REDIRECT);
}

static void kept_flows_survive_but_new_ones_do_not(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern_pod_subjects(kern, &a, SUBJECT, 0);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	kern->config.flags |= BH_CONFIG_KEEP_FLOWS;
	kern_configure(kern);
	kern_pod_subjects(kern, &a, 99, 0);
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_POLICY));
	assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_POLICY));
	kern->config.flags &= ~(uint32_t)BH_CONFIG_KEEP_FLOWS;
	kern_configure(kern);
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_POLICY));
}

static void expired_record_is_no_record(void **state)
{
	uint16_t port = next_port++;

	(void)state;
	kern->config.tcp_syn_s = 1;
	kern_configure(kern);
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_PASS));
	usleep(1200 * 1000);
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_NO_FLOW));
	assert_true(from(&a, &world, port, WEB, FRAME_ACK, BH_NO_FLOW));
	/* Opened again in place, charged once. */
	assert_true(from(&a, &world, port, WEB, FRAME_SYN, BH_PASS));
	assert_true(to(&a, &world, WEB, port, FRAME_SYN | FRAME_ACK, BH_PASS));
	kern->config.tcp_syn_s = 30;
	kern_configure(kern);
}

static void sweep_returns_what_it_deletes_to_the_quota(void **state)
{
	struct err err = { 0 };
	uint32_t charged = flows_of(&a);
	int before, after;

	(void)state;
	kern->config.tcp_syn_s = 1;
	kern_configure(kern);
	for (int i = 0; i < 100; i++)
		assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_PASS));
	assert_int_equal(flows_of(&a), charged + 100);
	before = maps_flows_sweep(kern->maps, &err);
	assert_true(before >= 100);
	usleep(2300 * 1000); /* a second of life, a second of grace */
	after = maps_flows_sweep(kern->maps, &err);
	assert_true(after <= before - 100);
	assert_true(flows_of(&a) <= charged);
	kern->config.tcp_syn_s = 30;
	kern_configure(kern);
}

/* The moment of the last sweep, as if no daemon had asked for one since. */
static void sweeps_forget(void)
{
	struct err err = { 0 };
	int fd = pin_open_map(KERN_ROOT, BH_MAP_SWEEPS, &err);
	__u32 zero = 0;
	__u64 never = 0;

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &never, BPF_ANY), 0);
	close(fd);
}

static void without_a_daemon_a_full_quota_sweeps_for_itself(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_true(maps_flows_sweep(kern->maps, &err) >= 0);
	kern->config.tcp_syn_s = 1;
	kern->config.flow_quota = flows_of(&a) + 3;
	kern_configure(kern);
	for (int i = 0; i < 3; i++)
		assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_PASS));
	usleep(2300 * 1000);
	/* Expired, but the daemon has just swept and will again. */
	assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_FLOW_QUOTA));
	sweeps_forget();
	assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_PASS));
	assert_true(flows_of(&a) < kern->config.flow_quota);
	kern->config.tcp_syn_s = 30;
	kern->config.flow_quota = 16384;
	kern_configure(kern);
}

static void full_quota_stops_that_endpoint_alone(void **state)
{
	uint16_t live = next_port++;

	(void)state;
	assert_true(from(&a, &world, live, WEB, FRAME_SYN, BH_PASS));
	kern->config.flow_quota = flows_of(&a) + 3;
	kern_configure(kern);
	for (int i = 0; i < 3; i++)
		assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_PASS));
	assert_true(from(&a, &world, next_port++, WEB, FRAME_SYN, BH_FLOW_QUOTA));
	assert_int_equal(flows_of(&a), kern->config.flow_quota);
	assert_true(from(&a, &world, live, WEB, FRAME_ACK, BH_PASS));
	assert_true(from(&b, &world, next_port++, WEB, FRAME_SYN, BH_PASS));
	/* The node's probes of the full pod still pass. */
	struct frame probe = tcp_to(&a, &world, next_port++, WEB, FRAME_SYN);

	assert_true(kern_to_gives(kern, &a, 0, &probe, BH_PASS));
	kern->config.flow_quota = 16384;
	kern_configure(kern);
}

static void udp_opens_with_any_packet_and_replies_pass(void **state)
{
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	kern_pod_subjects(kern, &a, 0, 99);
	kern_frame_from(&f, &a, &a.v6, &b.v6);
	frame_udp(&f, port, 53);
	frame_fill(&f, 'q', 32);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_REDIRECT);
	kern_frame_from(&f, &b, &b.v6, &a.v6);
	frame_udp(&f, 53, port);
	frame_fill(&f, 'a', 64);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_REDIRECT);
	kern_frame_from(&f, &b, &b.v6, &a.v6);
	frame_udp(&f, 54, port);
	frame_end(&f);
	assert_int_equal(kern_from_pod(kern, &b, &f), KERN_DROP);
}

static void grace_adopts_only_what_policy_allows(void **state)
{
	struct kern_pod old;
	struct err err = { 0 };
	uint16_t port = next_port++;

	(void)state;
	kern_pod_add(kern, "old", 9, BH_EP_GRACE, &old);
	kern_pod_subjects(kern, &old, SUBJECT, 99);
	assert_true(from(&old, &world, port, WEB, FRAME_ACK, BH_PASS));
	assert_true(to(&old, &world, WEB, port, FRAME_ACK, BH_PASS));
	assert_true(from(&old, &world, next_port++, 22, FRAME_ACK, BH_OLD_FLOW));
	assert_true(to(&old, &world, next_port++, 22, FRAME_ACK, BH_OLD_FLOW));
	assert_true(from(&old, &world, next_port++, WEB, FRAME_RST, BH_OLD_FLOW));
	/* A reply is the first packet seen of a connection that old opened. */
	port = next_port++;
	assert_true(to(&old, &world, WEB, port, FRAME_ACK, BH_PASS));
	assert_int_equal(maps_endpoint_grace_end(kern->maps, old.slot, old.ifindex, &err), 0);
	assert_true(from(&old, &world, next_port++, WEB, FRAME_ACK, BH_NO_FLOW));
	assert_true(from(&old, &world, port, WEB, FRAME_ACK, BH_PASS));
}

static void flows_of_a_gone_endpoint_go(void **state)
{
	struct kern_pod gone;
	struct err err = { 0 };
	uint16_t port = next_port++;
	struct frame f;

	(void)state;
	kern_pod_add(kern, "gone", 10, BH_EP_ROUTED, &gone);
	f = tcp_from(&a, &gone.v4, port, WEB, FRAME_SYN);
	assert_int_equal(kern_from_pod(kern, &a, &f), KERN_REDIRECT);
	assert_int_equal(maps_endpoint_release(kern->maps, gone.ifindex, &err), 0);
	assert_true(from(&a, &gone.v4, port, WEB, FRAME_ACK, BH_NO_FLOW));
	/* The same interface again: no record of its earlier life is left to it. */
	struct bh_endpoint row = { .ifindex = gone.ifindex };
	uint32_t slot;

	row.addr[0] = gone.v4;
	memcpy(row.mac, gone.mac, 6);
	assert_int_equal(maps_endpoint_claim(kern->maps, &row, &slot, &err), 0);
	gone.slot = slot;
	gone.revision = 0;
	kern_pod_commit(kern, &gone);
	assert_true(from(&gone, &a.v4, WEB, port, FRAME_SYN | FRAME_ACK, BH_NO_FLOW));
}

static int pods_add(void **state)
{
	(void)state;
	world = addr_of("203.0.113.50");
	kern_pod_add(kern, "a", 5, BH_EP_ROUTED, &a);
	kern_pod_add(kern, "b", 6, BH_EP_ROUTED, &b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(replies_pass_in_both_directions, fresh),
		cmocka_unit_test_setup(only_a_plain_syn_opens, fresh),
		cmocka_unit_test_setup(syn_is_judged_again_on_a_live_record, fresh),
		cmocka_unit_test_setup(syn_of_the_other_end_is_judged_in_its_own_direction, fresh),
		cmocka_unit_test_setup(reset_shortens_and_never_deletes, fresh),
		cmocka_unit_test_setup(reset_does_not_lengthen_a_half_open_flow, fresh),
		cmocka_unit_test_setup(flow_is_established_by_its_openers_ack, fresh),
		cmocka_unit_test_setup(another_interface_never_uses_the_record, fresh),
		cmocka_unit_test_setup(forged_answer_makes_no_record, fresh),
		cmocka_unit_test_setup(routed_pods_address_enters_by_its_own_interface_only, fresh),
		cmocka_unit_test_setup(local_flow_names_both_ends_and_replies_skip_the_stack, fresh),
		cmocka_unit_test_setup(reply_to_what_came_by_the_stack_goes_by_the_stack, fresh),
		cmocka_unit_test_setup(tightened_policy_stops_a_live_flow_with_its_next_packet, fresh),
		cmocka_unit_test_setup(untouched_flow_loses_nothing, fresh),
		cmocka_unit_test_setup(receivers_policy_stops_a_local_flow_from_either_side, fresh),
		cmocka_unit_test_setup(kept_flows_survive_but_new_ones_do_not, fresh),
		cmocka_unit_test_setup(expired_record_is_no_record, fresh),
		cmocka_unit_test_setup(sweep_returns_what_it_deletes_to_the_quota, fresh),
		cmocka_unit_test_setup(full_quota_stops_that_endpoint_alone, fresh),
		cmocka_unit_test_setup(without_a_daemon_a_full_quota_sweeps_for_itself, fresh),
		cmocka_unit_test_setup(udp_opens_with_any_packet_and_replies_pass, fresh),
		cmocka_unit_test_setup(grace_adopts_only_what_policy_allows, fresh),
		cmocka_unit_test_setup(flows_of_a_gone_endpoint_go, fresh),
	};

	return kern_main(tests);
}
