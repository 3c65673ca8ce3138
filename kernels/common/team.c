// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "team.h"

#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *pin_thread(int cpu)
{
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	int failed = !set;

	if (set) {
		CPU_ZERO_S(size, set);
		CPU_SET_S(cpu, size, set);
		failed = sched_setaffinity(0, size, set);
	}
	CPU_FREE(set);
	return failed ? "cannot pin to the CPU" : NULL;
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
