/* SPDX-License-Identifier: Apache-2.0 */
/* libbpf's own messages. */
#ifndef DATAPLANE_BPFLOG_H
#define DATAPLANE_BPFLOG_H

/* From now on libbpf speaks through log.c, one level lower than we do: what it
 * warns of, our errors say. Call once, at start. */
void bpflog_demote(void);

#endif
