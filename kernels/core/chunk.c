// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "chunk.h"

#include <sys/resource.h>

#include "clock.h"
#include "registration.h"

/* about half a microsecond: short beside a chunk, long beside the clock's own cost */
#define PROBE_LOOPS 2000
#define SLOWEST_PERCENT 115 /* a probe that takes more than that of the fastest had a neighbour */

__asm__(".pushsection .text\n\t" OP_SIGNATURE
	".globl chunk_never\n\t.hidden chunk_never\nchunk_never:\n\tnop\n\t"
	".popsection");
extern const char chunk_never[];

/* The clock's own cost and its smallest step, both the least of many readings. */
static void measure_clock(struct timer *timer)
{
	timer->own_clock = clock_own();
	timer->overhead = UINT64_MAX;
	timer->resolution = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t begin = clock_begin(timer->own_clock), end = clock_end(timer->own_clock);

		if (end - begin < timer->overhead)
			timer->overhead = end - begin;
		if (end != begin && end - begin < timer->resolution)
			timer->resolution = end - begin;
	}
}

const char *timer_open(struct timer *timer, const struct timer *like)
{
	timer->thread.area = registration_enter();
	if (!timer->thread.area && registration_mode() != REGISTRATION_NONE)
		return "cannot register the rseq area of a thread";
	/* Our own address is never between start and end, so Linux only ever clears it. */
	timer->tripwire.start = (uint64_t)(unsigned long)chunk_never + 1;
	timer->tripwire.length = 1;
	timer->tripwire.abort = (uint64_t)(unsigned long)chunk_never;
	timer->counters.leader = -1;
	if (like) {
		timer->own_clock = like->own_clock;
		timer->overhead = like->overhead;
		timer->resolution = like->resolution;
		timer->fastest = like->fastest;
	} else {
		measure_clock(timer);
		counters_open(&timer->counters);
	}
	return NULL;
}

void timer_close(struct timer *timer)
{
	counters_close(&timer->counters);
}

uint64_t timer_probe(struct timer *timer)
{
	uint64_t begin = clock_begin(timer->own_clock), ticks;

	for (int i = PROBE_LOOPS; i; i--)
		barrier();
	ticks = clock_end(timer->own_clock) - begin;
	if (ticks < timer->fastest)
		timer->fastest = ticks;
	return ticks;
}

bool is_quiet(uint64_t ticks, uint64_t fastest)
{
	return ticks * 100 <= fastest * SLOWEST_PERCENT;
}

/*
 * A clock that jumps back makes a difference of almost 2^64: it must stay too long, not become
 * anything.
 */
uint32_t narrow(uint64_t ticks)
{
	return ticks < UINT32_MAX ? ticks : UINT32_MAX;
}

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

/*
 * Whether the tripwire can tell that Linux ran something else. A benchmark with sequences of its
 * own leaves no room for it, and some versions of Linux do not look at it on the way out of a
 * system call: there, context switches are counted. Where switches are the very operation, nothing
 * tells ours from others, and only the probes judge the chunk.
 */
static bool can_trip(const struct timer *timer, const struct benchmark *benchmark)
{
	return timer->thread.area &&
	       !(benchmark->flags & (IS_SEQUENCE | NEEDS_NO_RSEQ | ENTERS_LINUX));
}

void timer_run(struct timer *timer, const struct benchmark *benchmark, unsigned long loops,
	       struct stretch *out)
{
	bool trips = can_trip(timer, benchmark);
	long switched = trips ? 0 : switches();
	uint64_t before[COUNTERS];

	counters_read(&timer->counters, before);
	if (trips)
		WRITE_ONCE(timer->thread.area->rseq_cs, (uint64_t)(unsigned long)&timer->tripwire);
	out->begin = clock_begin(timer->own_clock);
	benchmark->run(&timer->thread, loops);
	out->end = clock_end(timer->own_clock);
	out->disturbed = trips ? !READ_ONCE(timer->thread.area->rseq_cs)
			       : !(benchmark->flags & SWITCHES) && switches() != switched;
	if (trips)
		WRITE_ONCE(timer->thread.area->rseq_cs, 0);
	counters_read(&timer->counters, out->counted);
	for (int i = 0; i < COUNTERS; i++) /* zeros from where the counters were taken from us */
		out->counted[i] = out->counted[i] > before[i] ? out->counted[i] - before[i] : 0;
}

uint32_t timer_ticks(const struct timer *timer, const struct stretch *stretch)
{
	uint64_t ticks = stretch->end - stretch->begin;

	return ticks > timer->overhead ? narrow(ticks - timer->overhead) : 0;
}
