// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "chunk_team.h"

#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "registration.h"
#include "team.h"
#include "ticks.h"

/* Turns of a wait before it lets others run: there may be more threads than CPUs. */
#define SPINS 1000
/* A thread that begins later than this share of a chunk did not run with the others. */
#define LATEST_SHARE 20
/*
 * Threads that take turns on a CPU are disturbed when others had more than that share of its time.
 */
#define FOREIGN_SHARE 50

/*
 * @own: the timer of the thread: of the first, the caller's, else `timer`
 * @wanted: posted once for each chunk, and to stop
 * @before, @after: probes, in ticks
 * @since_ns, @until_ns: around the chunk; @ran_ns: how much of that it was on its CPU
 */
struct chunk_member {
	struct chunk_timer timer;
	struct chunk_timer *own;
	sem_t wanted;
	struct chunk_time time;
	uint64_t before, after;
	uint64_t since_ns, until_ns, ran_ns;
	const char *error;
};

struct chunk_team {
	struct team team;
	bool stop;
	/* The chunk that is timed now. */
	const struct benchmark *benchmark;
	unsigned int size;
	unsigned long warm_up, loops;
	unsigned int arrived, done;
	struct chunk_member members[];
};

/* A barrier that does not sleep: a thread that is woken begins too late. */
static void spin_until(const unsigned int *count, unsigned int wanted)
{
	for (unsigned int i = 0; __atomic_load_n(count, __ATOMIC_ACQUIRE) < wanted; i++)
		if (i >= SPINS)
			sched_yield();
}

static int cpu_of(const struct chunk_team *team, unsigned int index)
{
	return team->team.cpus[index % team->team.cpu_count];
}

static void chunk_member_time(struct chunk_team *team, unsigned int index)
{
	struct chunk_member *self = &team->members[index];
	uint64_t ran;

	team->benchmark->run(&self->own->thread, team->warm_up);
	__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL);
	spin_until(&team->arrived, team->size);
	self->before = chunk_timer_probe(self->own);
	self->since_ns = clock_ns();
	ran = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	chunk_timer_run(self->own, team->benchmark, team->loops, &self->time);
	self->ran_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - ran;
	self->until_ns = clock_ns();
	self->after = chunk_timer_probe(self->own);
	if (sched_getcpu() != cpu_of(team, index))
		self->error = "taken away from its CPU";
	__atomic_add_fetch(&team->done, 1, __ATOMIC_ACQ_REL);
}

static void chunk_member_work(struct team_member *thread)
{
	struct chunk_team *team = thread->team->context;
	struct chunk_member *self = &team->members[thread->index];

	self->error = thread->error;
	if (!self->error)
		self->error = chunk_timer_open(self->own, team->members[0].own);
	__atomic_add_fetch(&team->done, 1, __ATOMIC_ACQ_REL);
	for (;;) {
		while (sem_wait(&self->wanted))
			;
		if (team->stop)
			break;
		chunk_member_time(team, thread->index);
	}
	registration_leave();
}

static void chunk_team_free(struct chunk_team *team)
{
	for (unsigned int i = 0; i < team->team.size; i++)
		sem_destroy(&team->members[i].wanted);
	free(team->team.members);
	free(team);
}

void chunk_team_stop(struct chunk_team *team)
{
	struct thread *first = &team->members[0].own->thread;

	team->stop = true;
	for (unsigned int i = 1; i < team->team.size; i++)
		sem_post(&team->members[i].wanted);
	team_join(&team->team);
	for (unsigned int i = 1; i < team->team.size; i++) {
		const struct thread *thread = &team->members[i].timer.thread;

		first->aborts += thread->aborts;
		first->failures += thread->failures;
		first->retries += thread->retries;
	}
	chunk_team_free(team);
}

