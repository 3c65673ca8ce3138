// SPDX-License-Identifier: MIT
/* What a host asks before it runs gated rounds: how long a chunk is, and whether the CPU counts. */
#include <stdbool.h>

#include "benchmark.h"
#include "clock.h"
#include "counters.h"
#include "host.h"
#include "jobs.h"
#include "registration.h"
#include "registry.h"

#define TRIALS 7
#define MOST_LOOPS (1ul << 30)

const char *host_no_counters(void)
{
	struct counters counters;

	counters_open(&counters);
	counters_close(&counters);
	return counters.missing;
}

/* What is calibrated; of several threads, host_time() is given it. */
struct calibration {
	struct thread thread;
	const struct benchmark *benchmark;
	unsigned int number, threads;
	const int *cpus;
	unsigned int cpu_count;
};

/* Time `loops` operations in the calling thread. */
static const char *time_alone(struct calibration *self, uint64_t loops, uint64_t *ns)
{
	uint64_t begin = clock_ns();

	self->benchmark->run(&self->thread, loops);
	*ns = clock_ns() - begin;
	return NULL;
}

static const char *time_together(struct calibration *self, uint64_t loops, uint64_t *ns)
{
	struct host_time time;
	const char *error =
		host_time(self->number, self->threads, loops, self->cpus, self->cpu_count, &time);

	*ns = time.ns;
	return error;
}

/*
 * Double until the best of some trials takes long enough; scaling up from a shorter one would be a
 * guess.
 */
static const char *calibrate(struct calibration *self, uint64_t loops, uint64_t wanted_ns,
			     const char *(*time)(struct calibration *, uint64_t, uint64_t *),
			     uint64_t *out)
{
	uint64_t best = 0, ns;

	for (; best < wanted_ns && loops < MOST_LOOPS; loops *= 2) {
		best = UINT64_MAX;
		for (int i = 0; i < TRIALS; i++) {
			const char *error = time(self, loops, &ns);

			if (error)
				return error;
			best = ns < best ? ns : best;
		}
	}
	loops /= 2;
	*out = best > wanted_ns ? loops * wanted_ns / best + 1 : loops;
	return NULL;
}

/* The calling thread's registration is out of the way meanwhile, where the benchmark needs that. */
static const char *calibrate_alone(struct calibration *self, uint64_t ns, uint64_t *out)
{
	const struct setup setup = { .threads = 1, .loops = 1 };
	const char *error = job_refused(self->benchmark, 1);
	bool suspends;

	if (!error)
		error = registry_set_up(self->benchmark, &setup);
	if (error)
		return error;
	self->thread.area = registration_enter();
	suspends = self->benchmark->flags & NEEDS_NO_RSEQ && self->thread.area;
	if (suspends && registration_suspend(self->thread.area))
		error = "cannot unregister the rseq area for a benchmark that needs it off";
	if (!error)
		error = calibrate(self, 1, ns, time_alone, out);
	if (suspends && !error && registration_resume(self->thread.area))
		error = "cannot register the rseq area again";
	if (self->benchmark->teardown)
		self->benchmark->teardown();
	return error;
}

const char *host_calibrate(unsigned int benchmark, unsigned int threads, const int *cpus,
			   unsigned int cpu_count, uint64_t ns, uint64_t *loops)
{
	struct calibration self = { .benchmark = registry_get(benchmark),
				    .number = benchmark,
				    .threads = threads,
				    .cpus = cpus,
				    .cpu_count = cpu_count };

	if (threads > 1)
		return calibrate(&self, 64, ns, time_together, loops);
	return calibrate_alone(&self, ns, loops);
}
