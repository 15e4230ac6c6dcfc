/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow and obvious parser that the kernel's is held against: written from
 * RFC 791, 8200, 9293, 768 and SEMANTICS/THREATS, reading a whole frame at once. It
 * answers which reason the frame's shape alone earns, BH_PASS for a good one.
 */
#ifndef LIB_REFPARSE_H
#define LIB_REFPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct refparse {
	unsigned int reason; /* enum bh_reason */
	uint8_t proto;
	uint16_t sport, dport; /* host order */
	bool later_fragment;
};

struct refparse refparse_frame(const uint8_t *frame, size_t len, bool ext_allowed);

#endif
