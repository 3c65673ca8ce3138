/* SPDX-License-Identifier: MIT */
/*
 * Another process that a benchmark talks to, on a CPU of choice. It dies with us, and at
 * partner_close() at the latest.
 */
#ifndef PARTNER_H
#define PARTNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct partner {
	pid_t pid; /* 0: there is none */
	int to, from; /* our ends of the pipes */
	volatile uint64_t *answered; /* how many messages it has taken, in memory that both see */
	bool placed;
};

/*
 * Start it: it takes byte after byte and, where `answers`, sends each back. With `real_time` it
 * runs before all that is not. Returns 0 or an errno.
 */
int partner_open(struct partner *partner, bool answers, bool real_time);
/*
 * Put it on the CPU that we are on, or on another one of those this process began with; once only.
 */
void partner_place(struct partner *partner, bool same_cpu);
/* How many bytes it has taken, after waiting up to a second for it to have taken `wanted`. */
uint64_t partner_answered(const struct partner *partner, uint64_t wanted);
void partner_close(struct partner *partner);
/* Whether Linux lets it run before all that is not real-time, which is not every root's right. */
bool partner_may_be_first(void);
/* How many CPUs this process might run on when it began, before it was pinned to anything. */
int partner_cpus(void);

#endif
