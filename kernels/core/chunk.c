// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "chunk.h"

#include "registration.h"
#include "team.h"
#include "ticks.h"

/* About half a microsecond: short compared to a chunk, long compared to the clock's own cost. */
#define PROBE_LOOPS 2000
/* A probe that takes more than that of the fastest had a neighbour. */
#define SLOWEST_PERCENT 115

__asm__(".pushsection .text\n\t" OP_SIGNATURE
	".globl never_executed\n\t.hidden never_executed\nnever_executed:\n\tnop\n\t"
	".popsection");
extern const char never_executed[];

/* The clock's own cost and its smallest step, both the least of many readings. */
static void measure_clock(struct chunk_timer *timer)
{
	timer->counter = ticks_are_steady();
	timer->overhead = UINT64_MAX;
	timer->resolution = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t begin = ticks_begin(timer->counter), end = ticks_end(timer->counter);

		if (end - begin < timer->overhead)
			timer->overhead = end - begin;
		if (end != begin && end - begin < timer->resolution)
			timer->resolution = end - begin;
	}
}

const char *chunk_timer_open(struct chunk_timer *timer, const struct chunk_timer *like)
{
	const char *error = registration_enter_thread(&timer->thread);

	if (error)
		return error;
	/* Our own address is never between start and end, so Linux only ever clears it. */
	timer->tripwire.start = (uint64_t)(unsigned long)never_executed + 1;
	timer->tripwire.length = 1;
	timer->tripwire.abort = (uint64_t)(unsigned long)never_executed;
	timer->counters.leader = -1;
	if (like) {
		timer->counter = like->counter;
		timer->overhead = like->overhead;
		timer->resolution = like->resolution;
		timer->fastest = like->fastest;
	} else {
		measure_clock(timer);
		counters_open(&timer->counters);
	}
	return NULL;
}

void chunk_timer_close(struct chunk_timer *timer)
{
	counters_close(&timer->counters);
}

uint64_t chunk_timer_probe(struct chunk_timer *timer)
{
	uint64_t begin = ticks_begin(timer->counter), ticks;

	for (int i = PROBE_LOOPS; i; i--)
		barrier();
	ticks = ticks_end(timer->counter) - begin;
	if (ticks < timer->fastest)
		timer->fastest = ticks;
	return ticks;
}

bool is_probe_quiet(uint64_t ticks, uint64_t fastest)
{
	return ticks * 100 <= fastest * SLOWEST_PERCENT;
}

/*
 * Whether the tripwire can tell that Linux ran something else. A benchmark with sequences of its
 * own leaves no room for it, and some versions of Linux do not look at it on the way out of a
 * system call: there, context switches are counted. Where switches are the very operation, nothing
 * tells ours from others, and only the probes judge the chunk.
 */
static bool can_trip(const struct chunk_timer *timer, const struct benchmark *benchmark)
{
	return timer->thread.area &&
	       !(benchmark->flags & (IS_SEQUENCE | NEEDS_NO_RSEQ | ENTERS_LINUX));
}

void chunk_timer_run(struct chunk_timer *timer, const struct benchmark *benchmark,
		     unsigned long loops, struct chunk_time *out)
{
	bool trips = can_trip(timer, benchmark);
	long switched = trips ? 0 : context_switches();
	uint64_t before[COUNTERS];

	counters_read(&timer->counters, before);
	if (trips)
		WRITE_ONCE(timer->thread.area->rseq_cs, (uint64_t)(unsigned long)&timer->tripwire);
	out->begin = ticks_begin(timer->counter);
	benchmark->run(&timer->thread, loops);
	out->end = ticks_end(timer->counter);
	out->disturbed = trips ? !READ_ONCE(timer->thread.area->rseq_cs)
			       : !(benchmark->flags & SWITCHES) && context_switches() != switched;
	if (trips)
		WRITE_ONCE(timer->thread.area->rseq_cs, 0);
	counters_read(&timer->counters, out->counted);
	/* Reads as zeros from where the counters were taken from us. */
	for (int i = 0; i < COUNTERS; i++)
		out->counted[i] = out->counted[i] > before[i] ? out->counted[i] - before[i] : 0;
}

uint32_t chunk_timer_ticks(const struct chunk_timer *timer, const struct chunk_time *time)
{
	uint64_t ticks = time->end - time->begin;

	return ticks > timer->overhead ? clamp_ticks(ticks - timer->overhead) : 0;
}
