/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the tables of an older layout to ours, under traffic (F28, C2):
 *
 *   1. every table is compared; what can neither be shared nor grown refuses all
 *   2. our set is built beside the old one: equal tables are the same map under a
 *      second pin, grown ones are created and their rows copied
 *   3. one flag in the old configuration sends every packet of the node to our
 *      programs: the only moment that counts
 *   4. `current` and the hooks follow, then the flow records; until they are all
 *      over, our programs fetch from the old table what they miss
 *   5. the loader puts the same programs without that detour, and the old set goes
 *
 * A crash before 3 leaves the old layout and a folder that the next start removes;
 * after 3 the new layout, and the next start, of whichever version, finishes 4.
 * The caller holds pins_lock(), so nobody claims or clears rows meanwhile.
 *
 * Rows that packets write while 2 copies them (bh_usage, bh_frags, if they grew) may
 * miss what these milliseconds add: a later fragment, a part of a quota.
 */
#ifndef DATAPLANE_HANDOVER_H
#define DATAPLANE_HANDOVER_H

#include <bulkhead/abi.h>

#include "base/err.h"

/* Brings our layout to life if an older one is. 0 also when there is nothing to do;
 * -EPROTO names the map, or the newer layout, that it refuses: the old programs go on. */
int handover_run(const char *root, const struct bh_config *config, struct err *err);

#endif
