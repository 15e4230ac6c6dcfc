// SPDX-License-Identifier: Apache-2.0
#include "lib/refparse.h"

#include <bulkhead/reason.h>
#include <string.h>

static unsigned int be16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static struct refparse no(unsigned int reason)
{
	return (struct refparse){ .reason = reason };
}

/* The protocol's header in `left` bytes at `at`. */
static struct refparse transport(uint8_t proto, const uint8_t *at, size_t left, bool first_fragment, bool v6)
{
	struct refparse out = { .reason = BH_PASS, .proto = proto };
	unsigned int cut = first_fragment ? BH_FRAG_SHORT : BH_SHORT;
	size_t need = proto == 6 ? 20 : proto == 132 ? 12 : 8;
	bool icmp = proto == (v6 ? 58 : 1);

	if (proto != 6 && proto != 17 && proto != 132 && !icmp)
		return out;
	if (left < need)
		return no(cut);
	if (!icmp) {
		out.sport = (uint16_t)be16(at);
		out.dport = (uint16_t)be16(at + 2);
	}
	if (proto == 6 && (at[12] >> 4) < 5)
		return no(BH_MALFORMED);
	if (proto == 6 && (size_t)(at[12] >> 4) * 4 > left)
		return no(cut);
	if (proto == 17 && be16(at + 4) < 8)
		return no(BH_MALFORMED);
	if (proto == 17 && !first_fragment && be16(at + 4) > left)
		return no(BH_MALFORMED);
	return out;
}

static unsigned int fragment(uint8_t proto, size_t offset, bool more, size_t left)
{
	size_t header = proto == 6 ? 20 : proto == 132 ? 12 : 8;

	if (left == 0 || (more && left % 8) || offset + left > 65515)
		return BH_MALFORMED;
	if (offset > 0 && offset < header)
		return BH_FRAG_SHORT;
	return BH_PASS;
}

static struct refparse ipv4(const uint8_t *ip, size_t have)
{
	size_t header, total, offset;
	bool more;
	unsigned int r;

	if (have < 20)
		return no(BH_SHORT);
	header = (size_t)(ip[0] & 15) * 4;
	total = be16(ip + 2);
	if (ip[0] >> 4 != 4 || header < 20 || total < header)
		return no(BH_MALFORMED);
	if (total > have)
		return no(BH_SHORT);
	if (header > 20)
		return no(BH_IP_OPTIONS);
	if (ip[6] & 0x80)
		return no(BH_MALFORMED);
	offset = (be16(ip + 6) & 0x1fff) * 8;
	more = ip[6] & 0x20;
	if (offset || more) {
		r = fragment(ip[9], offset, more, total - 20);
		if (r != BH_PASS)
			return no(r);
	}
	if (offset)
		return (struct refparse){ .reason = BH_PASS, .proto = ip[9], .later_fragment = true };
	return transport(ip[9], ip + 20, total - 20, more, false);
}

static bool names_a_header(uint8_t type)
{
	return type == 0 || type == 43 || type == 44 || type == 51 || type == 59 || type == 60 ||
	       type == 135 || type == 139 || type == 140;
}

static bool is_v4_address(const uint8_t *a)
{
	static const uint8_t zero[12];

	if (memcmp(a, zero, 10) != 0)
		return false;
	if (a[10] == 0xff && a[11] == 0xff)
		return true;
	return a[10] == 0 && a[11] == 0 && memcmp(a + 12, zero, 4) != 0;
}

/* Six headers at most, each by its own length rule. */
static struct refparse ipv6(const uint8_t *ip, size_t have, bool ext_allowed)
{
	size_t at = 40, end, offset;
	bool fragment_seen = false;
	uint8_t type;

	if (have < 40)
		return no(BH_SHORT);
	if (ip[0] >> 4 != 6)
		return no(BH_MALFORMED);
	end = 40 + be16(ip + 4);
	if (end > have)
		return no(BH_SHORT);
	if (is_v4_address(ip + 8) || is_v4_address(ip + 24))
		return no(BH_MARTIAN);
	type = ip[6];
	for (int step = 0; names_a_header(type); step++) {
		const uint8_t *h = ip + at;

		if (step == 6)
			return no(BH_EXT_HEADER);
		if (type == 44) {
			unsigned int r;

			if (fragment_seen)
				return no(BH_EXT_HEADER);
			if (at + 8 > end)
				return no(BH_SHORT);
			fragment_seen = true;
			type = h[0];
			offset = be16(h + 2) & 0xfff8;
			at += 8;
			if (!offset && !(h[3] & 1))
				continue;
			if (names_a_header(type))
				return no(BH_EXT_HEADER);
			r = fragment(type, offset, h[3] & 1, end - at);
			if (r != BH_PASS)
				return no(r);
			if (offset)
				return (struct refparse){ .reason = BH_PASS,
							  .proto = type,
							  .later_fragment = true };
			return transport(type, ip + at, end - at, true, true);
		}
		if (!ext_allowed || type == 59 || type >= 135 || (type == 0 && step > 0))
			return no(BH_EXT_HEADER);
		if (at + 8 > end)
			return no(BH_SHORT);
		if (type == 43 && (h[2] == 0 || h[2] == 2))
			return no(BH_EXT_HEADER);
		at += type == 51 ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
		type = h[0];
		if (at > end)
			return no(BH_SHORT);
	}
	return transport(type, ip + at, end - at, false, true);
}

struct refparse refparse_frame(const uint8_t *frame, size_t len, bool ext_allowed)
{
	unsigned int ethertype;

	if (len < 14)
		return no(BH_SHORT);
	ethertype = be16(frame + 12);
	if (ethertype == 0x0800)
		return ipv4(frame + 14, len - 14);
	if (ethertype == 0x86dd)
		return ipv6(frame + 14, len - 14, ext_allowed);
	return no(BH_ETHERTYPE);
}
