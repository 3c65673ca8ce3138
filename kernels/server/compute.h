/* SPDX-License-Identifier: MIT */
/* Computing that takes time, and how long that and reading the clock take. */
#ifndef COMPUTE_H
#define COMPUTE_H

#include <stdint.h>

/*
 * Compute for so many steps, each of which needs the one before it; `state`, which is not 0,
 * becomes what is returned.
 */
uint64_t compute(uint64_t state, uint64_t steps);
/* ns for a step, the fastest of several tries. */
double compute_step_ns(void);
/*
 * ns that two readings of the clock are apart at least; found by the first call, before there are
 * threads.
 */
double clock_reading_ns(void);
/* The least of what several calls return. */
double least_of(double (*measure)(void), unsigned int tries);

#endif
