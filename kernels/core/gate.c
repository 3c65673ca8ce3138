// SPDX-License-Identifier: MIT
/*
 * The gated engine's part in C: short chunks of many benchmarks, interleaved in one process, each
 * between two probes that tell whether the core was ours. It decides only when to stop; every chunk
 * is handed out with all that was seen of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chunk.h"
#include "clock.h"
#include "crew.h"
#include "host.h"
#include "benchmark.h"
#include "pin.h"
#include "registration.h"
#include "slots.h"

/* of the wanted chunks, how many are also taken with a neighbour, to show what that costs */
#define BUSY_SHARE 2
#define NAP_NS 200000 /* how long a busy core is given up */

struct gate {
	struct slots slots;
	struct timer timer;
	struct crew *crew; /* NULL while one thread is enough */
	int cpu;
	uint64_t deadline;
	uint64_t random;
	struct host_chunk *chunks;
	uint64_t capacity;
	struct host_round *out;
};

static void nap(void)
{
	const struct timespec time = { .tv_nsec = NAP_NS };

	nanosleep(&time, NULL);
}

/* xorshift64: Marsaglia 2003 */
static uint64_t next_random(struct gate *gate)
{
	gate->random ^= gate->random << 13;
	gate->random ^= gate->random >> 7;
	gate->random ^= gate->random << 17;
	return gate->random;
}

static uint64_t aborts(const struct gate *gate)
{
	return gate->crew ? crew_aborts(gate->crew) : gate->timer.thread.aborts;
}

/* Time a chunk; probes[0] was taken before it, probes[1] comes after. */
static const char *time_chunk(struct gate *gate, const struct slot *slot, struct stretch *stretch,
			      uint64_t probes[2])
{
	unsigned long warm_up = slots_warm_up(slot);

	if (slot->threads > 1)
		return crew_run(gate->crew, slot->benchmark, slot->threads, warm_up, slot->loops,
				stretch, probes);
	slot->benchmark->run(&gate->timer.thread, warm_up);
	timer_run(&gate->timer, slot->benchmark, slot->loops, stretch);
	probes[1] = timer_probe(&gate->timer);
	return NULL;
}

static const char *run_chunk(struct gate *gate, struct slot *slot, uint64_t before,
			     struct host_chunk *chunk)
{
	uint64_t probes[2] = { before }, aborted = aborts(gate);
	struct stretch stretch;
	const char *failed = time_chunk(gate, slot, &stretch, probes);

	chunk->before = narrow(probes[0]);
	chunk->after = narrow(probes[1]);
	chunk->disturbed = stretch.disturbed;
	chunk->instructions = stretch.counted[0];
	chunk->cycles = stretch.counted[1];
	chunk->branch_misses = stretch.counted[2];
	chunk->ticks = timer_ticks(&gate->timer, &stretch);
	chunk->aborts = aborts(gate) - aborted;
	slot->operations += (slots_warm_up(slot) + slot->loops) * slot->threads;
	gate->out->inside += chunk->ticks;
	return failed;
}

/*
 * With the C library's registration out of the way for as long as the chunk takes, where a
 * benchmark needs that.
 */
static const char *run_unregistered(struct gate *gate, struct slot *slot, uint64_t before,
				    struct host_chunk *chunk)
{
	struct rseq_area *area = gate->timer.thread.area;
	const char *failed;

	if (!area || registration_suspend(area))
		return "cannot unregister the rseq area for a benchmark that needs it off";
	failed = run_chunk(gate, slot, before, chunk);
	return registration_resume(area) ? "cannot register the rseq area again" : failed;
}

