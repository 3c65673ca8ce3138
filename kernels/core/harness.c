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

/* A check or a timed run of a benchmark: what its threads share. */
struct trial {
	struct team team;
	struct worker *workers;
	const struct benchmark *benchmark;
	void (*loop)(struct thread *self, unsigned long loops);
	unsigned long loops, warm_up, chunk;
	bool enough;
};

/*
 * Find the benchmark and set it up. Returns NULL, or what failed, and then nothing is to be closed.
 */
static const char *trial_open(struct trial *trial, unsigned int number, const struct setup *setup)
{
	const char *error;

	trial->benchmark = registry_get(number);
	error = trial->benchmark ? registry_unavailable(trial->benchmark) : "no such benchmark";
	if (error)
		return error;
	trial->team.members = calloc(setup->threads, sizeof(*trial->team.members));
	trial->workers = calloc(setup->threads, sizeof(*trial->workers));
	error = trial->team.members && trial->workers ? registry_set_up(trial->benchmark, setup)
						      : "out of memory for the threads";
	if (error) {
		free(trial->team.members);
		free(trial->workers);
		return error;
	}
	trial->team.size = setup->threads;
	trial->team.context = trial;
	for (unsigned int i = 0; i < setup->threads; i++) {
		trial->workers[i].thread.index = i;
		trial->workers[i].thread.first = i * (trial->loops + trial->warm_up);
	}
	return NULL;
}

/*
 * Verify what a trial left behind, unless it failed before, and give all back. Returns what is
 * wrong.
 */
static const char *trial_close(struct trial *trial, const char *error, bool verify,
			       uint64_t operations)
{
	const struct benchmark *benchmark = trial->benchmark;

	if (!error && verify && benchmark->verify)
		error = benchmark->verify(operations);
	if (benchmark->teardown)
		benchmark->teardown();
	free(trial->team.members);
	free(trial->workers);
	return error;
}

/* Sum up what the threads counted. Returns what is wrong: an operation that failed is. */
static const char *sum_counts(const struct trial *trial, unsigned int threads, uint64_t *aborts,
			      uint64_t *retries)
{
	unsigned long failures = 0;

	for (unsigned int i = 0; i < threads; i++) {
		*aborts += trial->workers[i].thread.aborts;
		*retries += trial->workers[i].thread.retries;
		failures += trial->workers[i].thread.failures;
	}
	return failures ? complain("%lu operations went wrong", failures) : NULL;
}

/*
 * A thread of a check works until it was disturbed enough, or its operations are done. Then it
 * lives on until it is let go, so that its thread id stays its own.
 */
static void work_disturbed(struct team_member *member)
{
	struct trial *trial = member->team->context;
	struct worker *self = &trial->workers[member->index];

	member->error = registration_enter_thread(&self->thread);
	team_wait(&trial->team);
	while (!member->error && self->operations + trial->chunk <= trial->loops &&
	       !READ_ONCE(trial->enough)) {
		trial->loop(&self->thread, trial->chunk);
		self->thread.first += trial->chunk;
		self->operations += trial->chunk;
	}
	team_wait(&trial->team);
	team_wait(&trial->team);
	registration_leave();
}

/* Run the threads of a check while they are moved and signalled. Returns what failed. */
static const char *trial_disturbed(struct trial *trial, uint64_t wanted, uint64_t *disturbances)
{
	struct disturbance disturbance = { .wanted = wanted,
					   .enough = &trial->enough,
					   .unmet = trial->benchmark->unmet,
					   .beside = trial->benchmark->beside };
	const char *error, *failed;

	trial->team.work = work_disturbed;
	trial->team.caller_waits = true;
	error = team_start(&trial->team);
	if (error)
		return error;
	team_wait(&trial->team);
	error = disturb_start(&disturbance, &trial->team);
	if (error)
		WRITE_ONCE(trial->enough, true);
	team_wait(&trial->team);
	if (!error)
		*disturbances = disturb_stop(&disturbance);
	team_wait(&trial->team);
	failed = team_join(&trial->team);
	return error ? error : failed;
}

