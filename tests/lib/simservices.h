/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services into writes: a model of the kernel's tables takes them one by one, and after
 * each a new connection finds the old backends or the new ones (C4, C13).
 */
#ifndef LIB_SIMSERVICES_H
#define LIB_SIMSERVICES_H

#include "service/services.h"

/* shop/web, port 80 in front of 8080 on 10.96.0.10 and, where n_addrs is 2,
 * fd00:96::10; shop/api has the same ports on 10.96.0.20. */
extern struct service_port web_ports[1];
extern struct bh_addr web_addrs[2], api_addrs[1];
extern struct service web, api;
extern struct service_view view; /* where data is an address, that one is local */

/* A slice of shop/web, as endpoint() makes it. */
extern struct slice_port slice_ports[1];
struct said {
	struct endpoint_slice slice;
	struct slice_endpoint endpoints[64];
};
void endpoint(struct said *said, const char *addr, bool ready, bool serving, bool terminating);

struct kernel {
	struct bh_front_row fronts[64];
	struct bh_group_row groups[4096];
	size_t n_fronts, n_groups;
	unsigned int gens, fences, writes;
};
extern struct kernel kernel;
extern struct services *services;

/* A cmocka set-up and its end: empty tables, and all above as it is said there. */
int services_setup(void **state);
int services_teardown(void **state);

void change(enum change_kind kind, const void *old, const void *now);
/* Plans and writes until there is nothing left to do; kernel.writes counts. */
void settle(void);
/* "10.0.0.1:8080 10.0.0.2:8080", "none" without backends, "absent" without a row. */
const char *behind(const struct bh_addr *addr, uint16_t port, uint8_t proto);
const char *behind_web(void); /* its first address, by TCP */

#endif
