/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes on stdout. 1 to 99 belong to the CNI specification; from 100 up
 * they are ours, published here and in the manual page. Numbers never move and
 * are never used again.
 *
 * Whatever the code, a failed ADD has left nothing behind. A code that the
 * kernel's shortage of something caused (memory, descriptors, disk space)
 * becomes CODE_TRY_LATER.
 */
#ifndef CNI_CODE_H
#define CNI_CODE_H

enum cni_code {
	CODE_NONE = 0,
	CODE_VERSION = 1,	    /* cniVersion not supported, or the command needs a newer one */
	CODE_UNSUPPORTED = 2,	    /* value of one of our keys is not supported: key and value named */
	CODE_UNKNOWN_CONTAINER = 3, /* the netns is gone; nothing was made, no DEL needed */
	CODE_ENVIRONMENT = 4,	    /* CNI_* variables missing or malformed: all named */
	CODE_IO = 5,		    /* reading stdin, or state under runDir */
	CODE_UNDECODABLE = 6,	    /* stdin is not one JSON object of at most 1 MiB */
	CODE_CONFIG = 7,	    /* network configuration, prevResult or attachment list not valid */
	CODE_NETNS = 8,		    /* CNI_NETNS is no network namespace, or it is the plugin's own */
	CODE_TRY_LATER = 11,	    /* daemon absent or not synced, lock busy, no addresses left */
	CODE_NOT_AVAILABLE = 50,    /* STATUS: ADD would fail */
	CODE_NOT_AVAILABLE_PODS_SUFFER = 51, /* STATUS: and policy changes do not reach running pods */

	CODE_EXISTS = 100,	   /* ADD: the interface or the attachment is there already */
	CODE_LINK = 101,	   /* the kernel refused an interface, address, route or neighbour */
	CODE_IPAM = 102,	   /* the IPAM plugin is missing or gave no CNI answer */
	CODE_IPAM_RESULT = 103,	   /* the IPAM plugin's answer cannot be used */
	CODE_ENDPOINT = 104,	   /* no endpoint row could be claimed or cleared */
	CODE_HOOK = 105,	   /* the programs could not be attached or detached */
	CODE_DAEMON = 106,	   /* the daemon refused the attachment for good */
	CODE_CHAIN = 107,	   /* chained: no host side veth belongs to the pod's interface */
	CODE_CHECK_LINK = 110,	   /* CHECK: interface missing or different */
	CODE_CHECK_ADDRESS = 111,  /* CHECK: an address is missing */
	CODE_CHECK_ROUTE = 112,	   /* CHECK: a route is missing */
	CODE_CHECK_HOOK = 113,	   /* CHECK: a program is missing or not ours */
	CODE_CHECK_ENDPOINT = 114, /* CHECK: the endpoint row is missing or not this pod's */
	CODE_GC = 120,		   /* GC: some stale attachments could not be removed; each is named */
};

#endif
