/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a tests/bpf program: one kernel for the whole group, and a skip
 * with its reason where there cannot be one. Include once, last. */
#ifndef LIB_KERN_MAIN_H
#define LIB_KERN_MAIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/kern.h"
#include "lib/tap.h"

static struct kern *kern;
static int pods_add(void **state);

static int pods_drop(void **state)
{
	(void)state;
	kern = kern_close(kern);
	return 0;
}

static inline void kern_tcx_or_skip(void)
{
	if (kern_has_tcx())
		return;
	print_message("# SKIP this kernel has no TCX\n");
	skip();
}

/* kern_main(tests): main()'s body. pods_add() is the program's own set-up. */
#define kern_main(tests)                                                                                     \
	({                                                                                                   \
		const char *why_;                                                                            \
		int status_ = 0;                                                                             \
                                                                                                             \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                                    \
		kern = kern_open(&why_);                                                                     \
		if (kern)                                                                                    \
			status_ = cmocka_run_group_tests((tests), pods_add, pods_drop);                      \
		else                                                                                         \
			tap_skip(__FILE__, why_);                                                            \
		status_;                                                                                     \
	})

#endif
