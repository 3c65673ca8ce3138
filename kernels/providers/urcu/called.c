// SPDX-License-Identifier: MIT
/* liburcu as a program of any licence uses it: its functions are called. */
#define PROVIDER provider_urcu_called
#include "flavour.h"
