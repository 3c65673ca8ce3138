/* SPDX-License-Identifier: MIT */
/*
 * One thread of a gated round: it times chunks of a benchmark, and sees of each whether the core
 * was its own meanwhile.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmark.h"
#include "counters.h"

/*
 * Linux clears rseq_cs when it preempts or signals a thread that stands outside of the descriptor's
 * range: so a descriptor is a tripwire.
 */
struct tripwire {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

/*
 * @counter: the ticks are those of the architecture's own counter
 * @overhead: what reading the clock twice takes, in ticks
 * @resolution: the least by which two readings of the clock differ, in ticks
 * @fastest: the fastest probe so far, in ticks
 * @counters: of the first thread of a round only
 */
struct chunk_timer {
	struct thread thread;
	struct tripwire tripwire;
	bool counter;
	uint64_t overhead, resolution, fastest;
	struct counters counters;
};

/*
 * @begin, @end: in ticks
 * @disturbed: Linux ran something else meanwhile
 * @counted: by the counters of one thread; zeros where nothing counts
 */
struct chunk_time {
	uint64_t begin, end;
	bool disturbed;
	uint64_t counted[COUNTERS];
};

/*
 * Make a timer ready for the calling thread. The first one of a round has no `like`; the others
 * take its clock as it found it. Returns NULL, or why that failed.
 */
const char *chunk_timer_open(struct chunk_timer *timer, const struct chunk_timer *like);
void chunk_timer_close(struct chunk_timer *timer);
/* Time a short empty loop, in ticks: how fast the core is for us right now. */
uint64_t chunk_timer_probe(struct chunk_timer *timer);
/* Time `loops` operations. */
void chunk_timer_run(struct chunk_timer *timer, const struct benchmark *benchmark,
		     unsigned long loops, struct chunk_time *out);
/* The length of a chunk without the clock's own cost, as clamp_ticks() has it. */
uint32_t chunk_timer_ticks(const struct chunk_timer *timer, const struct chunk_time *time);

/* Whether a probe of that many ticks had the core to itself; `fastest`: the fastest there was. */
bool is_probe_quiet(uint64_t ticks, uint64_t fastest);
/*
 * A clock that jumps back makes a difference of almost 2^64: it must stay too long, not become
 * anything.
 */
static inline uint32_t clamp_ticks(uint64_t ticks)
{
	return ticks < UINT32_MAX ? ticks : UINT32_MAX;
}

#endif
