/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pod interface: what ADD made and DEL must find again. Kept as one JSON
 * file per attachment, <runDir>/attachments/<containerID>:<ifname>.json (neither
 * part can contain a ':'), written by temporary file and rename. The daemon
 * reads the same files and gets the same object over its socket.
 *
 * A file is a hint, never a permission: the kernel is asked before anything that
 * a file names is touched, and names and MACs of a standalone attachment follow
 * from the container id, so that DEL finds everything without a file.
 */
#ifndef CNI_ATTACHMENT_H
#define CNI_ATTACHMENT_H

#include <limits.h>
#include <net/if.h>

#include "base/addr.h"
#include "cni/netconf.h"

struct attachment {
	char container_id[CNI_ID_MAX + 1];
	char ifname[IF_NAMESIZE];
	char network[CNI_ID_MAX + 1];
	char netns[PATH_MAX];
	char host_ifname[IF_NAMESIZE];
	char ipam[64]; /* IPAM plugin, "" when chained */
	char cni_version[8];
	char namespace[64], pod[254], uid[129]; /* "" outside Kubernetes */
	uint32_t slot, ifindex;			/* ifindex of the host side */
	uint8_t mac[6], host_mac[6];
	struct bh_addr addrs[BH_ENDPOINT_ADDRS]; /* without link-local ones */
	unsigned int n_addrs;
	bool chained;
};

/* Name and MACs that follow from container id and interface name. */
void attachment_name(const char *container_id, const char *ifname, char out[IF_NAMESIZE]);
void attachment_macs(const char *container_id, const char *ifname, uint8_t pod[6], uint8_t host[6]);

/* Makes runDir and its folders; -EPERM when someone else could write there. */
int attachment_dir_make(const char *run_dir, struct err *err);

/* The object of the file and of POST /v1/attachments; null when out of memory. */
cJSON *attachment_json(const struct attachment *attachment);

int attachment_save(const char *run_dir, const struct attachment *attachment, struct err *err);
/* -ENOENT: none; -EBADMSG: there is a file, and it cannot be used. */
int attachment_load(const char *run_dir, const char *container_id, const char *ifname,
		    struct attachment *ret_attachment, struct err *err);
/* Removes the file and what a killed writer left beside it. */
int attachment_forget(const char *run_dir, const char *container_id, const char *ifname, struct err *err);

struct attachment_key {
	char container_id[CNI_ID_MAX + 1];
	char ifname[IF_NAMESIZE];
};
/* Every attachment that has a file, readable or not. Caller frees. */
int attachment_list(const char *run_dir, struct attachment_key **ret_keys, size_t *ret_n, struct err *err);

#endif
