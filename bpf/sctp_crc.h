/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How SCTP's CRC32c changes when the ports do. A CRC is linear: the sums of two
 * messages of one length differ by the CRC, with no initial value, of where they
 * differ. Here that is their first four bytes, followed by zeros; and n zero bytes
 * multiply by x^8n. So nothing but the length is read, and where the sum is still to
 * be filled in, the change does no harm.
 */
#ifndef BPF_SCTP_CRC_H
#define BPF_SCTP_CRC_H

#include "bpf/base.h"

#define CRC32C_POLY 0x82f63b78u /* bits reflected: x^0 is the highest one */
#define CRC32C_X0   0x80000000u
#define CRC32C_X8   0x00800000u

/* a * b modulo the polynomial. Without branches, so that the verifier follows one
 * path. */
__u32 crc_multiply(__u32 a, __u32 b);

__noinline __u32 crc_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = (b >> 1) ^ (CRC32C_POLY & -(b & 1));
	}
	return product;
}

/* x^(8 * n), n below 65,536. */
static __always_inline __u32 crc_zeros(__u32 n)
{
	__u32 power = CRC32C_X0, square = CRC32C_X8;

	for (int i = 0; i < 16; i++) {
		__u32 product = crc_multiply(square, power);

		power = n >> i & 1 ? product : power;
		square = crc_multiply(square, square);
	}
	return power;
}

/* `changed`: old XOR new of the message's first four bytes, as they lie in memory.
 * len: of the whole message, at least 4. What to XOR the sum with, as it lies in
 * memory: the field carries the lowest byte first. */
static __always_inline __u32 sctp_crc_change(__u32 changed, __u32 len)
{
	__u32 crc = changed;

	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		crc = __builtin_bswap32(crc);
	/* Four bytes of the message are x^32 times their value. */
	crc = crc_multiply(crc, crc_zeros(len));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? crc : __builtin_bswap32(crc);
}

#endif
