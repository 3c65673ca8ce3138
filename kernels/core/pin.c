// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "pin.h"

#include <sched.h>
#include <stddef.h>

const char *pin_to(int cpu)
{
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	int failed = !set;

	if (set) {
		CPU_ZERO_S(size, set);
		CPU_SET_S(cpu, size, set);
		failed = sched_setaffinity(0, size, set);
	}
	CPU_FREE(set);
	return failed ? "cannot pin to the CPU" : NULL;
}
