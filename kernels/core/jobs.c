// SPDX-License-Identifier: MIT
#include "jobs.h"

#include "registry.h"

const char *job_refused(const struct benchmark *benchmark, unsigned int threads)
{
	if (!benchmark)
		return "no such benchmark";
	if (!threads)
		return "a chunk needs a thread";
	if (threads > 1 && !(benchmark->flags & IS_THREADED))
		return "measured with one thread only";
	/* One that needs rseq off gets that for as long as it runs. */
	return benchmark->flags & NEEDS_NO_RSEQ ? NULL : registry_unavailable(benchmark);
}

const char *jobs_choose(struct jobs *jobs, const struct host_job *wanted, unsigned int count)
{
	if (!count || count > MAX_JOBS)
		return "too few or too many benchmarks for one round";
	jobs->count = count;
	jobs->ready = 0;
	for (unsigned int i = 0; i < count; i++) {
		const struct benchmark *benchmark = registry_get(wanted[i].benchmark);
		const char *error = job_refused(benchmark, wanted[i].threads);

		if (error)
			return error;
		jobs->list[i] = (struct job){ .benchmark = benchmark,
					      .threads = wanted[i].threads,
					      .wanted = wanted[i].wanted,
					      .loops = wanted[i].loops };
	}
	return NULL;
}

/* The benchmarks of a group share their state, and so have one setup(). */
static bool shares_setup(const struct jobs *jobs, unsigned int i, unsigned int j)
{
	return jobs->list[i].benchmark->setup == jobs->list[j].benchmark->setup;
}

/* Whether no other of the group comes before: then it sets up and tears down for all of them. */
static bool is_first_of_group(const struct jobs *jobs, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (shares_setup(jobs, i, number))
			return false;
	return true;
}

static bool is_verified_before(const struct jobs *jobs, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (jobs->list[i].benchmark->flags & IS_SHARED &&
		    jobs->list[i].benchmark->verify == jobs->list[number].benchmark->verify)
			return true;
	return false;
}

static uint64_t operations_of_group(const struct jobs *jobs, unsigned int number)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < jobs->count; i++)
		if (shares_setup(jobs, i, number))
			sum += jobs->list[i].operations;
	return sum;
}

unsigned int jobs_most_threads(const struct jobs *jobs)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < jobs->count; i++)
		most = jobs->list[i].threads > most ? jobs->list[i].threads : most;
	return most;
}

const char *jobs_set_up(struct jobs *jobs)
{
	const struct setup setup = { .threads = jobs_most_threads(jobs), .loops = 1 };
	const char *error = NULL;

	for (; jobs->ready < jobs->count; jobs->ready++) {
		if (is_first_of_group(jobs, jobs->ready))
			error = registry_set_up(jobs->list[jobs->ready].benchmark, &setup);
		if (error)
			break;
	}
	return error;
}

const char *jobs_conclude(const struct jobs *jobs, const struct thread *counts, const char *error)
{
	for (unsigned int i = 0; i < jobs->count && !error; i++) {
		const struct benchmark *benchmark = jobs->list[i].benchmark;

		if (benchmark->verify && benchmark->flags & IS_SHARED &&
		    !is_verified_before(jobs, i))
			error = benchmark->verify(operations_of_group(jobs, i));
	}
	for (unsigned int i = 0; i < jobs->ready; i++)
		if (jobs->list[i].benchmark->teardown && is_first_of_group(jobs, i))
			jobs->list[i].benchmark->teardown();
	if (!error && (counts->failures || counts->retries))
		error = "an operation went wrong or had to be repeated";
	return error;
}
