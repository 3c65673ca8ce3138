/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks of a gated round: chosen, set up and proved exact together, because those of a
 * group share their state.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

#include "host.h"
#include "benchmark.h"

#define MAX_SLOTS 256

struct slot {
	const struct benchmark *benchmark;
	unsigned int threads, wanted;
	unsigned long loops;
	uint64_t operations; /* of all chunks and warm-ups, by all threads */
	unsigned int quiet, busy; /* chunks so far */
};

struct slots {
	struct slot list[MAX_SLOTS];
	unsigned int count;
	unsigned int ready; /* how many are set up, and so have to be torn down */
};

/* How many operations come before the timed ones of a chunk, in each thread. */
static inline unsigned long slots_warm_up(const struct slot *slot)
{
	return slot->loops / 16 + 1;
}

/* All of these return what is wrong, or NULL. */
const char *slot_refuses(const struct benchmark *benchmark, unsigned int threads);
const char *slots_choose(struct slots *self, const struct host_slot *slots, unsigned int count);
const char *slots_set_up(struct slots *slots);
/*
 * What a whole round left behind must be exact, like what a check leaves; `counts` is what its
 * threads counted.
 */
const char *slots_conclude(const struct slots *slots, const struct thread *counts,
			   const char *failed);
unsigned int slots_most_threads(const struct slots *slots);

#endif
