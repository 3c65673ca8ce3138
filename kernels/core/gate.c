// SPDX-License-Identifier: MIT
/*
 * The gated engine's part in C: short chunks of many kernels, interleaved in one process, each between two probes that
 * tell whether the core was ours. It decides only when to stop; every chunk is handed out with all that was seen of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "clock.h"
#include "counters.h"
#include "host.h"
#include "kernel.h"
#include "pin.h"
#include "registration.h"
#include "registry.h"

#define PROBE_LOOPS 2000 /* about half a microsecond: short beside a chunk, long beside the clock's own cost */
#define SLOWEST_PERCENT 115 /* a probe that takes more than that of the fastest had a neighbour */
#define WARM_UP_SHARE 16
#define BUSY_SHARE 2 /* of the wanted chunks, how many are also taken with a neighbour, to show what that costs */
#define NAP_NS 200000 /* how long a busy core is given up */
#define MAX_SLOTS 256

/* Linux clears rseq_cs when it preempts or signals us outside of a descriptor's range: a descriptor as a tripwire. */
struct tripwire {
	uint32_t version, flags;
	uint64_t start, length, abort;
} __attribute__((aligned(32)));

__asm__(".pushsection .text\n\t" OP_SIGNATURE ".globl gate_never\n\t.hidden gate_never\ngate_never:\n\tnop\n\t"
	".popsection");
extern const char gate_never[];

struct slot {
	const struct kernel *kernel;
	unsigned long loops;
	uint64_t operations; /* of all chunks and warm-ups */
	unsigned int quiet, busy; /* chunks so far */
};

struct gate {
	struct slot slots[MAX_SLOTS];
	unsigned int count, wanted;
	struct thread thread;
	struct tripwire tripwire;
	struct counters counters;
	int cpu;
	bool own_clock;
	uint64_t overhead; /* of reading the clock twice, in ticks */
	uint64_t fastest; /* probe, in ticks */
	uint64_t deadline;
	uint64_t random;
	struct host_chunk *chunks;
	uint64_t capacity;
	struct host_round *out;
};

static uint64_t probe(struct gate *gate)
{
	uint64_t begin = clock_begin(gate->own_clock), ticks;

	for (int i = PROBE_LOOPS; i; i--)
		barrier();
	ticks = clock_end(gate->own_clock) - begin;
	if (ticks < gate->fastest)
		gate->fastest = ticks;
	return ticks;
}

static bool is_quiet(const struct gate *gate, uint64_t ticks)
{
	return ticks * 100 <= gate->fastest * SLOWEST_PERCENT;
}

/* A clock that jumps back makes a difference of almost 2^64: it must stay too long, not become anything. */
static uint32_t narrow(uint64_t ticks)
{
	return ticks < UINT32_MAX ? ticks : UINT32_MAX;
}

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

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

/*
 * Whether the tripwire can tell that Linux ran something else. A kernel with sequences of its own leaves no room for
 * it, and some versions of Linux do not look at it on the way out of a system call: there, context switches are counted.
 */
static bool can_trip(const struct gate *gate, const struct kernel *kernel)
{
	return gate->thread.area && !(kernel->flags & (IS_SEQUENCE | NEEDS_NO_RSEQ | ENTERS_LINUX));
}

static void run_chunk(struct gate *gate, struct slot *slot, struct host_chunk *chunk)
{
	const struct kernel *kernel = slot->kernel;
	unsigned long warm_up = slot->loops / WARM_UP_SHARE + 1, aborts;
	bool trips = can_trip(gate, kernel);
	long switched = trips ? 0 : switches();
	uint64_t begin, end, counted[COUNTERS], before[COUNTERS];

	kernel->run(&gate->thread, warm_up);
	aborts = gate->thread.aborts;
	counters_read(&gate->counters, before);
	if (trips)
		WRITE_ONCE(gate->thread.area->rseq_cs, (uint64_t)(unsigned long)&gate->tripwire);
	begin = clock_begin(gate->own_clock);
	kernel->run(&gate->thread, slot->loops);
	end = clock_end(gate->own_clock);
	chunk->disturbed = trips ? !READ_ONCE(gate->thread.area->rseq_cs) : switches() != switched;
	if (trips)
		WRITE_ONCE(gate->thread.area->rseq_cs, 0);
	counters_read(&gate->counters, counted);
	chunk->instructions = counted[0] - before[0];
	chunk->cycles = counted[1] - before[1];
	chunk->branch_misses = counted[2] - before[2];
	chunk->ticks = end - begin > gate->overhead ? narrow(end - begin - gate->overhead) : 0;
	chunk->aborts = gate->thread.aborts - aborts;
	slot->operations += warm_up + slot->loops;
	gate->out->inside += chunk->ticks;
}

