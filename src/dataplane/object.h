/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF object file, carried inside the daemon. */
#ifndef DATAPLANE_OBJECT_H
#define DATAPLANE_OBJECT_H

#include <stddef.h>

const void *object_data(size_t *ret_size);

#endif
