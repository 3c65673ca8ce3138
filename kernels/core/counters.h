/* SPDX-License-Identifier: MIT */
/*
 * The CPU's own counters (perf_event_open(2)), user mode only, of the calling thread: what explains
 * a time.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

#define COUNTERS 3 /* instructions, cycles, branch misses */

struct counters {
	int leader; /* file descriptor of the group, or -1 */
	const char *missing; /* why there are none, or NULL */
};

void counters_open(struct counters *counters);
/* Read all three at one moment; zeros where there are none. */
void counters_read(const struct counters *counters, uint64_t values[COUNTERS]);
void counters_close(struct counters *counters);

#endif
