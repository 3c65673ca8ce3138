// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "disturb.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "benchmark.h"

/* how many times the wanted disturbances are made while something else has not happened yet */
#define PATIENCE 20
#define PAUSE_NS 20000 /* between two disturbances; the threads must also get something done */

static void no_op(int signal)
{
	(void)signal;
}

/* The n-th CPU that this process may use, counted round and round. */
static int nth_cpu(const struct disturbance *self, unsigned int n)
{
	n %= CPU_COUNT_S(self->set_size, self->allowed);
	for (int cpu = 0; cpu < DISTURB_CPUS; cpu++)
		if (CPU_ISSET_S(cpu, self->set_size, self->allowed) && !n--)
			return cpu;
	return 0;
}

/* Send a thread to another CPU than the last time; return whether it went. */
static bool move(struct disturbance *self, unsigned int thread, unsigned int n)
{
	cpu_set_t *one = CPU_ALLOC(DISTURB_CPUS);
	int cpu = nth_cpu(self, n);
	bool moved;

	if (!one)
		return false;
	if (cpu == self->last[thread])
		cpu = nth_cpu(self, n + 1);
	CPU_ZERO_S(self->set_size, one);
	CPU_SET_S(cpu, self->set_size, one);
	moved = cpu != self->last[thread] &&
		!sched_setaffinity(self->tids[thread], self->set_size, one);
	if (moved)
		self->last[thread] = cpu;
	CPU_FREE(one);
	return moved;
}

/*
 * Mostly a migration, sometimes a signal, and now and then the thread may go where it likes, which
 * does not count.
 */
static bool disturb(struct disturbance *self, uint64_t turn, uint32_t random)
{
	unsigned int thread = random % self->count;

	if (turn % 4 == 3)
		return !syscall(SYS_tgkill, getpid(), self->tids[thread], SIGURG);
	if (turn % 16 != 6)
		return move(self, thread, random >> 8);
	sched_setaffinity(self->tids[thread], self->set_size, self->allowed);
	self->last[thread] = -1;
	return false;
}

static bool met(const struct disturbance *self)
{
	return !self->unmet || !self->unmet();
}

static void *mover_main(void *argument)
{
	struct disturbance *self = argument;
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint32_t random = 2463534242; /* xorshift32: Marsaglia 2003 */

	for (uint64_t turn = 0; !READ_ONCE(self->stop); turn++) {
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		self->done += disturb(self, turn, random);
		if (self->done >= self->wanted && (met(self) || turn >= self->wanted * PATIENCE))
			WRITE_ONCE(*self->enough, true);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void *companion_main(void *argument)
{
	struct disturbance *self = argument;

	self->beside(&self->stop);
	return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), struct disturbance *self)
{
	if (!pthread_create(thread, NULL, body, self))
		return;
	fprintf(stderr, "cannot start the thread that disturbs the others\n");
	_exit(1);
}

void disturb_start(struct disturbance *self, const pid_t *tids, unsigned int count,
		   void (*beside)(const bool *stop))
{
	/* SIGURG: ignored by default and by everybody, so a late one does no harm. */
	struct sigaction action = { .sa_handler = no_op, .sa_flags = SA_RESTART };

	self->tids = tids;
	self->count = count;
	self->beside = beside;
	self->stop = false;
	self->done = 0;
	self->allowed = CPU_ALLOC(DISTURB_CPUS);
	self->set_size = CPU_ALLOC_SIZE(DISTURB_CPUS);
	CPU_ZERO_S(self->set_size, self->allowed);
	sched_getaffinity(0, self->set_size, self->allowed);
	self->last = malloc(count * sizeof(*self->last));
	if (!self->last) {
		fprintf(stderr, "out of memory\n");
		_exit(1);
	}
	for (unsigned int i = 0; i < count; i++)
		self->last[i] = -1;
	sigaction(SIGURG, &action, &self->before);
	start(&self->mover, mover_main, self);
	if (beside)
		start(&self->companion, companion_main, self);
}

uint64_t disturb_stop(struct disturbance *self)
{
	WRITE_ONCE(self->stop, true);
	pthread_join(self->mover, NULL);
	if (self->beside)
		pthread_join(self->companion, NULL);
	sigaction(SIGURG, &self->before, NULL);
	CPU_FREE(self->allowed);
	free(self->last);
	return self->done;
}
