// SPDX-License-Identifier: MIT
/*
 * liburcu as a program may use it whose licence is compatible with the LGPL: its functions are
 * inlined.
 */
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#define PROVIDER provider_urcu_inlined
#include "flavour.h"
