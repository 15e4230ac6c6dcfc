// SPDX-License-Identifier: Apache-2.0
/* The same tests of the form that every processor runs. */
#define JSON_SCAN_PORTABLE
#include "base/json_depth.c"
#include "base/json_scan.c"

#include "test_json_scan.c"
