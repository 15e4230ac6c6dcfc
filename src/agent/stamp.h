/* SPDX-License-Identifier: Apache-2.0 */
/* Times: RFC 3339 in UTC for people, milliseconds of the monotonic clock for
 * intervals (a clock that jumps must not stall a retry: THREATS F21). */
#ifndef AGENT_STAMP_H
#define AGENT_STAMP_H

#include <stdint.h>
#include <time.h>

#define STAMP_MAX 32

static inline void stamp_format(time_t when, char out[STAMP_MAX])
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(out, STAMP_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static inline int64_t stamp_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t stamp_now_ms(void)
{
	return stamp_now_us() / 1000;
}

#endif
