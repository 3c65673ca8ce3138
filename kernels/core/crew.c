// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "crew.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "pin.h"
#include "registration.h"

#define SPINS 1000 /* of a wait, before it lets others run: there may be more threads than CPUs */
/* of a chunk: a thread that begins later than that did not run beside the others */
#define LATEST_SHARE 20
/* of a CPU's time: more spent on others, and threads that take turns were disturbed */
#define FOREIGN_SHARE 50

struct member {
	struct crew *crew;
	struct timer timer; /* of the first: unused, it has its own */
	struct timer *own;
	pthread_t handle;
	int cpu;
	uint32_t called; /* futex: how many times it was told to run a chunk */
	struct stretch stretch;
	uint64_t before, after; /* probes, in ticks */
	uint64_t since_ns, until_ns; /* CLOCK_MONOTONIC around the chunk */
	uint64_t ran_ns; /* how much of that it was on its CPU */
	const char *failed;
};

struct crew {
	unsigned int size, cpu_count;
	uint32_t stop;
	/* the chunk under way */
	const struct benchmark *benchmark;
	unsigned int threads;
	unsigned long warm_up, loops;
	unsigned int arrived, done;
	struct member members[];
};

static void wait_until(const unsigned int *count, unsigned int wanted)
{
	for (unsigned int i = 0; __atomic_load_n(count, __ATOMIC_ACQUIRE) < wanted; i++)
		if (i >= SPINS)
			sched_yield();
}

static uint64_t cpu_time_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void take_part(struct member *self)
{
	struct crew *crew = self->crew;
	uint64_t ran;

	crew->benchmark->run(&self->own->thread, crew->warm_up);
	__atomic_add_fetch(&crew->arrived, 1, __ATOMIC_ACQ_REL);
	wait_until(&crew->arrived, crew->threads);
	self->before = timer_probe(self->own);
	self->since_ns = clock_ns();
	ran = cpu_time_ns();
	timer_run(self->own, crew->benchmark, crew->loops, &self->stretch);
	self->ran_ns = cpu_time_ns() - ran;
	self->until_ns = clock_ns();
	self->after = timer_probe(self->own);
	if (sched_getcpu() != self->cpu)
		self->failed = "taken away from its CPU";
	__atomic_add_fetch(&crew->done, 1, __ATOMIC_ACQ_REL);
}

static void *member_main(void *argument)
{
	struct member *self = argument;
	struct crew *crew = self->crew;
	uint32_t seen = 0;

	self->failed = pin_to(self->cpu);
	if (!self->failed)
		self->failed = timer_open(self->own, crew->members[0].own);
	__atomic_add_fetch(&crew->done, 1, __ATOMIC_ACQ_REL);
	for (;;) {
		while (__atomic_load_n(&self->called, __ATOMIC_ACQUIRE) == seen)
			syscall(SYS_futex, &self->called, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
		seen++;
		if (crew->stop)
			break;
		take_part(self);
	}
	registration_leave();
	return NULL;
}

static void call(struct member *member)
{
	__atomic_add_fetch(&member->called, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &member->called, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void crew_stop(struct crew *crew)
{
	struct thread *first = &crew->members[0].own->thread;

	crew->stop = true;
	for (unsigned int i = 1; i < crew->size; i++) {
		const struct thread *thread = &crew->members[i].timer.thread;

		call(&crew->members[i]);
		pthread_join(crew->members[i].handle, NULL);
		first->aborts += thread->aborts;
		first->failures += thread->failures;
		first->retries += thread->retries;
	}
	free(crew);
}

struct crew *crew_start(struct timer *first, unsigned int size, const int *cpus,
			unsigned int cpu_count, const char **failed)
{
	size_t bytes = sizeof(struct crew) + size * sizeof(struct member);
	/* of a descriptor, more than calloc() gives */
	struct crew *crew = aligned_alloc(_Alignof(struct crew), bytes);

	if (!crew) {
		*failed = "out of memory for the threads of a round";
		return NULL;
	}
	memset(crew, 0, bytes);
	crew->cpu_count = cpu_count;
	for (crew->size = 0; crew->size < size; crew->size++) {
		struct member *member = &crew->members[crew->size];

		member->crew = crew;
		member->own = crew->size ? &member->timer : first;
		member->cpu = cpus[crew->size % cpu_count];
		member->timer.thread.index = crew->size;
		if (crew->size && pthread_create(&member->handle, NULL, member_main, member)) {
			*failed = "cannot start the threads of a round";
			break;
		}
	}
	wait_until(&crew->done, crew->size - 1);
	for (unsigned int i = 1; i < crew->size && !*failed; i++)
		*failed = crew->members[i].failed;
	if (!*failed)
		return crew;
	crew_stop(crew);
	return NULL;
}

/*
 * Where threads have to take turns on a CPU, context switches say nothing: there, the threads of
 * each CPU must together have had it from the first one's begin to the last one's end.
 */
static bool cpu_was_ours(const struct crew *crew, unsigned int first)
{
	uint64_t since = UINT64_MAX, until = 0, ran = 0;

	for (unsigned int i = first; i < crew->threads; i += crew->cpu_count) {
		const struct member *member = &crew->members[i];

		since = member->since_ns < since ? member->since_ns : since;
		until = member->until_ns > until ? member->until_ns : until;
		ran += member->ran_ns;
	}
	return ran + (until - since) / FOREIGN_SHARE >= until - since;
}

static bool was_disturbed(const struct crew *crew, const struct stretch *whole, uint64_t latest)
{
	bool disturbed = false;

	if (crew->threads > crew->cpu_count) {
		for (unsigned int cpu = 0; cpu < crew->cpu_count; cpu++)
			disturbed |= !cpu_was_ours(crew, cpu);
		return disturbed;
	}
	for (unsigned int i = 0; i < crew->threads; i++)
		disturbed |= crew->members[i].stretch.disturbed;
	return disturbed || latest - whole->begin > (whole->end - whole->begin) / LATEST_SHARE;
}

const char *crew_run(struct crew *crew, const struct benchmark *benchmark, unsigned int threads,
		     unsigned long warm_up, unsigned long loops, struct stretch *out,
		     uint64_t probes[2])
{
	uint64_t latest = 0;
	const char *failed = NULL;

	crew->benchmark = benchmark;
	crew->threads = threads;
	crew->warm_up = warm_up;
	crew->loops = loops;
	crew->arrived = crew->done = 0;
	for (unsigned int i = 1; i < threads; i++)
		call(&crew->members[i]);
	take_part(&crew->members[0]);
	wait_until(&crew->done, threads);
	*out = crew->members[0].stretch;
	probes[0] = probes[1] = 0;
	for (unsigned int i = 0; i < threads; i++) {
		const struct member *member = &crew->members[i];

		out->begin = member->stretch.begin < out->begin ? member->stretch.begin
								: out->begin;
		out->end = member->stretch.end > out->end ? member->stretch.end : out->end;
		latest = member->stretch.begin > latest ? member->stretch.begin : latest;
		probes[0] = member->before > probes[0] ? member->before : probes[0];
		probes[1] = member->after > probes[1] ? member->after : probes[1];
		failed = member->failed ? member->failed : failed;
	}
	out->disturbed = was_disturbed(crew, out, latest);
	return failed;
}

uint64_t crew_aborts(const struct crew *crew)
{
	uint64_t aborts = 0;

	for (unsigned int i = 0; i < crew->size; i++)
		aborts += crew->members[i].own->thread.aborts;
	return aborts;
}
