/* SPDX-License-Identifier: MIT */
/*
 * Several threads that time the same chunk at the same moment, each on its own CPU of a list; the
 * caller is the first of them.
 */
#ifndef CHUNK_TEAM_H
#define CHUNK_TEAM_H

#include "chunk.h"

struct chunk_team;

/*
 * Start `size` - 1 more threads than the caller, whose timer is `first`. They sleep until they are
 * needed: a thread that waited on a CPU would be a neighbour. Returns NULL, or why that cannot be.
 */
const char *chunk_team_start(struct chunk_team **team, struct chunk_timer *first, unsigned int size,
			     const int *cpus, unsigned int cpu_count);
/*
 * Time one chunk of `loops` operations in each of `threads` threads, after `warm_up` ones. `out`
 * goes from the first begin to the last end, with the counters of the caller; the probes before and
 * after are the slowest of all threads. Returns NULL, or what failed.
 */
const char *chunk_team_run(struct chunk_team *team, const struct benchmark *benchmark,
			   unsigned int threads, unsigned long warm_up, unsigned long loops,
			   struct chunk_time *out, uint64_t probes[2]);
/* Stop the threads; add what they counted to the caller's own. */
void chunk_team_stop(struct chunk_team *team);
uint64_t chunk_team_aborts(const struct chunk_team *team);

#endif
