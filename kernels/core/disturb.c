// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "disturb.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "benchmark.h"
#include "clock.h"
#include "xorshift.h"

/* How many times the wanted disturbances are made while something else has not happened yet. */
#define PATIENCE 20
/* Between two disturbances: the threads must also get something done. */
#define PAUSE_NS 20000
#define SEED 2463534242

static void ignore_signal(int signal)
{
	(void)signal;
}

/* The n-th CPU that this process may use, counted round and round. */
static int nth_cpu(const struct disturbance *self, unsigned int n)
{
	n %= CPU_COUNT_S(sizeof(self->allowed), self->allowed);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		if (CPU_ISSET_S(cpu, sizeof(self->allowed), self->allowed) && !n--)
			return cpu;
	return 0;
}

static bool move_thread(const struct disturbance *self, unsigned int thread, const cpu_set_t *cpus)
{
	return !sched_setaffinity(self->disturbed->members[thread].tid, sizeof(cpu_mask), cpus);
}

/* Send a thread to another CPU than the last time; return whether it went. */
static bool send_elsewhere(struct disturbance *self, unsigned int thread, unsigned int n)
{
	int cpu = nth_cpu(self, n);
	cpu_mask target;
	bool moved;

	if (cpu == self->last[thread])
		cpu = nth_cpu(self, n + 1);
	CPU_ZERO_S(sizeof(target), target);
	CPU_SET_S(cpu, sizeof(target), target);
	moved = cpu != self->last[thread] && move_thread(self, thread, target);
	if (moved)
		self->last[thread] = cpu;
	return moved;
}

/*
 * Mostly a migration, sometimes a signal, and now and then the thread may go where it likes, which
 * does not count.
 */
static bool disturb_thread(struct disturbance *self, uint64_t turn, uint64_t random)
{
	unsigned int thread = random % self->disturbed->size;

	if (turn % 4 == 3)
		return !syscall(SYS_tgkill, getpid(), self->disturbed->members[thread].tid, SIGURG);
	if (turn % 16 != 6)
		return send_elsewhere(self, thread, random >> 32);
	move_thread(self, thread, self->allowed);
	self->last[thread] = -1;
	return false;
}

static void disturb_threads(struct disturbance *self)
{
	uint64_t random = SEED;

	for (uint64_t turn = 0; !READ_ONCE(self->stop); turn++) {
		random = xorshift64(random);
		self->done += disturb_thread(self, turn, random);
		if (self->done >= self->wanted &&
		    (!self->unmet || !self->unmet() || turn >= self->wanted * PATIENCE))
			WRITE_ONCE(*self->enough, true);
		sleep_ns(PAUSE_NS);
	}
}

static void disturb_work(struct team_member *member)
{
	struct disturbance *self = member->team->context;

	if (member->index)
		self->beside(&self->stop);
	else
		disturb_threads(self);
}

static void disturbance_free(struct disturbance *self)
{
	sigaction(SIGURG, &self->before, NULL);
	free(self->last);
}

const char *disturb_start(struct disturbance *self, const struct team *team)
{
	/* SIGURG: ignored by default and by everybody, so a late one does no harm. */
	struct sigaction action = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	const char *error;

	self->disturbed = team;
	self->team = (struct team){ .members = self->members,
				    .size = self->beside ? 2 : 1,
				    .work = disturb_work,
				    .context = self };
	sigaction(SIGURG, &action, &self->before);
	self->last = malloc(team->size * sizeof(*self->last));
	if (!self->last) {
		disturbance_free(self);
		return "out of memory to disturb the threads";
	}
	CPU_ZERO_S(sizeof(self->allowed), self->allowed);
	sched_getaffinity(0, sizeof(self->allowed), self->allowed);
	for (unsigned int i = 0; i < team->size; i++)
		self->last[i] = -1;
	error = team_start(&self->team);
	if (error)
		disturbance_free(self);
	return error;
}

uint64_t disturb_stop(struct disturbance *self)
{
	WRITE_ONCE(self->stop, true);
	team_join(&self->team);
	disturbance_free(self);
	return self->done;
}
