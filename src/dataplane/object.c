// SPDX-License-Identifier: Apache-2.0
#include "dataplane/object.h"

#ifndef BPF_OBJECT
#error "BPF_OBJECT names the compiled programs; the Makefile gives it"
#endif

__asm__(".pushsection .rodata\n"
	".balign 16\n"
	"bulkhead_object_begin:\n"
	".incbin \"" BPF_OBJECT "\"\n"
	"bulkhead_object_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char bulkhead_object_begin[], bulkhead_object_end[];

const void *object_data(size_t *ret_size)
{
	*ret_size = (size_t)(bulkhead_object_end - bulkhead_object_begin);
	return bulkhead_object_begin;
}
