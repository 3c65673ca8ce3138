// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "disturb.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel.h"

#define PATIENCE 20 /* how many times the wanted disturbances are made while something else has not happened yet */
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

/* Force a running thread onto one CPU; it stays where it is if it is there already, so the next CPU comes next. */
static void move(struct disturbance *self, pid_t tid, unsigned int n)
{
	cpu_set_t *one = CPU_ALLOC(DISTURB_CPUS);

	if (!one)
		return;
	CPU_ZERO_S(self->set_size, one);
	CPU_SET_S(nth_cpu(self, n), self->set_size, one);
	sched_setaffinity(tid, self->set_size, one);
	CPU_FREE(one);
}

static bool met(const struct disturbance *self)
{
	return !self->unmet || !self->unmet();
}

static void *mover_main(void *argument)
{
	struct disturbance *self = argument;
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	pid_t process = getpid();
	uint32_t random = 2463534242; /* xorshift32: Marsaglia 2003 */

	for (uint64_t turn = 0; !READ_ONCE(self->stop); turn++) {
		pid_t tid;

		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		tid = self->tids[random % self->count];
		/* Mostly migrations, some signals, and now and then the thread may go where it likes. */
		if (turn % 4 == 3)
			syscall(SYS_tgkill, process, tid, SIGURG);
		else if (turn % 16 == 6)
			sched_setaffinity(tid, self->set_size, self->allowed);
		else
			move(self, tid, random >> 8);
		if (++self->done >= self->wanted && (met(self) || self->done >= self->wanted * PATIENCE))
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

void disturb_start(struct disturbance *self, const pid_t *tids, unsigned int count, void (*beside)(const bool *stop))
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
	return self->done;
}
