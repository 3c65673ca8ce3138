/* SPDX-License-Identifier: MIT */
/* The time, computing that takes time, and what both take. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* ns since some time that is the same for all threads. */
uint64_t clock_ns(void);
/*
 * Compute for so many steps, each of which needs the one before it; `state`, which is not 0,
 * becomes what is returned.
 */
uint64_t clock_steps(uint64_t state, uint64_t steps);
/* What computing takes: ns for a step, the fastest of several tries. */
double clock_step_ns(void);
/*
 * ns that two readings of the clock are apart at least; found by the first call, before there are
 * threads.
 */
double clock_reading_ns(void);

#endif
