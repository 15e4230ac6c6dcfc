// SPDX-License-Identifier: Apache-2.0
#include "kube/backoff.h"

#include <stdlib.h>
#include <sys/random.h>

#define BREAKER_POLL_MS 250

uint32_t random32(void)
{
	uint32_t value;

	/* 4 bytes come whole or, very early in a boot, not at all. */
	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = (uint32_t)random();
	return value;
}

int64_t backoff_next_ms(struct backoff *backoff, int64_t now, uint32_t random)
{
	int64_t limit = backoff->first_ms;

	if (backoff->healthy_since && now - backoff->healthy_since >= backoff->healthy_ms)
		backoff->failures = 0;
	backoff->healthy_since = 0;
	for (unsigned int i = 0; i < backoff->failures && limit < backoff->last_ms; i++)
		limit *= 2;
	if (limit > backoff->last_ms)
		limit = backoff->last_ms;
	backoff->failures++;
	return (int64_t)((uint64_t)random * ((uint64_t)limit + 1) >> 32);
}

void backoff_healthy(struct backoff *backoff, int64_t now)
{
	if (!backoff->healthy_since)
		backoff->healthy_since = now;
}

int64_t breaker_wait_ms(struct breaker *breaker, int64_t now, int64_t probe_ms)
{
	if (!breaker->is_open)
		return 0;
	if (now < breaker->closed_until)
		return breaker->closed_until - now;
	if (now < breaker->probe_until) {
		int64_t left = breaker->probe_until - now;

		return left < BREAKER_POLL_MS ? left : BREAKER_POLL_MS;
	}
	breaker->probe_until = now + probe_ms;
	return 0;
}

int64_t breaker_failed(struct breaker *breaker, int64_t now, uint32_t random)
{
	/* Requests that were under way when it opened fail one by one: one failure. */
	if (!breaker->is_open || now >= breaker->closed_until)
		breaker->closed_until = now + backoff_next_ms(&breaker->backoff, now, random);
	breaker->is_open = true;
	breaker->probe_until = 0;
	return breaker->closed_until - now;
}

void breaker_ok(struct breaker *breaker, int64_t now)
{
	breaker->is_open = false;
	breaker->probe_until = 0;
	backoff_healthy(&breaker->backoff, now);
}
