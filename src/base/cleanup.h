/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership. Declare and initialise in one statement, never jump
 * over one, and mark a hand-over with TAKE() at the line where it happens.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(fn) __attribute__((cleanup(fn)))

#define TAKE(ptr)                                                                                            \
	({                                                                                                   \
		__typeof__(ptr) take_ = (ptr);                                                               \
		(ptr) = NULL;                                                                                \
		take_;                                                                                       \
	})

#define TAKE_FD(fd)                                                                                          \
	({                                                                                                   \
		int take_ = (fd);                                                                            \
		(fd) = -1;                                                                                   \
		take_;                                                                                       \
	})

/* Defines auto_NAME's cleanup function for a type whose _free takes null. */
#define DEFINE_AUTO(type, free_fn)                                                                           \
	static inline void free_fn##_auto(type **ptr)                                                        \
	{                                                                                                    \
		if (*ptr)                                                                                    \
			free_fn(*ptr);                                                                       \
	}

static inline void auto_free_run(void *ptr)
{
	free(*(void **)ptr);
}

static inline void auto_close_run(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_fclose_run(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define auto_free   cleanup(auto_free_run)
#define auto_close  cleanup(auto_close_run)
#define auto_fclose cleanup(auto_fclose_run)

#endif
