// SPDX-License-Identifier: MIT
/*
 * The timed run and the exactness check, the same for every benchmark and every target.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "benchmark.h"
#include "clock.h"
#include "disturb.h"
#include "host.h"
#include "registration.h"
#include "registry.h"
#include "team.h"

/* A run is preceded by that share of itself. */
#define WARM_UP_SHARE 16
/* How often a check looks whether it has been disturbed enough, */
#define CHECK_CHUNKS 2048
/* or after how many operations, where these are slow. */
#define SLOW_CHUNK 8

/*
 * @operations: done in a check
 * @begin, @end: of the timed operations, CLOCK_MONOTONIC
 */
struct worker {
	struct thread thread;
	uint64_t operations;
	uint64_t begin, end;
};

/* One check or timed run of a benchmark: what its threads share. */
struct run {
	struct team team;
	struct team_member *members;
	struct worker *workers;
	const struct benchmark *benchmark;
	void (*loop)(struct thread *self, unsigned long loops);
	unsigned long loops, warm_up, chunk;
	bool enough;
};

/*
 * Find the benchmark and set it up. Returns NULL, or what failed, and then nothing is to be closed.
 */
static const char *run_open(struct run *run, unsigned int number, const struct setup *setup)
{
	const char *error;

	run->benchmark = registry_get(number);
	error = run->benchmark ? registry_unavailable(run->benchmark) : "no such benchmark";
	if (error)
		return error;
	run->members = calloc(setup->threads, sizeof(*run->members));
	run->workers = calloc(setup->threads, sizeof(*run->workers));
	error = run->members && run->workers ? registry_set_up(run->benchmark, setup)
					     : "out of memory for the threads";
	if (error) {
		free(run->members);
		free(run->workers);
		return error;
	}
	run->team.members = run->members;
	run->team.size = setup->threads;
	run->team.context = run;
	for (unsigned int i = 0; i < setup->threads; i++) {
		run->workers[i].thread.index = i;
		run->workers[i].thread.first = i * (run->loops + run->warm_up);
	}
	return NULL;
}

/*
 * Verify what a run left behind, unless it failed before, and give all back. Returns what is wrong.
 */
static const char *run_close(struct run *run, const char *error, bool verify, uint64_t operations)
{
	const struct benchmark *benchmark = run->benchmark;

	if (!error && verify && benchmark->verify)
		error = benchmark->verify(operations);
	if (benchmark->teardown)
		benchmark->teardown();
	free(run->members);
	free(run->workers);
	return error;
}

/* Sum up what the threads counted. Returns what is wrong: an operation that failed is. */
static const char *sum_counts(const struct run *run, unsigned int threads, uint64_t *aborts,
			      uint64_t *retries)
{
	unsigned long failures = 0;

	for (unsigned int i = 0; i < threads; i++) {
		*aborts += run->workers[i].thread.aborts;
		*retries += run->workers[i].thread.retries;
		failures += run->workers[i].thread.failures;
	}
	return failures ? complain("%lu operations went wrong", failures) : NULL;
}

/*
 * A thread of a check works until it was disturbed enough, or its operations are done. Then it
 * lives on until it is let go, so that its thread id stays its own.
 */
static void work_disturbed(struct team_member *member)
{
	struct run *run = member->team->context;
	struct worker *self = &run->workers[member->index];

	member->error = registration_enter_thread(&self->thread);
	team_wait(&run->team);
	while (!member->error && self->operations + run->chunk <= run->loops &&
	       !READ_ONCE(run->enough)) {
		run->loop(&self->thread, run->chunk);
		self->thread.first += run->chunk;
		self->operations += run->chunk;
	}
	team_wait(&run->team);
	team_wait(&run->team);
	registration_leave();
}

/* Run the threads of a check while they are moved and signalled. Returns what failed. */
static const char *run_disturbed(struct run *run, uint64_t wanted, uint64_t *disturbances)
{
	struct disturbance disturbance = { .wanted = wanted,
					   .enough = &run->enough,
					   .unmet = run->benchmark->unmet,
					   .beside = run->benchmark->beside };
	const char *error, *failed;

	run->team.work = work_disturbed;
	run->team.caller_waits = true;
	error = team_start(&run->team);
	if (error)
		return error;
	team_wait(&run->team);
	error = disturb_start(&disturbance, &run->team);
	if (error)
		WRITE_ONCE(run->enough, true);
	team_wait(&run->team);
	if (!error)
		*disturbances = disturb_stop(&disturbance);
	team_wait(&run->team);
	failed = team_join(&run->team);
	return error ? error : failed;
}

