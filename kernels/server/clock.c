// SPDX-License-Identifier: MIT
#include "clock.h"

#include <time.h>

#define CALIBRATE_STEPS 20000
#define TRIES 50

static double reading_ns = -1; /* not known yet */

uint64_t clock_ns(void)
{
	struct timespec read;

	clock_gettime(CLOCK_MONOTONIC, &read);
	return (uint64_t)read.tv_sec * 1000000000 + read.tv_nsec;
}

uint64_t clock_steps(uint64_t state, uint64_t steps)
{
	while (steps--) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
	}
	return state;
}

static double fastest(double (*try)(void))
{
	double least = try();

	for (unsigned int i = 1; i < TRIES; i++) {
		double took = try();

		if (took < least)
			least = took;
	}
	return least;
}

static double computing(void)
{
	uint64_t begin = clock_ns();
	volatile uint64_t kept = clock_steps(begin, CALIBRATE_STEPS);

	(void)kept;
	return (double)(clock_ns() - begin) / CALIBRATE_STEPS;
}

static double reading(void)
{
	uint64_t begin = clock_ns();

	return (double)(clock_ns() - begin);
}

double clock_step_ns(void)
{
	return fastest(computing);
}

double clock_reading_ns(void)
{
	if (reading_ns < 0)
		reading_ns = fastest(reading);
	return reading_ns;
}
