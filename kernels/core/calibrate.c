// SPDX-License-Identifier: MIT
/* What a host asks before it runs gated rounds: how long a chunk is, and whether the CPU counts. */
#include <stdbool.h>
#include <stdio.h>

#include "clock.h"
#include "counters.h"
#include "host.h"
#include "kernel.h"
#include "registration.h"
#include "registry.h"

#define CALIBRATION_TRIALS 7

const char *host_no_counters(void)
{
	struct counters counters;

	counters_open(&counters);
	counters_close(&counters);
	return counters.missing;
}

uint64_t host_calibrate(unsigned int number, unsigned int threads, const int *cpus, unsigned int cpu_count, uint64_t ns,
			char message[256])
{
	const struct kernel *kernel = registry_get(number);
	const struct setup setup = { .threads = 1, .loops = 1 };
	struct thread thread = { .area = registration_enter() };
	uint64_t loops = 1, best = 0;
	bool suspended = kernel && kernel->flags & NEEDS_NO_RSEQ && thread.area;

	if (!kernel || (kernel->setup && kernel->setup(&setup)) || (suspended && registration_suspend(thread.area))) {
		snprintf(message, 256, "cannot set up the kernel");
		return 0;
	}
	/* Double until the best of some trials takes long enough; scaling up from a shorter one would be a guess. */
	for (; best < ns && loops < 1ul << 30; loops *= 2) {
		best = UINT64_MAX;
		for (int i = 0; i < CALIBRATION_TRIALS; i++) {
			uint64_t begin = clock_ns(), took;

			kernel->run(&thread, loops);
			took = clock_ns() - begin;
			best = took < best ? took : best;
		}
	}
	if (suspended)
		registration_resume(thread.area);
	if (kernel->teardown)
		kernel->teardown();
	loops /= 2;
	return best > ns ? loops * ns / best + 1 : loops;
}
