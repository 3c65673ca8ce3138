/* SPDX-License-Identifier: MIT */
/* Threads that serve requests as fast as they can, for a while. */
#ifndef PHASE_H
#define PHASE_H

#include <stddef.h>
#include <stdint.h>

#include "queue.h"

/* Four for each CPU that a cpu_set_t holds. */
#define MOST_THREADS 4096
/* One request in as many has its allocation calls timed, and no latency recorded. */
#define SAMPLED 16

/*
 * @work: steps of computing in each request
 * @ns: how long requests are timed
 * @warm_ns: how long they go before that, not timed
 */
struct phase {
	unsigned int threads;
	uint64_t work, ns, warm_ns;
};

/*
 * @requests: served while latencies were recorded, sampled ones included
 * @latencies: recorded: they begin the array that phase_run() was given
 * @seconds: of the slowest thread, after warming up
 * @rate: requests a second: each thread's own, added up
 * @inside: the part of its seconds that a thread spent in requests, added up over threads
 * @all: requests, warming up included
 * @allocated, @freed_here, @freed_elsewhere: blocks of all
 * @filled, @verified: sums of their patterns
 * @waits: requests whose batch found its queue full
 * @sampled, @undisturbed: requests that were, and those of them that were not preempted
 * @share, @allocator_ns: the allocator's part of the undisturbed requests, and its ns, added up
 * @getcpu_calls: of sched_getcpu(), warming up included
 */
struct phase_result {
	uint64_t requests, latencies;
	double seconds, rate, inside;
	uint64_t all, allocated, freed_here, freed_elsewhere, filled, verified, waits;
	uint64_t sampled, undisturbed;
	double share, allocator_ns;
	uint64_t getcpu_calls;
};

/*
 * Record at most `most` latencies, in ns; where they do not fit, the phase ends early. `queues`:
 * one for each thread.
 */
struct phase_result phase_run(const struct phase *phase, struct queue *queues, uint32_t *latencies,
			      size_t most);

#endif
