// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "team.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpus.h"

const char *pin_thread(int cpu)
{
	cpu_mask mask;

	CPU_ZERO_S(sizeof(mask), mask);
	CPU_SET_S(cpu, sizeof(mask), mask);
	return sched_setaffinity(0, sizeof(mask), mask) ? "cannot pin to the CPU" : NULL;
}

long context_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static void *member_main(void *argument)
{
	struct team_member *self = argument;
	struct team *team = self->team;

	pthread_mutex_lock(&team->starting);
	pthread_mutex_unlock(&team->starting);
	if (team->cancelled)
		return NULL;
	self->tid = syscall(SYS_gettid);
	if (team->cpu_count)
		self->error = pin_thread(team->cpus[self->index % team->cpu_count]);
	team->work(self);
	return NULL;
}

const char *team_start(struct team *team)
{
	static char error[64];
	unsigned int waiting = team->size - team->first + team->caller_waits, i;

	pthread_mutex_init(&team->starting, NULL);
	pthread_barrier_init(&team->barrier, NULL, waiting);
	pthread_mutex_lock(&team->starting);
	for (i = team->first; i < team->size; i++) {
		struct team_member *member = &team->members[i];

		*member = (struct team_member){ .team = team, .index = i };
		if (pthread_create(&member->thread, NULL, member_main, member))
			break;
	}
	team->cancelled = i < team->size;
	pthread_mutex_unlock(&team->starting);
	if (!team->cancelled)
		return NULL;
	snprintf(error, sizeof(error), "cannot start thread %u of %u", i + 1, team->size);
	team->size = i;
	team_join(team);
	return error;
}

void team_wait(struct team *team)
{
	pthread_barrier_wait(&team->barrier);
}

const char *team_join(struct team *team)
{
	const char *error = NULL;

	for (unsigned int i = team->first; i < team->size; i++) {
		pthread_join(team->members[i].thread, NULL);
		if (team->members[i].error)
			error = team->members[i].error;
	}
	pthread_barrier_destroy(&team->barrier);
	pthread_mutex_destroy(&team->starting);
	return error;
}