/* With the C library's registration out of the way for as long as the chunk takes, where a kernel needs that. */
static const char *run_unregistered(struct gate *gate, struct slot *slot, struct host_chunk *chunk)
{
	if (!gate->thread.area || registration_suspend(gate->thread.area))
		return "cannot unregister the rseq area for a kernel that needs it off";
	run_chunk(gate, slot, chunk);
	return registration_resume(gate->thread.area) ? "cannot register the rseq area again" : NULL;
}

static const char *offer(struct gate *gate, unsigned int number)
{
	struct slot *slot = &gate->slots[number];
	struct host_chunk *chunk = &gate->chunks[gate->out->chunks];
	uint64_t before = probe(gate), after;
	const char *failed = NULL;
	bool quiet;

	/* A neighbour is there: give the core up for a moment, unless a chunk beside it is still of interest. */
	if (!is_quiet(gate, before) && slot->busy >= gate->wanted / BUSY_SHARE) {
		gate->out->waits++;
		nap();
		return NULL;
	}
	memset(chunk, 0, sizeof(*chunk));
	if (slot->kernel->flags & NEEDS_NO_RSEQ && registration_mode() != REGISTRATION_NONE)
		failed = run_unregistered(gate, slot, chunk);
	else
		run_chunk(gate, slot, chunk);
	after = probe(gate);
	chunk->before = narrow(before);
	chunk->after = narrow(after);
	chunk->slot = number;
	quiet = is_quiet(gate, before) && is_quiet(gate, after);
	slot->quiet += quiet && !chunk->disturbed;
	slot->busy += !is_quiet(gate, before) && !is_quiet(gate, after) && !chunk->disturbed;
	gate->out->chunks++;
	if (!failed && sched_getcpu() != gate->cpu)
		failed = "taken away from its CPU";
	return failed;
}

/* One pass over the kernels that still want chunks, in a new random order. */
static const char *pass(struct gate *gate, bool *wanting)
{
	unsigned int order[MAX_SLOTS];
	const char *failed = NULL;

	*wanting = false;
	for (unsigned int i = 0; i < gate->count; i++) {
		unsigned int j = next_random(gate) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned int i = 0; i < gate->count && !failed; i++) {
		if (gate->slots[order[i]].quiet >= gate->wanted)
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

/* Kernels of one group share their state: whoever comes first sets it up, verifies it for all and tears it down. */
static bool leads(const struct gate *gate, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (gate->slots[i].kernel->setup == gate->slots[number].kernel->setup)
			return false;
	return true;
}

static bool verified_before(const struct gate *gate, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (gate->slots[i].kernel->verify == gate->slots[number].kernel->verify)
			return true;
	return false;
}

static uint64_t operations_with(const struct gate *gate, unsigned int number)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < gate->count; i++)
		if (gate->slots[i].kernel->setup == gate->slots[number].kernel->setup)
			sum += gate->slots[i].operations;
	return sum;
}

static const char *set_up(struct gate *gate)
{
	const struct setup setup = { .threads = 1, .loops = 1 };

	for (unsigned int i = 0; i < gate->count; i++)
		if (gate->slots[i].kernel->setup && leads(gate, i) && gate->slots[i].kernel->setup(&setup))
			return complain("cannot set up %s", gate->slots[i].kernel->name);
	return NULL;
}

