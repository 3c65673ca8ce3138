/* SPDX-License-Identifier: MIT */
/*
 * What a program that hosts the benchmarks may call: cffi reads the declarations below, so they are
 * plain C.
 *
 * A process chooses its registration first (host_start), then asks, checks and times. Functions
 * that can fail return 0, or leave a sentence in `message` and return -1. Not to be called from two
 * threads at once.
 */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>

struct host_benchmark {
	const char *name; /* group/method */
	const char *doc;
	const char *unavailable; /* why it cannot run in this process, or NULL */
	unsigned int flags; /* NEEDS_* and IS_* of benchmark.h */
};

struct host_rseq {
	/* who registered this process's area: "glibc", "self" or "none" */
	const char *registration;
	const char *reason; /* why there is none, or NULL */
	unsigned int libc_size; /* __rseq_size, 0 when the C library did not register */
	unsigned int registered; /* length of the registered area, 0 when there is none */
	unsigned int feature_size; /* AT_RSEQ_FEATURE_SIZE of the running Linux, 0 before 6.3 */
};

struct host_check {
	uint64_t operations; /* done by all threads together */
	uint64_t aborts;
	uint64_t disturbances; /* times a thread was sent to another CPU or signalled */
	uint64_t retries;
	unsigned int threads;
	/* what is wrong; or, if nothing is, what should have happened and did not */
	char message[256];
};

struct host_time {
	uint64_t ns; /* from the first thread's start to the last one's end */
	uint64_t aborts;
	/* of all threads, those of the warm-up included, which are not in ns */
	uint64_t operations;
	char message[256];
};

/* Why this machine's own counters cannot be read (perf_event_open(2)), or NULL if they can. */
const char *host_no_counters(void);

/*
 * What a gated round is to time: `wanted` chunks of `loops` operations in each of `threads`
 * threads.
 */
struct host_slot {
	unsigned int benchmark, threads, wanted;
	uint64_t loops;
};

/* One chunk of a gated round, in the order in which they ran. */
struct host_chunk {
	uint32_t slot; /* which of the slots asked for */
	uint32_t disturbed; /* 1: Linux ran something else meanwhile */
	/* what the probes took, in ticks; of several threads, the slowest */
	uint32_t before, after;
	uint32_t ticks; /* what the chunk took, the clock's own cost taken off */
	uint32_t aborts;
	/* in user mode; 0 where the machine does not count */
	uint32_t instructions, cycles, branch_misses;
};

struct host_round {
	uint64_t chunks; /* how many were written */
	uint64_t waits; /* times that a busy core was given up for a moment */
	uint64_t fastest; /* the fastest probe, in ticks */
	uint64_t ns; /* how long the round took */
	uint64_t inside; /* of that, ticks spent inside chunks, warm-ups and probes excluded */
	double ns_per_tick;
	/* the least by which two readings of the clock differ, in ticks: its step, or its cost */
	uint64_t resolution;
	char message[256];
};

int host_start(const char *registration, char message[256]);
void host_rseq(struct host_rseq *out);
unsigned int host_count(void);
int host_benchmark(unsigned int benchmark, struct host_benchmark *out);
/*
 * At most `loops` operations a thread, fewer when `wanted` disturbances have happened; `stress`
 * holds sequences open.
 */
int host_check(unsigned int benchmark, unsigned int threads, uint64_t loops, uint64_t wanted,
	       int stress, struct host_check *out);
/* `loops` operations in each of the threads, pinned to the CPUs of the list in turn. */
int host_time(unsigned int benchmark, unsigned int threads, uint64_t loops, const int *cpus,
	      unsigned int cpu_count, struct host_time *out);
/*
 * How many operations of a benchmark, in each thread, last `ns` on cores that are ours, by the
 * fastest trial; 0 on failure.
 */
uint64_t host_calibrate(unsigned int benchmark, unsigned int threads, const int *cpus,
			unsigned int cpu_count, uint64_t ns, char message[256]);
/*
 * A gated round: chunks of each of the `count` slots, in an order that `seed` shuffles anew in
 * every pass, until each has its chunks between two probes of at most 115% of `fastest` ticks (0:
 * of the fastest seen), or `limit_ms` are over, or `capacity` chunks are written. Threads are
 * pinned to the CPUs of the list in turn.
 */
int host_gate(const struct host_slot *slots, unsigned int count, const int *cpus,
	      unsigned int cpu_count, uint64_t fastest, uint64_t limit_ms, uint64_t seed,
	      struct host_chunk *chunks, uint64_t capacity, struct host_round *out);

#endif