const char *host_check(unsigned int benchmark, unsigned int threads, uint64_t loops,
		       uint64_t wanted, bool stress, struct host_check *out)
{
	const struct setup setup = {
		.threads = threads, .loops = loops, .check = true, .stress = stress
	};
	struct trial trial = { .loops = loops };
	const char *error, *wrong, *unmet;
	uint64_t retries = 0;

	memset(out, 0, sizeof(*out));
	error = trial_open(&trial, benchmark, &setup);
	if (error)
		return error;
	trial.loop = stress && trial.benchmark->stress ? trial.benchmark->stress
						       : trial.benchmark->run;
	trial.chunk = trial.benchmark->flags & TAKES_LONG ? SLOW_CHUNK : loops / CHECK_CHUNKS + 1;
	error = trial_disturbed(&trial, wanted, &out->disturbances);
	wrong = sum_counts(&trial, threads, &out->aborts, &retries);
	for (unsigned int i = 0; i < threads; i++)
		out->operations += trial.workers[i].operations;
	unmet = trial.benchmark->unmet ? trial.benchmark->unmet() : NULL;
	error = trial_close(&trial, error ? error : wrong, true, out->operations);
	out->unmet = error ? NULL : unmet;
	return error;
}

static void time_loops(struct trial *trial, struct worker *self, const char *error)
{
	if (!error)
		trial->loop(&self->thread, trial->warm_up);
	self->thread.first += trial->warm_up;
	if (trial->team.size > 1)
		team_wait(&trial->team);
	self->begin = clock_ns();
	if (!error)
		trial->loop(&self->thread, trial->loops);
	self->end = clock_ns();
}

static void work_timed(struct team_member *member)
{
	struct trial *trial = member->team->context;
	struct worker *self = &trial->workers[member->index];
	const char *error = registration_enter_thread(&self->thread);

	if (error)
		member->error = error;
	team_wait(&trial->team);
	time_loops(trial, self, member->error);
	registration_leave();
}

/* One thread runs in the caller, several run in threads of their own. Returns what failed. */
static const char *trial_timed(struct trial *trial)
{
	const char *error;

	trial->team.work = work_timed;
	if (trial->team.size > 1) {
		error = team_start(&trial->team);
		return error ? error : team_join(&trial->team);
	}
	error = trial->team.cpu_count ? pin_thread(trial->team.cpus[0]) : NULL;
	if (!error)
		error = registration_enter_thread(&trial->workers[0].thread);
	if (!error)
		time_loops(trial, &trial->workers[0], NULL);
	return error;
}

const char *host_time(unsigned int benchmark, unsigned int threads, uint64_t loops, const int *cpus,
		      unsigned int cpu_count, struct host_time *out)
{
	struct trial trial = { .loops = loops,
			       .warm_up = loops / WARM_UP_SHARE + 1,
			       .team = { .cpus = cpus, .cpu_count = cpu_count } };
	const struct setup setup = { .threads = threads, .loops = trial.loops + trial.warm_up };
	uint64_t begin = UINT64_MAX, end = 0, retries = 0;
	const char *error, *wrong;

	memset(out, 0, sizeof(*out));
	error = trial_open(&trial, benchmark, &setup);
	if (error)
		return error;
	trial.loop = trial.benchmark->run;
	error = trial_timed(&trial);
	for (unsigned int i = 0; i < threads; i++) {
		begin = trial.workers[i].begin < begin ? trial.workers[i].begin : begin;
		end = trial.workers[i].end > end ? trial.workers[i].end : end;
	}
	out->ns = end - begin;
	out->operations = threads * setup.loops;
	wrong = sum_counts(&trial, threads, &out->aborts, &retries);
	if (!error)
		error = wrong;
	if (!error && retries)
		error = "an operation had to be repeated, so this is not the time of the operation";
	/* The sum, the blocks, the events, where there are such. */
	return trial_close(&trial, error, trial.benchmark->flags & IS_SHARED, out->operations);
}