const char *host_check(unsigned int benchmark, unsigned int threads, uint64_t loops,
		       uint64_t wanted, bool stress, struct host_check *out)
{
	const struct setup setup = {
		.threads = threads, .loops = loops, .check = true, .stress = stress
	};
	struct run run = { .loops = loops };
	const char *error, *wrong, *unmet;
	uint64_t retries = 0;

	memset(out, 0, sizeof(*out));
	error = run_open(&run, benchmark, &setup);
	if (error)
		return error;
	run.loop = stress && run.benchmark->stress ? run.benchmark->stress : run.benchmark->run;
	run.chunk = run.benchmark->flags & TAKES_LONG ? SLOW_CHUNK : loops / CHECK_CHUNKS + 1;
	error = run_disturbed(&run, wanted, &out->disturbances);
	wrong = sum_counts(&run, threads, &out->aborts, &retries);
	for (unsigned int i = 0; i < threads; i++)
		out->operations += run.workers[i].operations;
	unmet = run.benchmark->unmet ? run.benchmark->unmet() : NULL;
	error = run_close(&run, error ? error : wrong, true, out->operations);
	out->unmet = error ? NULL : unmet;
	return error;
}

static void time_loops(struct run *run, struct worker *self, const char *error)
{
	if (!error)
		run->loop(&self->thread, run->warm_up);
	self->thread.first += run->warm_up;
	if (run->team.size > 1)
		team_wait(&run->team);
	self->begin = clock_ns();
	if (!error)
		run->loop(&self->thread, run->loops);
	self->end = clock_ns();
}

static void work_timed(struct team_member *member)
{
	struct run *run = member->team->context;
	struct worker *self = &run->workers[member->index];
	const char *error = registration_enter_thread(&self->thread);

	if (error)
		member->error = error;
	team_wait(&run->team);
	time_loops(run, self, member->error);
	registration_leave();
}

/* One thread runs in the caller, several run in threads of their own. Returns what failed. */
static const char *run_timed(struct run *run)
{
	const char *error;

	run->team.work = work_timed;
	if (run->team.size > 1) {
		error = team_start(&run->team);
		return error ? error : team_join(&run->team);
	}
	error = run->team.cpu_count ? pin_thread(run->team.cpus[0]) : NULL;
	if (!error)
		error = registration_enter_thread(&run->workers[0].thread);
	if (!error)
		time_loops(run, &run->workers[0], NULL);
	return error;
}

const char *host_time(unsigned int benchmark, unsigned int threads, uint64_t loops, const int *cpus,
		      unsigned int cpu_count, struct host_time *out)
{
	struct run run = { .loops = loops,
			   .warm_up = loops / WARM_UP_SHARE + 1,
			   .team = { .cpus = cpus, .cpu_count = cpu_count } };
	const struct setup setup = { .threads = threads, .loops = run.loops + run.warm_up };
	uint64_t begin = UINT64_MAX, end = 0, retries = 0;
	const char *error, *wrong;

	memset(out, 0, sizeof(*out));
	error = run_open(&run, benchmark, &setup);
	if (error)
		return error;
	run.loop = run.benchmark->run;
	error = run_timed(&run);
	for (unsigned int i = 0; i < threads; i++) {
		begin = run.workers[i].begin < begin ? run.workers[i].begin : begin;
		end = run.workers[i].end > end ? run.workers[i].end : end;
	}
	out->ns = end - begin;
	out->operations = threads * setup.loops;
	wrong = sum_counts(&run, threads, &out->aborts, &retries);
	if (!error)
		error = wrong;
	if (!error && retries)
		error = "an operation had to be repeated, so this is not the time of the operation";
	/* The sum, the blocks, the events, where there are such. */
	return run_close(&run, error, run.benchmark->flags & IS_SHARED, out->operations);
}
