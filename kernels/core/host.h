/* SPDX-License-Identifier: MIT */
/*
 * What a program that hosts the benchmarks may call: cffi reads the declarations below, so they are
 * plain C.
 *
 * A process chooses its registration first (host_start), then asks, checks and times. A function
 * that can fail returns NULL, or a sentence that says why, which is valid until the next call. Not
 * to be called from two threads at once.
 */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdint.h>

/*
 * @name: group/method
 * @unavailable: why it cannot run in this process, or NULL
 * @flags: NEEDS_* and IS_* of benchmark.h
 */
struct host_benchmark {
	const char *name, *doc, *unavailable;
	unsigned int flags;
};

/*
 * @registration: who registered this process's area: "glibc", "self" or "none"
 * @reason: why there is none, or NULL
 * @libc_size: __rseq_size, 0 when the C library did not register
 * @registered: length of the registered area, 0 when there is none
 * @feature_size: AT_RSEQ_FEATURE_SIZE of the running Linux, 0 before 6.3
 */
struct host_rseq {
	const char *registration, *reason;
	unsigned int libc_size, registered, feature_size;
};

/*
 * @operations: done by all threads together
 * @disturbances: times a thread was sent to another CPU or signalled
 * @unmet: what should have happened in a check that passed and did not, or NULL
 */
struct host_check {
	uint64_t operations, aborts, disturbances;
	const char *unmet;
};

/*
 * @ns: from the first thread's start to the last one's end
 * @operations: of all threads, those of the warm-up included, which are not in ns
 */
struct host_time {
	uint64_t ns, aborts, operations;
};

/* Why this machine's own counters cannot be read (perf_event_open(2)), or NULL if they can. */
const char *host_no_counters(void);

/*
 * What a gated round is to time: `wanted` chunks of `loops` operations in each of `threads`
 * threads.
 */
struct host_job {
	unsigned int benchmark, threads, wanted;
	uint64_t loops;
};

/*
 * One chunk of a gated round, in the order in which they ran.
 *
 * @job: which of the jobs asked for
 * @disturbed: 1: Linux ran something else meanwhile
 * @before, @after: what the probes took, in ticks; of several threads, the slowest
 * @ticks: what the chunk took, the clock's own cost taken off
 * @instructions, @cycles, @branch_misses: in user mode; 0 where the machine does not count
 */
struct host_chunk {
	uint32_t job, disturbed, before, after, ticks, aborts;
	uint32_t instructions, cycles, branch_misses;
};

/*
 * @chunks: how many were written
 * @waits: times that a busy core was given up for a moment
 * @fastest: the fastest probe, in ticks
 * @ns: how long the round took
 * @inside: of that, ticks spent inside chunks, warm-ups and probes excluded
 * @resolution: the least by which two readings of the clock differ, in ticks: its step, or its cost
 */
struct host_round {
	uint64_t chunks, waits, fastest, ns, inside;
	double ns_per_tick;
	uint64_t resolution;
};

/* Settle who registers rseq in this process, as registration_start() has it. */
const char *host_start(const char *registration);
void host_rseq(struct host_rseq *out);
unsigned int host_count(void);
/* Describe a benchmark by its number. */
const char *host_benchmark(unsigned int benchmark, struct host_benchmark *out);
/*
 * Check with at most `loops` operations in each thread, fewer when `wanted` disturbances have
 * happened; `stress` holds sequences open.
 */
const char *host_check(unsigned int benchmark, unsigned int threads, uint64_t loops,
		       uint64_t wanted, bool stress, struct host_check *out);
/* Time `loops` operations in each thread; threads are pinned to the CPUs of the list in turn. */
const char *host_time(unsigned int benchmark, unsigned int threads, uint64_t loops, const int *cpus,
		      unsigned int cpu_count, struct host_time *out);
/* Find how many `loops` in each thread take `ns` without a neighbour, by the fastest trial. */
const char *host_calibrate(unsigned int benchmark, unsigned int threads, const int *cpus,
			   unsigned int cpu_count, uint64_t ns, uint64_t *loops);
/*
 * Run a gated round: chunks of each of the `count` jobs, in an order that `seed` shuffles in every
 * pass, until each has its chunks between two probes of at most 115% of `fastest` ticks (0: of the
 * fastest seen), or `limit_ms` are over, or `capacity` chunks are written. Threads are pinned to
 * the CPUs of the list in turn.
 */
const char *host_round(const struct host_job *jobs, unsigned int count, const int *cpus,
		       unsigned int cpu_count, uint64_t fastest, uint64_t limit_ms, uint64_t seed,
		       struct host_chunk *chunks, uint64_t capacity, struct host_round *out);

#endif
