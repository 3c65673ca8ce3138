/* SPDX-License-Identifier: MIT */
/*
 * Threads that do the same work at the same time, each pinned to a CPU where the caller wants that.
 * Nothing here allocates, so that the server can use it over an allocator under test.
 */
#ifndef TEAM_H
#define TEAM_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct team;

struct team_member {
	struct team *team;
	unsigned int index;
	pthread_t thread;
	pid_t tid;
	/* Why the thread failed, or NULL: it could not be pinned, or work() says so. */
	const char *error;
};

/*
 * @members: memory for `size` of them
 * @first: index of the first thread to start: 1 where the caller itself is number 0, else 0
 * @cpus: member i is pinned to cpus[i % cpu_count], and not pinned where cpu_count is 0
 * @caller_waits: team_wait() waits for the thread that started the team, too
 * @work: what a thread does; called also when pinning failed, since others may wait for it
 * @context: for work()
 */
struct team {
	struct team_member *members;
	unsigned int size, first;
	const int *cpus;
	unsigned int cpu_count;
	bool caller_waits;
	void (*work)(struct team_member *self);
	void *context;

	/* Private: held until all threads exist. */
	pthread_mutex_t starting;
	pthread_barrier_t barrier;
	bool cancelled;
};

/*
 * Start the threads. Returns NULL, or why they cannot be started; then none has begun its work and
 * none is left.
 */
const char *team_start(struct team *team);
/* Wait until all threads of the team have come here. */
void team_wait(struct team *team);
/* Wait until all threads have ended. Returns NULL, or why one of them failed. */
const char *team_join(struct team *team);

/* Pin the calling thread to one CPU. Returns NULL, or why that failed. */
const char *pin_thread(int cpu);
/* How often the calling thread has lost its CPU, or given it up. */
long context_switches(void);

#endif