const char *chunk_team_start(struct chunk_team **out, struct chunk_timer *first, unsigned int size,
			     const int *cpus, unsigned int cpu_count)
{
	size_t bytes = sizeof(struct chunk_team) + size * sizeof(struct chunk_member);
	/* The alignment of a tripwire is more than calloc() gives. */
	struct chunk_team *team = aligned_alloc(_Alignof(struct chunk_team), bytes);
	struct team_member *threads = calloc(size, sizeof(*threads));
	const char *error;

	if (!team || !threads) {
		free(team);
		free(threads);
		return "out of memory for the threads of a round";
	}
	memset(team, 0, bytes);
	team->team = (struct team){ .members = threads,
				    .size = size,
				    .first = 1,
				    .cpus = cpus,
				    .cpu_count = cpu_count,
				    .work = chunk_member_work,
				    .context = team };
	for (unsigned int i = 0; i < size; i++) {
		team->members[i].own = i ? &team->members[i].timer : first;
		team->members[i].timer.thread.index = i;
		sem_init(&team->members[i].wanted, 0, 0);
	}
	error = team_start(&team->team);
	if (error) {
		chunk_team_free(team);
		return error;
	}
	spin_until(&team->done, size - 1);
	for (unsigned int i = 1; i < size && !error; i++)
		error = team->members[i].error;
	if (error)
		chunk_team_stop(team);
	else
		*out = team;
	return error;
}

/*
 * Where threads have to take turns on a CPU, context switches say nothing: there, the threads of
 * each CPU must together have had it from the first one's begin to the last one's end.
 */
static bool cpu_was_ours(const struct chunk_team *team, unsigned int first)
{
	uint64_t since = UINT64_MAX, until = 0, ran = 0;

	for (unsigned int i = first; i < team->size; i += team->team.cpu_count) {
		const struct chunk_member *member = &team->members[i];

		since = member->since_ns < since ? member->since_ns : since;
		until = member->until_ns > until ? member->until_ns : until;
		ran += member->ran_ns;
	}
	return ran + (until - since) / FOREIGN_SHARE >= until - since;
}

static bool was_disturbed(const struct chunk_team *team, const struct chunk_time *whole,
			  uint64_t latest)
{
	bool disturbed = false;

	if (team->size > team->team.cpu_count) {
		for (unsigned int cpu = 0; cpu < team->team.cpu_count; cpu++)
			disturbed |= !cpu_was_ours(team, cpu);
		return disturbed;
	}
	for (unsigned int i = 0; i < team->size; i++)
		disturbed |= team->members[i].time.disturbed;
	return disturbed || latest - whole->begin > (whole->end - whole->begin) / LATEST_SHARE;
}

const char *chunk_team_run(struct chunk_team *team, const struct benchmark *benchmark,
			   unsigned int threads, unsigned long warm_up, unsigned long loops,
			   struct chunk_time *out, uint64_t probes[2])
{
	uint64_t latest = 0;
	const char *error = NULL;

	team->benchmark = benchmark;
	team->size = threads;
	team->warm_up = warm_up;
	team->loops = loops;
	team->arrived = team->done = 0;
	for (unsigned int i = 1; i < threads; i++)
		sem_post(&team->members[i].wanted);
	chunk_member_time(team, 0);
	spin_until(&team->done, threads);
	*out = team->members[0].time;
	probes[0] = probes[1] = 0;
	for (unsigned int i = 0; i < threads; i++) {
		const struct chunk_member *member = &team->members[i];

		out->begin = member->time.begin < out->begin ? member->time.begin : out->begin;
		out->end = member->time.end > out->end ? member->time.end : out->end;
		latest = member->time.begin > latest ? member->time.begin : latest;
		probes[0] = member->before > probes[0] ? member->before : probes[0];
		probes[1] = member->after > probes[1] ? member->after : probes[1];
		error = member->error ? member->error : error;
	}
	out->disturbed = was_disturbed(team, out, latest);
	return error;
}

uint64_t chunk_team_aborts(const struct chunk_team *team)
{
	uint64_t aborts = 0;

	for (unsigned int i = 0; i < team->team.size; i++)
		aborts += team->members[i].own->thread.aborts;
	return aborts;
}
