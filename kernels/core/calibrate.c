// SPDX-License-Identifier: MIT
/* What a host asks before it runs gated rounds: how long a chunk is, and whether the CPU counts. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "counters.h"
#include "host.h"
#include "benchmark.h"
#include "registration.h"
#include "registry.h"
#include "slots.h"

#define CALIBRATION_TRIALS 7
#define MOST_LOOPS (1ul << 30)

const char *host_no_counters(void)
{
	struct counters counters;

	counters_open(&counters);
	counters_close(&counters);
	return counters.missing;
}

/* How long `loops` operations take at best, in ns, in the calling thread. */
static uint64_t best_alone(const struct benchmark *benchmark, struct thread *thread, uint64_t loops)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < CALIBRATION_TRIALS; i++) {
		uint64_t begin = clock_ns(), took;

		benchmark->run(thread, loops);
		took = clock_ns() - begin;
		best = took < best ? took : best;
	}
	return best;
}

/*
 * Double until the best of some trials takes long enough; scaling up from a shorter one would be a
 * guess.
 */
static uint64_t calibrate_alone(const struct benchmark *benchmark, uint64_t ns, char message[256])
{
	const struct setup setup = { .threads = 1, .loops = 1 };
	struct thread thread = { .area = registration_enter() };
	bool suspended = benchmark && benchmark->flags & NEEDS_NO_RSEQ && thread.area;
	const char *why = slot_refuses(benchmark, 1);
	uint64_t loops = 1, best = 0;

	if (why || (benchmark->setup && benchmark->setup(&setup)) ||
	    (suspended && registration_suspend(thread.area))) {
		snprintf(message, 256, "%s", why ? why : "cannot set up the benchmark");
		return 0;
	}
	for (; best < ns && loops < MOST_LOOPS; loops *= 2)
		best = best_alone(benchmark, &thread, loops);
	if (suspended)
		registration_resume(thread.area);
	if (benchmark->teardown)
		benchmark->teardown();
	loops /= 2;
	return best > ns ? loops * ns / best + 1 : loops;
}

/* The same for several threads at once, each on its CPU. */
static uint64_t calibrate_crew(unsigned int number, unsigned int threads, const int *cpus,
			       unsigned int cpu_count, uint64_t ns, char message[256])
{
	uint64_t loops = 64, best = 0;
	struct host_time time;

	for (; best < ns && loops < MOST_LOOPS; loops *= 2) {
		best = UINT64_MAX;
		for (int i = 0; i < CALIBRATION_TRIALS; i++) {
			if (host_time(number, threads, loops, cpus, cpu_count, &time)) {
				memcpy(message, time.message, sizeof(time.message));
				return 0;
			}
			best = time.ns < best ? time.ns : best;
		}
	}
	loops /= 2;
	return best > ns ? loops * ns / best + 1 : loops;
}

uint64_t host_calibrate(unsigned int number, unsigned int threads, const int *cpus,
			unsigned int cpu_count, uint64_t ns, char message[256])
{
	if (threads > 1)
		return calibrate_crew(number, threads, cpus, cpu_count, ns, message);
	return calibrate_alone(registry_get(number), ns, message);
}