/* The sums, lists and events that a whole round left behind must be exact, like those of a check. */
static const char *conclude(struct gate *gate, const char *failed)
{
	for (unsigned int i = 0; i < gate->count; i++) {
		const struct kernel *kernel = gate->slots[i].kernel;

		if (!failed && kernel->verify && kernel->flags & IS_SHARED && !verified_before(gate, i))
			failed = kernel->verify(operations_with(gate, i));
	}
	for (unsigned int i = 0; i < gate->count; i++)
		if (gate->slots[i].kernel->teardown && leads(gate, i))
			gate->slots[i].kernel->teardown();
	if (!failed && (gate->thread.failures || gate->thread.retries))
		failed = "an operation went wrong or had to be repeated";
	return failed;
}

/* The clock's own cost and its smallest step, both the least of many readings. */
static void measure_clock(struct gate *gate)
{
	gate->own_clock = clock_own();
	gate->overhead = UINT64_MAX;
	gate->out->resolution = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t begin = clock_begin(gate->own_clock), end = clock_end(gate->own_clock);

		if (end - begin < gate->overhead)
			gate->overhead = end - begin;
		if (end != begin && end - begin < gate->out->resolution)
			gate->out->resolution = end - begin;
	}
}

static const char *choose(struct gate *gate, const struct host_slot *slots, unsigned int count)
{
	if (!count || count > MAX_SLOTS)
		return "too few or too many kernels for one round";
	gate->count = count;
	for (unsigned int i = 0; i < count; i++) {
		const struct kernel *kernel = registry_get(slots[i].kernel);
		const char *why = kernel ? NULL : "no such kernel";

		if (slots[i].threads != 1)
			why = "gated rounds have one thread";
		if (!why && !(kernel->flags & NEEDS_NO_RSEQ))
			why = registry_unavailable(kernel);
		if (why)
			return why;
		gate->slots[i] = (struct slot){ .kernel = kernel, .loops = slots[i].loops };
	}
	return NULL;
}

static int give_up(char message[256], const char *why)
{
	snprintf(message, 256, "%s", why);
	return -1;
}

int host_gate(const struct host_slot *slots, unsigned int count, const int *cpus, unsigned int cpu_count,
	      unsigned int wanted, uint64_t fastest, uint64_t limit_ms, uint64_t seed, struct host_chunk *chunks,
	      uint64_t capacity, struct host_round *out)
{
	static struct gate gate;
	uint64_t begin_ns, begin_ticks;
	const char *failed;
	bool wanting = true;

	memset(&gate, 0, sizeof(gate));
	memset(out, 0, sizeof(*out));
	gate.wanted = wanted;
	gate.cpu = cpus[0];
	gate.fastest = fastest ? fastest : UINT64_MAX;
	gate.random = seed | 1;
	gate.chunks = chunks;
	gate.capacity = capacity;
	gate.out = out;
	/* Our own address is never between start and end, so Linux only ever clears it. */
	gate.tripwire.start = (uint64_t)(unsigned long)gate_never + 1;
	gate.tripwire.length = 1;
	gate.tripwire.abort = (uint64_t)(unsigned long)gate_never;
	failed = cpu_count ? choose(&gate, slots, count) : "no CPU to pin to";
	failed = failed ? failed : pin_to(cpus[0]);
	if (failed)
		return give_up(out->message, failed);
	gate.thread.area = registration_enter();
	measure_clock(&gate);
	counters_open(&gate.counters);
	failed = set_up(&gate);
	begin_ns = clock_ns();
	begin_ticks = clock_begin(gate.own_clock);
	gate.deadline = begin_ns + limit_ms * 1000000;
	while (wanting && !failed)
		failed = pass(&gate, &wanting);
	out->ns = clock_ns() - begin_ns;
	out->ns_per_tick = (double)out->ns / (double)(clock_end(gate.own_clock) - begin_ticks);
	out->fastest = gate.fastest;
	counters_close(&gate.counters);
	failed = conclude(&gate, failed);
	return failed ? give_up(out->message, failed) : 0;
}
