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
#include <unistd.h>

#include "clock.h"
#include "compute.h"

#define CALLS 10000
#define TRIES 20

static int (*libc_getcpu)(void);
static __thread uint64_t calls;

/* Not at the first call: that may come from within an allocation, and dlsym() may allocate. */
static __attribute__((constructor)) void find_libc_getcpu(void)
{
	libc_getcpu = (int (*)(void))dlsym(RTLD_NEXT, "sched_getcpu");
}

__attribute__((visibility("default"))) int sched_getcpu(void)
{
	unsigned int cpu = 0;

	calls++;
	if (libc_getcpu)
		return libc_getcpu();
	return syscall(SYS_getcpu, &cpu, NULL, NULL) ? -1 : (int)cpu;
}

uint64_t getcpu_calls(void)
{
	return calls;
}

static double time_call(void)
{
	uint64_t begin = clock_ns();

	for (unsigned int i = 0; i < CALLS; i++)
		libc_getcpu();
	return (double)(clock_ns() - begin) / CALLS;
}

double getcpu_ns(void)
{
	return least_of(time_call, TRIES);
}
