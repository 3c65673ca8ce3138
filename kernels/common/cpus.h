/* SPDX-License-Identifier: MIT */
#ifndef CPUS_H
#define CPUS_H

#include <sched.h>

#define MAX_CPUS 8192

/* A set of CPUs for the macros CPU_*_S(): a machine may have more than a cpu_set_t holds. */
typedef cpu_set_t cpu_mask[MAX_CPUS / CPU_SETSIZE];

#endif
