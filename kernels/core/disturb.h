/* SPDX-License-Identifier: MIT */
/*
 * What makes a check a check: while its threads work, each is moved from CPU to CPU and hit by
 * signals.
 */
#ifndef DISTURB_H
#define DISTURB_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DISTURB_CPUS 4096

struct disturbance {
	uint64_t wanted; /* set by the caller: how many are enough */
	/* set by the caller, may be NULL: what else must happen first */
	const char *(*unmet)(void);
	bool *enough; /* set when that many have happened, and the rest */
	const pid_t *tids;
	unsigned int count;
	bool stop;
	uint64_t done;
	void (*beside)(const bool *stop);
	pthread_t mover, companion;
	struct sigaction before;
	int *last; /* where each thread was last sent */
	size_t set_size;
	cpu_set_t *allowed;
};

/*
 * With `wanted` and `enough` set: start moving and signalling the threads, and run `beside` (may be
 * NULL) in a thread of its own.
 */
void disturb_start(struct disturbance *self, const pid_t *tids, unsigned int count,
		   void (*beside)(const bool *stop));
/* Stop both; return how many times a thread was sent to another CPU or signalled. */
uint64_t disturb_stop(struct disturbance *self);

#endif
