// SPDX-License-Identifier: MIT
/*
 * The timed loop and the exactness check, the same for every benchmark and every target.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "disturb.h"
#include "host.h"
#include "benchmark.h"
#include "pin.h"
#include "registration.h"
#include "registry.h"

#define WARM_UP_SHARE 16 /* a run is preceded by a sixteenth of itself */
#define CHECK_CHUNKS 2048 /* a check looks that often whether it has been disturbed enough */
#define SLOW_CHUNK 8 /* or after so many operations that are slow */

struct team;

struct worker {
	struct thread thread;
	struct team *team;
	pthread_t handle;
	pid_t tid;
	int cpu; /* pinned to, or -1 */
	uint64_t operations; /* done in a check */
	uint64_t begin, end; /* CLOCK_MONOTONIC, ns */
	const char *failed;
};

/* The threads that run one benchmark at the same time. */
struct team {
	void (*run)(struct thread *self, unsigned long loops);
	unsigned long loops, warm_up, chunk;
	unsigned int size;
	/*
	 * work until disturbed enough, and then live on until let go, so that thread ids stay
	 * theirs
	 */
	bool check;
	bool enough;
	pthread_barrier_t gate;
	struct worker *workers;
};

static int fail(char message[256], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, 256, format, arguments);
	va_end(arguments);
	return -1;
}

static void work(struct worker *self)
{
	struct team *team = self->team;

	if (!self->failed)
		team->run(&self->thread, team->warm_up);
	self->thread.first += team->warm_up;
	if (team->size > 1)
		pthread_barrier_wait(&team->gate);
	self->begin = clock_ns();
	if (!self->failed)
		team->run(&self->thread, team->loops);
	self->end = clock_ns();
}

/* Work until the disturbances were enough, or `loops` operations are done. */
static void work_disturbed(struct worker *self)
{
	struct team *team = self->team;
	unsigned long chunk = team->chunk;

	while (!self->failed && self->operations + chunk <= team->loops &&
	       !READ_ONCE(team->enough)) {
		team->run(&self->thread, chunk);
		self->thread.first += chunk;
		self->operations += chunk;
	}
}

static void *worker_main(void *argument)
{
	struct worker *self = argument;

	self->tid = syscall(SYS_gettid);
	if (self->cpu >= 0)
		self->failed = pin_to(self->cpu);
	self->thread.area = registration_enter();
	if (!self->thread.area && registration_mode() != REGISTRATION_NONE)
		self->failed = "cannot register the rseq area of a thread";
	pthread_barrier_wait(&self->team->gate);
	if (self->team->check)
		work_disturbed(self);
	else
		work(self);
	if (self->team->check) {
		pthread_barrier_wait(&self->team->gate);
		pthread_barrier_wait(&self->team->gate);
	}
	registration_leave();
	return NULL;
}

static int team_open(struct team *team, unsigned int size)
{
	team->workers = calloc(size, sizeof(*team->workers));
	if (!team->workers)
		return ENOMEM;
	team->size = size;
	for (unsigned int i = 0; i < size; i++) {
		team->workers[i].team = team;
		team->workers[i].cpu = -1;
		team->workers[i].thread.index = i;
		team->workers[i].thread.first = i * (team->loops + team->warm_up);
	}
	return 0;
}

/*
 * Start all threads; they wait for one another. Threads that do not start leave the others waiting,
 * so give up.
 */
static void team_start(struct team *team)
{
	pthread_barrier_init(&team->gate, NULL, team->size + team->check);
	for (unsigned int i = 0; i < team->size; i++) {
		if (pthread_create(&team->workers[i].handle, NULL, worker_main,
				   &team->workers[i])) {
			fprintf(stderr, "cannot start thread %u of %u\n", i + 1, team->size);
			_exit(1);
		}
	}
}

static const char *team_join(struct team *team)
{
	const char *failed = NULL;

	for (unsigned int i = 0; i < team->size; i++) {
		pthread_join(team->workers[i].handle, NULL);
		if (team->workers[i].failed)
			failed = team->workers[i].failed;
	}
	pthread_barrier_destroy(&team->gate);
	return failed;
}

/* Sum up what the threads counted; a failure is a complaint. */
static const char *team_counts(const struct team *team, uint64_t *aborts, uint64_t *retries)
{
	unsigned long failures = 0;

	for (unsigned int i = 0; i < team->size; i++) {
		*aborts += team->workers[i].thread.aborts;
		*retries += team->workers[i].thread.retries;
		failures += team->workers[i].thread.failures;
	}
	return failures ? complain("%lu operations went wrong", failures) : NULL;
}

/*
 * What a timed run left behind is verified too, where there is something: the sum, the blocks, the
 * events.
 */
static const char *conclude(const struct benchmark *benchmark, uint64_t operations, bool check,
			    const char *failed)
{
	if (!failed && benchmark->verify && (check || benchmark->flags & IS_SHARED))
		failed = benchmark->verify(operations);
	if (benchmark->teardown)
		benchmark->teardown();
	return failed;
}

