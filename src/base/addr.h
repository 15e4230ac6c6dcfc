/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses and prefixes in the form that the kernel tables use: 16 bytes,
 * network order, IPv4 v4-mapped. Prefix lengths count over the 16 bytes, so an
 * IPv4 /24 has len 120. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/abi.h>

#define ADDR_TEXT_MAX 50 /* fits an address, "/128" and the terminator */

struct prefix {
	struct bh_addr addr; /* host bits zero */
	uint8_t len;	     /* 0..128 over the v4-mapped form */
	bool is_v4;	     /* 0.0.0.0/0 and ::/0 differ (R11): v4 has len >= 96 */
};

/* Strict text forms ("10.0.0.1", "2001:db8::1"); no zone, no v4-mapped v6 text
 * ("::ffff:10.0.0.1" is refused). -EINVAL when it is not one. */
int addr_parse(const char *text, struct bh_addr *ret_addr);
void addr_format(const struct bh_addr *addr, char out[ADDR_TEXT_MAX]);
bool addr_is_v4(const struct bh_addr *addr);
bool addr_is_zero(const struct bh_addr *addr);
/* One that a packet may be sent to from afar: not loopback, link-local, multicast,
 * broadcast or unspecified. */
bool addr_is_routable(const struct bh_addr *addr);
bool addr_equal(const struct bh_addr *a, const struct bh_addr *b);
int addr_compare(const void *a, const void *b); /* bytewise, for qsort */
struct bh_addr addr_from_v4(const void *four_bytes);

/* "10.0.0.0/8"; host bits are masked off (R11). An address without "/" is
 * -EINVAL. */
int prefix_parse(const char *text, struct prefix *ret_prefix);
struct prefix prefix_of(const struct bh_addr *addr, uint8_t len);
void prefix_format(const struct prefix *prefix, char out[ADDR_TEXT_MAX]);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct bh_addr *addr);
/* Does `outer` contain all of `inner`? Families never contain each other. */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);

#endif
