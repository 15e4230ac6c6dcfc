/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_DECODE_RACE_H
#define BENCH_DECODE_RACE_H

#include <stddef.h>

/* Decodes pods of the crowd as items of a list, in rounds in which the daemon's decoder
 * and plain cJSON (parsed and freed, nothing read) take turns: microseconds a pod of the
 * one, and how many times as long the other takes. Returns a pod's bytes. */
size_t decode_race(unsigned int rounds, double *ret_us, double *ret_times);

#endif
