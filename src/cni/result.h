/* SPDX-License-Identifier: Apache-2.0 */
/* CNI results: what an IPAM plugin or a previous plugin answered, and ours in
 * the shape of the version that was asked for. */
#ifndef CNI_RESULT_H
#define CNI_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "cni/netconf.h"

#define RESULT_IPS_MAX	  (BH_ENDPOINT_ADDRS - 1) /* one row entry is the link-local address's */
#define RESULT_ROUTES_MAX 256

struct result_ip {
	struct bh_addr addr;
	uint8_t len; /* over the v4-mapped form */
	bool has_gateway;
	struct bh_addr gateway;
};

struct result_route {
	struct prefix dst;
	bool has_gateway;
	struct bh_addr gateway;
	uint32_t mtu, advmss, priority, table; /* 0: not given (CNI 1.1) */
};

struct result {
	struct result_ip ips[RESULT_IPS_MAX];
	struct result_route *routes; /* owned */
	size_t n_ips, n_routes;
};
void result_done(struct result *result);
#define auto_result cleanup(result_done)

/* Reads ips and routes of `json`. Entries of ips that belong to another
 * interface than `interface` are left out (-1: take all). */
int result_parse(const cJSON *json, int interface, struct result *ret_result, struct failure *failure);

/* Index in prevResult.interfaces of the pod's side: has a sandbox, and this
 * name. -1 if there is none. */
int result_pod_interface(const cJSON *json, const char *ifname);

struct result_interface {
	const char *name;
	const char *sandbox; /* null: on the host */
	const uint8_t *mac;
	uint32_t mtu;
};

/* The result of a standalone ADD: host and pod interface, IPAM's addresses
 * (ours to the pod, so as single addresses), IPAM's routes and DNS, or the
 * configuration's DNS when it has any. Null when out of memory. */
cJSON *result_build(const struct netconf *conf, const struct result *ips, const cJSON *ipam_answer,
		    const struct result_interface interfaces[2]);

void mac_format(const uint8_t mac[6], char out[18]);
int mac_parse(const char *text, uint8_t out[6]); /* -EINVAL */

#endif
