/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet was dropped. Numbers never move and are never used again;
 * dashboards and logs keep them. BH_REASON(NAME, number, metric label, text).
 */
#ifndef BULKHEAD_REASON_H
#define BULKHEAD_REASON_H

#define BH_REASON_LIST(BH_REASON)                                                                            \
	BH_REASON(PASS, 0, "pass", "passed")                                                                 \
	BH_REASON(CLOSED, 1, "closed", "the pod's policy is not in place yet")                               \
	BH_REASON(NO_ENDPOINT, 2, "no_endpoint", "the interface has no endpoint")                            \
	BH_REASON(SHORT, 3, "short", "packet too short for its own headers")                                 \
	BH_REASON(MALFORMED, 4, "malformed", "headers contradict each other")                                \
	BH_REASON(VLAN, 5, "vlan", "VLAN tags are not for pods")                                             \
	BH_REASON(ETHERTYPE, 6, "ethertype", "neither IPv4, IPv6 nor ARP")                                   \
	BH_REASON(SRC_MAC, 7, "src_mac", "source MAC is not the pod's")                                      \
	BH_REASON(DST_MAC, 8, "dst_mac", "destination MAC is not the node's")                                \
	BH_REASON(SRC_ADDR, 9, "src_addr", "source address is not the pod's")                                \
	BH_REASON(ARP, 10, "arp", "ARP that is not about the pod's own address")                             \
	BH_REASON(ND, 11, "nd", "neighbour discovery that is not about the pod's own address")               \
	BH_REASON(MARTIAN, 12, "martian", "loopback, unspecified or mapped address on the wire")             \
	BH_REASON(IP_OPTIONS, 13, "ip_options", "IPv4 options")                                              \
	BH_REASON(EXT_HEADER, 14, "ext_header", "IPv6 extension header that is not allowed")                 \
	BH_REASON(FRAG_SHORT, 15, "frag_short",                                                              \
		  "first fragment without its whole header, or an overlap of it")                            \
	BH_REASON(FRAG_NO_FIRST, 16, "frag_no_first", "fragment whose allowed first part was not seen")      \
	BH_REASON(FRAG_OFF, 17, "frag_off", "fragments are switched off")                                    \
	BH_REASON(MULTICAST, 18, "multicast", "multicast or broadcast that no ipBlock lists")                \
	BH_REASON(POLICY, 19, "policy", "no rule allows it")                                                 \
	BH_REASON(NO_FLOW, 20, "no_flow", "belongs to no known connection and does not open one")            \
	BH_REASON(ICMP_ERROR, 21, "icmp_error", "ICMP error that quotes no live flow of the pod")            \
	BH_REASON(ICMP_TYPE, 22, "icmp_type", "ICMP type that pods never need")                              \
	BH_REASON(FLOW_QUOTA, 23, "flow_quota", "the endpoint's flow records are used up")                   \
	BH_REASON(FLOW_TABLE, 24, "flow_table", "the flow table is full")                                    \
	BH_REASON(ENCAP, 25, "encap", "encapsulating protocol")                                              \
	BH_REASON(TUNNEL, 26, "tunnel", "pods never send to the tunnel's port")                              \
	BH_REASON(DHCP, 27, "dhcp", "DHCP to a broadcast address, or that no rule names")                    \
	BH_REASON(OLD_FLOW, 28, "old_flow", "connection older than the policy's attachment")                 \
	BH_REASON(TUNNEL_SENDER, 29, "tunnel_sender",                                                        \
		  "tunnel packet whose source is in no pod range of the node that sent it")                  \
	BH_REASON(TUNNEL_RANGE, 30, "tunnel_range", "tunnel packet to no pod range of its receiver")         \
	BH_REASON(NO_BACKEND, 31, "no_backend", "no endpoint serves this Service now")                       \
	BH_REASON(SERVICE_NAT, 32, "service_nat", "the Service's translation has no room for this packet")   \
	BH_REASON(ICMP_RATE, 33, "icmp_rate", "more ICMP errors in a second than a pod ever needs")

enum bh_reason {
#define BH_REASON_ENUM(name, number, label, text) BH_##name = number,
	BH_REASON_LIST(BH_REASON_ENUM)
#undef BH_REASON_ENUM
};

#endif