static const struct benchmark *usable(unsigned int number, char message[256])
{
	const struct benchmark *benchmark = registry_get(number);
	const char *why = benchmark ? registry_unavailable(benchmark) : "no such benchmark";

	if (!why)
		return benchmark;
	fail(message, "%s", why);
	return NULL;
}

/* Run the team while its threads are moved and signalled; return what failed. */
static const char *disturbed(struct team *team, const struct benchmark *benchmark, pid_t *tids,
			     uint64_t wanted, uint64_t *disturbances)
{
	struct disturbance disturbance = { .wanted = wanted,
					   .unmet = benchmark->unmet,
					   .enough = &team->enough };

	team->check = true;
	team_start(team);
	pthread_barrier_wait(&team->gate);
	for (unsigned int i = 0; i < team->size; i++)
		tids[i] = team->workers[i].tid;
	disturb_start(&disturbance, tids, team->size, benchmark->beside);
	pthread_barrier_wait(&team->gate); /* all work is done */
	*disturbances = disturb_stop(&disturbance);
	pthread_barrier_wait(&team->gate); /* let them go */
	return team_join(team);
}

int host_check(unsigned int number, unsigned int threads, uint64_t loops, uint64_t wanted,
	       int stress, struct host_check *out)
{
	const struct benchmark *benchmark;
	struct team team = { .loops = loops };
	struct setup setup = {
		.threads = threads, .loops = loops, .check = true, .stress = stress
	};
	const char *failed, *counted, *unmet;
	pid_t *tids;
	int error;

	memset(out, 0, sizeof(*out));
	benchmark = usable(number, out->message);
	if (!benchmark)
		return -1;
	team.run = stress && benchmark->stress ? benchmark->stress : benchmark->run;
	team.chunk = benchmark->flags & TAKES_LONG ? SLOW_CHUNK : loops / CHECK_CHUNKS + 1;
	tids = calloc(threads, sizeof(*tids));
	error = !tids || team_open(&team, threads) ? ENOMEM
		: benchmark->setup		   ? benchmark->setup(&setup)
						   : 0;
	if (error)
		return fail(out->message, "cannot set up the check: %s", strerror(error));
	failed = disturbed(&team, benchmark, tids, wanted, &out->disturbances);
	counted = team_counts(&team, &out->aborts, &out->retries);
	for (unsigned int i = 0; i < threads; i++)
		out->operations += team.workers[i].operations;
	out->threads = threads;
	unmet = benchmark->unmet ? benchmark->unmet() : NULL;
	failed = conclude(benchmark, out->operations, true, failed ? failed : counted);
	free(team.workers);
	free(tids);
	if (!failed && unmet)
		snprintf(out->message, sizeof(out->message), "%s", unmet);
	return failed ? fail(out->message, "%s", failed) : 0;
}

/*
 * One thread runs in the caller, several run in threads of their own, each on its CPU of the list,
 * round robin.
 */
static const char *time_team(struct team *team, const int *cpus, unsigned int cpu_count)
{
	struct worker *first = team->workers;

	for (unsigned int i = 0; i < team->size && cpu_count; i++)
		team->workers[i].cpu = cpus[i % cpu_count];
	if (team->size > 1) {
		team_start(team);
		return team_join(team);
	}
	if (cpu_count && pin_to(first->cpu))
		return "cannot pin to the CPU";
	first->thread.area = registration_enter();
	if (!first->thread.area && registration_mode() != REGISTRATION_NONE)
		return "cannot register the rseq area of the thread";
	work(first);
	return NULL;
}

int host_time(unsigned int number, unsigned int threads, uint64_t loops, const int *cpus,
	      unsigned int cpu_count, struct host_time *out)
{
	const struct benchmark *benchmark;
	struct team team = { .loops = loops, .warm_up = loops / WARM_UP_SHARE + 1 };
	struct setup setup = { .threads = threads, .loops = team.loops + team.warm_up };
	uint64_t begin = UINT64_MAX, end = 0, retries = 0;
	const char *failed, *counted;
	int error;

	memset(out, 0, sizeof(*out));
	benchmark = usable(number, out->message);
	if (!benchmark)
		return -1;
	team.run = benchmark->run;
	error = team_open(&team, threads) ? ENOMEM
		: benchmark->setup	  ? benchmark->setup(&setup)
					  : 0;
	if (error)
		return fail(out->message, "cannot set up the benchmark: %s", strerror(error));
	failed = time_team(&team, cpus, cpu_count);
	for (unsigned int i = 0; i < threads; i++) {
		begin = team.workers[i].begin < begin ? team.workers[i].begin : begin;
		end = team.workers[i].end > end ? team.workers[i].end : end;
	}
	out->ns = end - begin;
	out->operations = threads * setup.loops;
	counted = team_counts(&team, &out->aborts, &retries);
	if (!failed && retries)
		failed =
			"an operation had to be repeated, so this is not the time of the operation";
	failed = conclude(benchmark, out->operations, false, failed ? failed : counted);
	free(team.workers);
	return failed ? fail(out->message, "%s", failed) : 0;
}
