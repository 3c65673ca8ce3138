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

/* What a thread counts in a phase; the names are those of the output. */
#define PHASE_COUNTS(X)                                                                            \
	X(requests) /* served while latencies were recorded, sampled ones included */              \
	X(all) /* requests, warming up included */                                                 \
	X(allocated) /* blocks of all requests */                                                  \
	X(freed_here)                                                                              \
	X(freed_elsewhere)                                                                         \
	X(waits) /* requests whose batch found its queue full */                                   \
	X(getcpu_calls) /* of sched_getcpu(), warming up included */                               \
	X(sampled) /* requests */                                                                  \
	X(undisturbed) /* of the sampled: those that were not preempted */

/*
 * @filled, @verified: sums of the blocks' patterns
 * @latencies: recorded: they begin the array that phase_run() was given
 * @seconds: of the slowest thread, after warming up
 * @rate: requests a second: each thread's own, added up
 * @inside: the part of its seconds that a thread spent in requests, added up over threads
 * @share, @allocator_ns: the allocator's part of the undisturbed requests, and its ns, added up
 */
struct phase_result {
#define PHASE_COUNT_FIELD(name) uint64_t name;
	PHASE_COUNTS(PHASE_COUNT_FIELD)
#undef PHASE_COUNT_FIELD
	uint64_t filled, verified, latencies;
	double seconds, rate, inside, share, allocator_ns;
};

/*
 * Record at most `most` latencies, in ns; where they do not fit, the phase ends early. `queues`:
 * one for each thread.
 */
struct phase_result phase_run(const struct phase *phase, struct queue *queues, uint32_t *latencies,
			      size_t most);

#endif
