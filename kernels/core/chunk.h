/* SPDX-License-Identifier: MIT */
/*
 * One thread of a gated round: it times chunks of a benchmark, and knows of each whether the core
 * was its own meanwhile.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "benchmark.h"

/*
 * Linux clears rseq_cs when it preempts or signals us outside of a descriptor's range: a descriptor
 * as a tripwire.
 */
struct tripwire {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

struct timer {
	struct thread thread;
	struct tripwire tripwire;
	bool own_clock;
	uint64_t overhead; /* of reading the clock twice, in ticks */
	uint64_t resolution; /* the least by which two readings of the clock differ, in ticks */
	uint64_t fastest; /* probe so far, in ticks */
	struct counters counters; /* of the first thread of a round only */
};

struct stretch {
	uint64_t begin, end; /* ticks */
	bool disturbed; /* Linux ran something else meanwhile */
	uint64_t counted[COUNTERS]; /* of one thread; zeros where nothing counts */
};

/*
 * Make ready for the calling thread. The first one of a round has no `like`; the others take its
 * clock as it found it.
 */
const char *timer_open(struct timer *timer, const struct timer *like);
void timer_close(struct timer *timer);
/* A short empty loop, in ticks: how fast the core is for us right now. */
uint64_t timer_probe(struct timer *timer);
/* Time `loops` operations. */
void timer_run(struct timer *timer, const struct benchmark *benchmark, unsigned long loops,
	       struct stretch *out);
/*
 * The length of a stretch without the clock's own cost; too long rather than anything else for a
 * clock that jumped.
 */
uint32_t timer_ticks(const struct timer *timer, const struct stretch *stretch);
/*
 * Whether a probe of that many ticks had the core to itself, `fastest` being the fastest there was.
 */
bool is_quiet(uint64_t ticks, uint64_t fastest);
uint32_t narrow(uint64_t ticks);

#endif
