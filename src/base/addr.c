// SPDX-License-Identifier: Apache-2.0
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool addr_is_v4(const struct bh_addr *addr)
{
	return memcmp(addr->b, mapped, sizeof(mapped)) == 0;
}

bool addr_is_zero(const struct bh_addr *addr)
{
	return !(addr->w[0] | addr->w[1] | addr->w[2] | addr->w[3]);
}

bool addr_is_routable(const struct bh_addr *addr)
{
	static const unsigned char loopback[16] = { [15] = 1 };
	const unsigned char *b = addr->b;

	if (addr_is_v4(addr))
		return b[12] != 0 && b[12] != 127 && b[12] < 224 && !(b[12] == 169 && b[13] == 254);
	return !addr_is_zero(addr) && memcmp(b, loopback, sizeof(loopback)) != 0 && b[0] != 0xff &&
	       !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

bool addr_equal(const struct bh_addr *a, const struct bh_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int addr_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct bh_addr));
}

struct bh_addr addr_from_v4(const void *four_bytes)
{
	struct bh_addr addr;

	memcpy(addr.b, mapped, sizeof(mapped));
	memcpy(addr.b + 12, four_bytes, 4);
	return addr;
}

int addr_parse(const char *text, struct bh_addr *ret_addr)
{
	struct in_addr v4;
	struct bh_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret_addr = addr_from_v4(&v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, v6.b) != 1 || addr_is_v4(&v6))
		return -EINVAL;
	*ret_addr = v6;
	return 0;
}

void addr_format(const struct bh_addr *addr, char out[ADDR_TEXT_MAX])
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + 12, out, ADDR_TEXT_MAX);
	else
		inet_ntop(AF_INET6, addr->b, out, ADDR_TEXT_MAX);
}

struct prefix prefix_of(const struct bh_addr *addr, uint8_t len)
{
	struct prefix prefix = { .addr = *addr, .len = len };

	prefix.is_v4 = len >= 96 && addr_is_v4(addr);
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			prefix.addr.b[i] &= (uint8_t)(0xff00u >> keep);
	}
	return prefix;
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char copy[ADDR_TEXT_MAX];
	struct bh_addr addr;
	unsigned long len;
	char *slash;
	bool is_v4;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	if (addr_parse(copy, &addr) < 0)
		return -EINVAL;
	is_v4 = addr_is_v4(&addr);
	if (text_to_ulong(slash + 1, 0, is_v4 ? 32 : 128, &len) < 0)
		return -EINVAL;
	*ret_prefix = prefix_of(&addr, (uint8_t)(is_v4 ? len + 96 : len));
	return 0;
}

void prefix_format(const struct prefix *prefix, char out[ADDR_TEXT_MAX])
{
	size_t n;

	addr_format(&prefix->addr, out);
	n = strlen(out);
	snprintf(out + n, ADDR_TEXT_MAX - n, "/%u", prefix->is_v4 ? prefix->len - 96u : prefix->len);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->is_v4 == b->is_v4 && a->len == b->len && addr_equal(&a->addr, &b->addr);
}

bool prefix_contains(const struct prefix *prefix, const struct bh_addr *addr)
{
	struct prefix masked;

	if (prefix->is_v4 != addr_is_v4(addr))
		return false;
	masked = prefix_of(addr, prefix->len);
	return addr_equal(&masked.addr, &prefix->addr);
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	return outer->is_v4 == inner->is_v4 && outer->len <= inner->len &&
	       prefix_contains(outer, &inner->addr);
}
