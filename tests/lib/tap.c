// SPDX-License-Identifier: Apache-2.0
#include "lib/tap.h"

#include <stdarg.h>
#include <stdio.h>

static unsigned int count, failures;

bool tap_result(bool passed, const char *fmt, ...)
{
	va_list args;

	count++;
	failures += !passed;
	printf("%s %u - ", passed ? "ok" : "not ok", count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return passed;
}

void tap_skip(const char *name, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++count, name, why);
}

void tap_note(const char *fmt, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

int tap_done(void)
{
	printf("1..%u\n", count);
	return failures || !count;
}
