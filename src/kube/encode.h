/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other way of decode.h, for what a later process of ours reads back. An invalid
 * part becomes an object with a field that no decoder knows, and is invalid again.
 */
#ifndef KUBE_ENCODE_H
#define KUBE_ENCODE_H

#include "base/json.h"
#include "policy/model.h"

/* A NetworkPolicy that decode_netpol() reads as this one; its problems do not travel.
 * Null: out of memory. */
cJSON *encode_netpol(const struct netpol *netpol);

#endif
