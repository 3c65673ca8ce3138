// SPDX-License-Identifier: MIT
/*
 * A program's own function goes before the C library's for all libraries in the process. Ours
 * counts and calls on; with a call in thousands of requests, as it is, that costs nothing that
 * could be seen.
 */
#define _GNU_SOURCE
#include "getcpu.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS 10000
#define TRIES 20

static int (*own)(void);
static __thread uint64_t calls;

/* Not at the first call: that may come from within an allocation, and dlsym() may allocate. */
static __attribute__((constructor)) void find(void)
{
	own = (int (*)(void))dlsym(RTLD_NEXT, "sched_getcpu");
}

__attribute__((visibility("default"))) int sched_getcpu(void)
{
	unsigned int cpu = 0;

	calls++;
	if (own)
		return own();
	return syscall(SYS_getcpu, &cpu, NULL, NULL) ? -1 : (int)cpu;
}

uint64_t getcpu_calls(void)
{
	return calls;
}

static double once(void)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned int i = 0; i < CALLS; i++)
		own();
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
	       CALLS;
}

double getcpu_ns(void)
{
	double least = once();

	for (unsigned int i = 1; i < TRIES; i++) {
		double took = once();

		if (took < least)
			least = took;
	}
	return least;
}
