/* SPDX-License-Identifier: Apache-2.0 */
/* The network configuration from stdin, checked. */
#ifndef CNI_NETCONF_H
#define CNI_NETCONF_H

#include <limits.h>
#include <stdint.h>

#include "base/json.h"
#include "base/log.h"
#include "cni/env.h"

#define NETCONF_STDIN_MAX (1u << 20)
#define NETCONF_MTU_MIN	  68
#define NETCONF_MTU_MAX	  65535
#define NETCONF_DIR_MAX	  80 /* a socket path under it must fit struct sockaddr_un */

enum cni_version { CNI_V0_3_1, CNI_V0_4_0, CNI_V1_0_0, CNI_V1_1_0, CNI_VERSIONS };
extern const char *const cni_version_names[CNI_VERSIONS];
#define CNI_VERSION_NEWEST cni_version_names[CNI_VERSIONS - 1]

struct netconf {
	cJSON *json; /* owned; the strings below point into it */
	enum cni_version version;
	const char *name;	  /* of the network */
	const char *ipam_type;	  /* null: no ipam section */
	const cJSON *prev_result; /* null: none */
	uint32_t mtu;		  /* 0: what fits between nodes, or the kernel's default */
	unsigned int daemon_timeout_ms;
	char run_dir[NETCONF_DIR_MAX + 1];
	char pin_root[NETCONF_DIR_MAX + 1];
};
void netconf_done(struct netconf *conf);
#define auto_netconf cleanup(netconf_done)

/* `command` decides which versions and sections are needed. */
int netconf_read(int fd, enum cni_command command, struct netconf *ret_conf, struct failure *failure);
int netconf_parse(const char *text, size_t len, enum cni_command command, struct netconf *ret_conf,
		  struct failure *failure);

/* Index of a version's name, -1 for an unknown one. */
int cni_version_find(const char *name);

#endif
