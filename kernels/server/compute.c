// SPDX-License-Identifier: MIT
#include "compute.h"

#include "clock.h"
#include "xorshift.h"

#define STEPS 20000
#define TRIES 50

uint64_t compute(uint64_t state, uint64_t steps)
{
	while (steps--)
		state = xorshift64(state);
	return state;
}

double least_of(double (*measure)(void), unsigned int tries)
{
	double least = measure();

	for (unsigned int i = 1; i < tries; i++) {
		double ns = measure();

		if (ns < least)
			least = ns;
	}
	return least;
}

static double time_step(void)
{
	uint64_t begin = clock_ns();
	volatile uint64_t kept = compute(begin, STEPS);

	(void)kept;
	return (double)(clock_ns() - begin) / STEPS;
}

static double time_reading(void)
{
	uint64_t begin = clock_ns();

	return (double)(clock_ns() - begin);
}

double compute_step_ns(void)
{
	return least_of(time_step, TRIES);
}

double clock_reading_ns(void)
{
	static double ns = -1;

	if (ns < 0)
		ns = least_of(time_reading, TRIES);
	return ns;
}
