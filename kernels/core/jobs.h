/* SPDX-License-Identifier: MIT */
/*
 * The jobs of a gated round: each times chunks of one benchmark with a number of threads. They are
 * set up and proved exact together, because the benchmarks of a group share their state.
 */
#ifndef JOBS_H
#define JOBS_H

#include <stdint.h>

#include "benchmark.h"
#include "host.h"

#define MAX_JOBS 256

/*
 * @operations: of all chunks and warm-ups, by all threads
 * @quiet, @busy: chunks so far, without a neighbour and with one
 */
struct job {
	const struct benchmark *benchmark;
	unsigned int threads, wanted;
	unsigned long loops;
	uint64_t operations;
	unsigned int quiet, busy;
};

/* @ready: how many are set up, and so have to be torn down */
struct jobs {
	struct job list[MAX_JOBS];
	unsigned int count;
	unsigned int ready;
};

/* How many operations come before the timed ones of a chunk, in each thread. */
static inline unsigned long job_warm_up(const struct job *job)
{
	return job->loops / 16 + 1;
}

/* Why a benchmark cannot be timed with that many threads, or NULL if it can. */
const char *job_refused(const struct benchmark *benchmark, unsigned int threads);
/* Take over the jobs that a host asks for. Returns NULL, or why they cannot be. */
const char *jobs_choose(struct jobs *jobs, const struct host_job *wanted, unsigned int count);
/* Returns NULL, or what failed; jobs_conclude() is to be called all the same. */
const char *jobs_set_up(struct jobs *jobs);
/*
 * Tear all down; unless the round failed before, what it left behind must be exact, like what a
 * check leaves. `counts`: of all its threads. Returns NULL, or an error.
 */
const char *jobs_conclude(const struct jobs *jobs, const struct thread *counts, const char *error);
unsigned int jobs_most_threads(const struct jobs *jobs);

#endif
