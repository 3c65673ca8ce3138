/* SPDX-License-Identifier: MIT */
/*
 * Several threads that time the same chunk at the same moment, each on its own CPU of a list; the
 * caller is the first.
 */
#ifndef CREW_H
#define CREW_H

#include "chunk.h"

struct crew;

/*
 * Start `size` - 1 threads beside the caller, whose timer is `first`, all asleep until they are
 * needed: a thread that waited on a CPU would be a neighbour. NULL and *failed if that cannot be.
 */
struct crew *crew_start(struct timer *first, unsigned int size, const int *cpus,
			unsigned int cpu_count, const char **failed);
/*
 * One chunk of `loops` operations in each of `threads` threads, after `warm_up` ones. `out` goes
 * from the first thread's begin to the last one's end, its counters are the first one's; the probes
 * before and after are the slowest of all. Returns what failed, or NULL.
 */
const char *crew_run(struct crew *crew, const struct benchmark *benchmark, unsigned int threads,
		     unsigned long warm_up, unsigned long loops, struct stretch *out,
		     uint64_t probes[2]);
/* Stop the threads; add what they counted to the caller's own. */
void crew_stop(struct crew *crew);
uint64_t crew_aborts(const struct crew *crew);

#endif
