/* SPDX-License-Identifier: MIT */
/* How often an allocator asks the C library for the CPU number, and what that costs here. */
#ifndef GETCPU_H
#define GETCPU_H

#include <stdint.h>

/* Calls of sched_getcpu() by this thread. */
uint64_t getcpu_calls(void);
/* ns that the C library's own takes, the fastest of several tries. */
double getcpu_ns(void);

#endif
