/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy means, in a short notation:
 *   subject; ingress; egress      open: not isolated in that direction
 *   [peers/ports ...]             the rules; any: absent or empty; !: invalid
 *   pods{}, ns{}, both with +     selectors; *: empty; nothing: a peer without a field
 */
#ifndef LIB_NETPOL_TEXT_H
#define LIB_NETPOL_TEXT_H

#include "policy/model.h"

/* To be freed. */
char *netpol_text(const struct netpol *netpol);

#endif