static const char *offer(struct gate *gate, unsigned int number)
{
	struct slot *slot = &gate->slots.list[number];
	struct host_chunk *chunk = &gate->chunks[gate->out->chunks];
	uint64_t before = timer_probe(&gate->timer), fastest = gate->timer.fastest;
	const char *failed;
	bool quiet[2];

	/*
	 * A neighbour is there: give the core up for a moment, unless a chunk beside it is still of
	 * interest.
	 */
	if (!is_quiet(before, fastest) && slot->busy >= slot->wanted / BUSY_SHARE) {
		gate->out->waits++;
		nap();
		return NULL;
	}
	memset(chunk, 0, sizeof(*chunk));
	chunk->slot = number;
	if (slot->benchmark->flags & NEEDS_NO_RSEQ && registration_mode() != REGISTRATION_NONE)
		failed = run_unregistered(gate, slot, before, chunk);
	else
		failed = run_chunk(gate, slot, before, chunk);
	fastest = gate->timer.fastest;
	quiet[0] = is_quiet(chunk->before, fastest);
	quiet[1] = is_quiet(chunk->after, fastest);
	slot->quiet += quiet[0] && quiet[1] && !chunk->disturbed;
	slot->busy += !quiet[0] && !quiet[1] && !chunk->disturbed;
	gate->out->chunks++;
	if (!failed && sched_getcpu() != gate->cpu)
		failed = "taken away from its CPU";
	return failed;
}

/* One pass over the benchmarks that still want chunks, in a new random order. */
static const char *pass(struct gate *gate, bool *wanting)
{
	unsigned int order[MAX_SLOTS];
	const char *failed = NULL;

	*wanting = false;
	for (unsigned int i = 0; i < gate->slots.count; i++) {
		unsigned int j = next_random(gate) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned int i = 0; i < gate->slots.count && !failed; i++) {
		if (gate->slots.list[order[i]].quiet >= gate->slots.list[order[i]].wanted)
			continue;
		*wanting = true;
		if (clock_ns() >= gate->deadline || gate->out->chunks >= gate->capacity) {
			*wanting = false;
			break;
		}
		failed = offer(gate, order[i]);
	}
	return failed;
}

static int give_up(char message[256], const char *why)
{
	snprintf(message, 256, "%s", why);
	return -1;
}

/* All that stands between a process and its first chunk. */
static const char *open_gate(struct gate *gate, const int *cpus, unsigned int cpu_count)
{
	const char *failed = pin_to(cpus[0]);

	gate->cpu = cpus[0];
	failed = failed ? failed : timer_open(&gate->timer, NULL);
	gate->out->resolution = gate->timer.resolution;
	failed = failed ? failed : slots_set_up(&gate->slots);
	if (!failed && slots_most_threads(&gate->slots) > 1)
		gate->crew = crew_start(&gate->timer, slots_most_threads(&gate->slots), cpus,
					cpu_count, &failed);
	return failed;
}

int host_gate(const struct host_slot *slots, unsigned int count, const int *cpus,
	      unsigned int cpu_count, uint64_t fastest, uint64_t limit_ms, uint64_t seed,
	      struct host_chunk *chunks, uint64_t capacity, struct host_round *out)
{
	static struct gate gate;
	uint64_t begin_ns, begin_ticks;
	const char *failed;
	bool wanting = true;

	memset(&gate, 0, sizeof(gate));
	memset(out, 0, sizeof(*out));
	gate.timer.fastest = fastest ? fastest : UINT64_MAX;
	gate.random = seed | 1;
	gate.chunks = chunks;
	gate.capacity = capacity;
	gate.out = out;
	failed = cpu_count ? slots_choose(&gate.slots, slots, count) : "no CPU to pin to";
	if (failed)
		return give_up(out->message, failed);
	failed = open_gate(&gate, cpus, cpu_count);
	begin_ns = clock_ns();
	begin_ticks = clock_begin(gate.timer.own_clock);
	gate.deadline = begin_ns + limit_ms * 1000000;
	while (wanting && !failed)
		failed = pass(&gate, &wanting);
	out->ns = clock_ns() - begin_ns;
	out->ns_per_tick =
		(double)out->ns / (double)(clock_end(gate.timer.own_clock) - begin_ticks);
	out->fastest = gate.timer.fastest;
	timer_close(&gate.timer);
	if (gate.crew)
		crew_stop(gate.crew);
	failed = slots_conclude(&gate.slots, &gate.timer.thread, failed);
	return failed ? give_up(out->message, failed) : 0;
}
