/* SPDX-License-Identifier: MIT */
/* Threads that serve requests as fast as they can, for a while. */
#ifndef PHASE_H
#define PHASE_H

#include <stddef.h>
#include <stdint.h>

#include "queue.h"

#define MOST_THREADS 4096 /* four for each CPU that a cpu_set_t holds */
/* one request in as many has its allocation calls timed, and no latency recorded */
#define SAMPLED 16

struct phase {
	unsigned int threads;
	uint64_t work; /* steps of computing in each request */
	uint64_t ns; /* how long requests are timed */
	uint64_t warm_ns; /* how long they go before that, not timed */
};

struct served {
	uint64_t requests; /* served while latencies were recorded, sampled ones included */
	uint64_t latencies; /* recorded: they begin the array that phase_run() was given */
	double seconds; /* of the slowest thread, after warming up */
	double rate; /* requests a second: each thread's own, added up */
	/* the part of its seconds that a thread spent in requests, added up over threads */
	double inside;
	uint64_t all; /* requests, warming up included */
	uint64_t allocated, freed_here, freed_elsewhere; /* blocks of all */
	uint64_t filled, verified; /* sums of their patterns */
	uint64_t waits; /* requests whose batch found its queue full */
	uint64_t sampled, undisturbed; /* and of those, how many were not preempted */
	/* sums over the undisturbed: the allocator's part of a request, and its ns */
	double share, allocator_ns;
	uint64_t getcpu_calls; /* of sched_getcpu(), warming up included */
};

/*
 * Record at most `most` latencies, in ns; where they do not fit, the phase ends early. `queues`:
 * one for each thread.
 */
struct served phase_run(const struct phase *phase, struct queue *queues, uint32_t *latencies,
			size_t most);

#endif
