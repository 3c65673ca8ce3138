// SPDX-License-Identifier: MIT
/*
 * ring_buffer: "LTTng-UST: write event 32-bit header, 32-bit payload into tracer per-cpu buffer".
 *
 * As in LTTng-UST an event takes two steps, between which the thread may be moved: reserve 8 bytes
 * in this CPU's buffer, write into them, commit by adding to the count of the sub-buffer. The patch
 * replaces the two atomic instructions by two sequences. A commit that finds itself on another CPU
 * adds atomically to a second count beside the first, because a plain store there would race with
 * that CPU's own; a sub-buffer is complete when both counts together say so. The header holds an
 * event number and no time stamp: reading a clock is not part of the claim.
 *
 * Exact means: every payload is found exactly once, or was counted as lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "benchmark.h"
#include "percpu.h"
#include "sequences.h"

#define EVENT_SIZE 8ul
#define SUB_SHIFT 12 /* 4 KiB a sub-buffer: 512 events */
#define SUB_SIZE (1ul << SUB_SHIFT)
#define SUB_COUNT 4ul
#define DATA_SHIFT 14
#define DATA_SIZE (1ul << DATA_SHIFT)
#define SLOT_SHIFT 8
/* event number 13 in the upper five bits, as in LTTng's compact header */
#define HEADER 0x68000000u

struct event {
	uint32_t header;
	uint32_t payload;
};

/*
 * Positions count bytes since the start and wrap with the word; the low DATA_SHIFT bits are the
 * place in the buffer.
 */
struct percpu_buffer {
	unsigned long position; /* reserved so far */
	unsigned long limit; /* end of the sub-buffer that is open for writing */
	/* bytes ever committed in this sub-buffer by threads of this CPU */
	unsigned long committed[SUB_COUNT];
	/* What other CPUs write, on lines of its own. */
	/* start of the oldest sub-buffer not yet consumed */
	unsigned long consumed __attribute__((aligned(128)));
	/* the same as committed, by threads that were moved in between */
	unsigned long from_elsewhere[SUB_COUNT];
	unsigned int draining; /* who consumes: one at a time */
};
_Static_assert(sizeof(struct percpu_buffer) <= 1 << SLOT_SHIFT, "a slot must fit its stride");

static char *slots, *data;
/* flight recorder: the writer drops the oldest sub-buffer; else it loses the new event */
static bool overwrite;
static unsigned long recorded, lost, twice, torn;
static uint32_t *found; /* while a check runs: a bit for each payload that was consumed */
static uint64_t found_size;

static struct percpu_buffer *buffer_of_cpu(size_t cpu)
{
	return (struct percpu_buffer *)(slots + (cpu << SLOT_SHIFT));
}

static __always_inline struct event *event_at(char *buffers, size_t cpu, unsigned long position)
{
	return (struct event *)(buffers + (cpu << DATA_SHIFT) + (position & (DATA_SIZE - 1)));
}

static __always_inline size_t sub_of(unsigned long position)
{
	return position >> SUB_SHIFT & (SUB_COUNT - 1);
}

static void ring_teardown(void)
{
	free(slots);
	free(data);
	free(found);
	slots = data = NULL;
	found = NULL;
}

static int ring_setup(const struct setup *setup)
{
	slots = percpu_alloc(SLOT_SHIFT);
	data = percpu_alloc(DATA_SHIFT);
	found_size = setup->check ? (uint64_t)setup->threads * setup->loops : 0;
	found = calloc(found_size / 32 + 1, sizeof(*found));
	recorded = lost = twice = torn = 0;
	overwrite = !setup->stress;
	if (slots && data && found)
		return 0;
	ring_teardown();
	return ENOMEM;
}

/* Mark a payload as consumed; return whether it was already. */
static bool mark(uint32_t payload)
{
	uint32_t bit = 1u << payload % 32;

	return __atomic_fetch_or(&found[payload / 32], bit, __ATOMIC_RELAXED) & bit;
}

/* Take note of the events from..to of a CPU's buffer. */
static void consume_events(size_t cpu, unsigned long from, unsigned long to)
{
	for (unsigned long at = from; at != to && found_size; at += EVENT_SIZE) {
		struct event *event = event_at(data, cpu, at);
		bool sound = event->header == HEADER && event->payload < found_size;

		if (!sound)
			__atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
		else if (mark(event->payload))
			__atomic_fetch_add(&twice, 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&recorded, (to - from) / EVENT_SIZE, __ATOMIC_RELAXED);
}

/*
 * Whether all bytes up to `end`, the end of a sub-buffer, are committed: each lap adds SUB_SIZE to
 * its counts.
 */
static bool complete(struct percpu_buffer *slot, unsigned long end)
{
	size_t sub = sub_of(end - 1);
	unsigned long laps = ((end - 1) >> DATA_SHIFT) + 1;
	unsigned long bytes = __atomic_load_n(&slot->committed[sub], __ATOMIC_ACQUIRE) +
			      __atomic_load_n(&slot->from_elsewhere[sub], __ATOMIC_ACQUIRE);

	/* Counts go on where positions wrap around, so compare as many bits as both have. */
	return !((bytes ^ laps << SUB_SHIFT) & ~0ul / SUB_COUNT);
}

/* Consume the oldest sub-buffer of a CPU if it is complete; return whether one was. */
static bool drain(size_t cpu)
{
	struct percpu_buffer *slot = buffer_of_cpu(cpu);
	bool done = false;

	if (__atomic_exchange_n(&slot->draining, 1, __ATOMIC_ACQUIRE))
		return false;
	if (complete(slot, slot->consumed + SUB_SIZE)) {
		consume_events(cpu, slot->consumed, slot->consumed + SUB_SIZE);
		__atomic_store_n(&slot->consumed, slot->consumed + SUB_SIZE, __ATOMIC_RELEASE);
		done = true;
	}
	__atomic_store_n(&slot->draining, 0, __ATOMIC_RELEASE);
	return done;
}

/* The consumer of a check: takes complete sub-buffers while the writers go on. */
static void consumer(const bool *stop)
{
	while (!READ_ONCE(*stop)) {
		bool any = false;

		for (unsigned int cpu = 0; cpu < possible_cpus(); cpu++)
			any |= !overwrite && drain(cpu);
		if (!any)
			sched_yield();
	}
}

/* Whether the sub-buffer behind `limit` is free, making it so if we may overwrite. */
static bool make_room(size_t cpu, struct percpu_buffer *slot, unsigned long limit)
{
	if (limit - __atomic_load_n(&slot->consumed, __ATOMIC_ACQUIRE) < DATA_SIZE)
		return true;
	return overwrite && drain(cpu);
}

/*
 * What is left in the buffers when all writers are done: complete and incomplete sub-buffers alike.
 */
static const char *drain_rest(size_t cpu)
{
	struct percpu_buffer *slot = buffer_of_cpu(cpu);
	unsigned long committed = 0;

	while (slot->position - slot->consumed >= SUB_SIZE)
		if (!drain(cpu))
			return complain("CPU %zu: a full sub-buffer is not wholly committed", cpu);
	for (size_t sub = 0; sub < SUB_COUNT; sub++)
		committed += slot->committed[sub] + slot->from_elsewhere[sub];
	if (committed != slot->position)
		return complain("CPU %zu: %lu bytes reserved, %lu committed", cpu, slot->position,
				committed);
	consume_events(cpu, slot->consumed, slot->position);
	return NULL;
}

static const char *ring_verify(uint64_t operations)
{
	for (unsigned int cpu = 0; cpu < possible_cpus(); cpu++) {
		const char *wrong = drain_rest(cpu);

		if (wrong)
			return wrong;
	}
	if (twice || torn)
		return complain("%lu payloads found twice, %lu torn", twice, torn);
	if (lost && !found_size)
		return complain("%lu events were lost, and losing one is not what is timed", lost);
	if (recorded + lost != (unsigned long)operations)
		return complain("%lu events written: %lu found, %lu counted as lost",
				(unsigned long)operations, recorded, lost);
	return NULL;
}

static __always_inline void write_event(struct event *event, uint32_t payload)
{
	WRITE_ONCE(event->header, HEADER);
	WRITE_ONCE(event->payload, payload);
}

/* What every event of a thread needs, held in registers by the loop. */
struct ring {
	struct rseq *area;
	char *slots, *data;
};

#define RING(symbol, doc_, flags_)                                                                 \
	BENCHMARK(symbol, .name = "ring_buffer/" #symbol, .doc = doc_,                             \
		  .flags = IS_SHARED | IS_THREADED | NEEDS_OWN_CPUS | (flags_),                    \
		  .setup = ring_setup, .run = run_##symbol, .stress = stress_##symbol,             \
		  .beside = consumer, .verify = ring_verify, .teardown = ring_teardown)

/*
 * There is no room, because somebody was preempted between reserve and commit or the consumer lags:
 * the event is lost. A check mostly lets the others run and has the event try again, or it would
 * lose nearly all and prove little.
 */
static bool wait_for_room(struct thread *self)
{
	if (found_size && ++self->retries % 16) {
		sched_yield();
		return true;
	}
	__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
	return false;
}

/* Open the next sub-buffer with compare-and-swap; false: no room, the event is lost. */
static __attribute__((noinline, cold)) bool next_sub_atomic(struct thread *self, size_t cpu)
{
	struct percpu_buffer *slot = buffer_of_cpu(cpu);
	unsigned long limit = __atomic_load_n(&slot->limit, __ATOMIC_RELAXED);

	if (READ_ONCE(slot->position) != limit)
		return true; /* somebody else opened it */
	if (!make_room(cpu, slot, limit))
		return wait_for_room(self);
	__atomic_compare_exchange_n(&slot->limit, &limit, limit + SUB_SIZE, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return true;
}

/* Reserve with compare-and-swap and commit with an atomic add, both exact on whatever CPU. */
static __always_inline void event_atomic(struct thread *self, const struct ring *ring,
					 uint32_t payload, const bool stress, read_cpu_fn *read_cpu)
{
	size_t cpu = read_cpu(ring->area);
	struct percpu_buffer *slot = (struct percpu_buffer *)(ring->slots + (cpu << SLOT_SHIFT));
	unsigned long at = READ_ONCE(slot->position);

	(void)self;
	for (;;) {
		if (unlikely((long)(at - READ_ONCE(slot->limit)) >= 0)) {
			if (!next_sub_atomic(self, cpu))
				return;
			at = READ_ONCE(slot->position);
			continue;
		}
		if (__atomic_compare_exchange_n(&slot->position, &at, at + EVENT_SIZE, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			break;
	}
	write_event(event_at(ring->data, cpu, at), payload);
	if (stress)
		linger();
	__atomic_fetch_add(&slot->committed[sub_of(at)], EVENT_SIZE, __ATOMIC_RELEASE);
}

static __always_inline void event_getcpu_atomic(struct thread *self, const struct ring *ring,
						uint32_t payload, const bool stress)
{
	event_atomic(self, ring, payload, stress, cpu_by_getcpu_2018);
}

static __always_inline void loop_getcpu_atomic(struct thread *self, unsigned long loops,
					       const bool stress)
{
	uint32_t payload = self->first;
	const struct ring ring = { self->area, slots, data };

	for (; loops; loops--)
		event_getcpu_atomic(self, &ring, payload++, stress);
}

static void run_getcpu_atomic(struct thread *self, unsigned long loops)
{
	loop_getcpu_atomic(self, loops, false);
}

static void stress_getcpu_atomic(struct thread *self, unsigned long loops)
{
	loop_getcpu_atomic(self, loops, true);
}

RING(getcpu_atomic, GETCPU_2018_DOC ", relaxed compare-and-swap to reserve, release add to commit",
     0);

#ifdef ARCH_HAS_VDSO_GETCPU
static __always_inline void event_vdso_atomic(struct thread *self, const struct ring *ring,
					      uint32_t payload, const bool stress)
{
	event_atomic(self, ring, payload, stress, cpu_by_getcpu);
}

static __always_inline void loop_vdso_atomic(struct thread *self, unsigned long loops,
					     const bool stress)
{
	uint32_t payload = self->first;
	const struct ring ring = { self->area, slots, data };

	for (; loops; loops--)
		event_vdso_atomic(self, &ring, payload++, stress);
}

static void run_vdso_atomic(struct thread *self, unsigned long loops)
{
	loop_vdso_atomic(self, loops, false);
}

static void stress_vdso_atomic(struct thread *self, unsigned long loops)
{
	loop_vdso_atomic(self, loops, true);
}

RING(vdso_atomic, "vDSO getcpu, relaxed compare-and-swap to reserve, release add to commit", 0);
#else
BENCHMARK_ABSENT(vdso_atomic, "ring_buffer/vdso_atomic",
		 "vDSO getcpu, compare-and-swap, atomic add", NO_VDSO_GETCPU);
#endif

static __always_inline void event_rseq_atomic(struct thread *self, const struct ring *ring,
					      uint32_t payload, const bool stress)
{
	event_atomic(self, ring, payload, stress, cpu_by_rseq);
}

static __always_inline void loop_rseq_atomic(struct thread *self, unsigned long loops,
					     const bool stress)
{
	uint32_t payload = self->first;
	const struct ring ring = { self->area, slots, data };

	for (; loops; loops--)
		event_rseq_atomic(self, &ring, payload++, stress);
}

static void run_rseq_atomic(struct thread *self, unsigned long loops)
{
	loop_rseq_atomic(self, loops, false);
}

static void stress_rseq_atomic(struct thread *self, unsigned long loops)
{
	loop_rseq_atomic(self, loops, true);
}

RING(rseq_atomic, "rseq cpu_id, relaxed compare-and-swap to reserve, release add to commit",
     NEEDS_RSEQ);

/* Open the next sub-buffer of this CPU with a sequence; false: no room, the event is lost. */
static __attribute__((noinline, cold)) bool next_sub_rseq(struct thread *self, const bool stress)
{
	size_t cpu = READ_ONCE(self->area->cpu_id_start);
	struct percpu_buffer *slot = buffer_of_cpu(cpu);
	unsigned long limit = READ_ONCE(slot->limit);

	if (READ_ONCE(slot->position) != limit)
		return true; /* somebody else opened it, or we were moved */
	if (!make_room(cpu, slot, limit))
		return wait_for_room(self);
	SEQ(stress, compare_store_on(self->area, &self->aborts, cpu, &slot->limit, limit,
				     limit + SUB_SIZE));
	return true;
}

static __always_inline void event_rseq(struct thread *self, const struct ring *ring,
				       uint32_t payload, const bool stress)
{
	const size_t position = offsetof(struct percpu_buffer, position),
		     limit = offsetof(struct percpu_buffer, limit);
	unsigned long cpu, at;
	struct percpu_buffer *slot;
	void *reserved;

	while (unlikely(!SEQ(stress, reserve(ring->area, &self->aborts, ring->slots, SLOT_SHIFT,
					     position, limit, EVENT_SIZE, &cpu, &reserved, &at))))
		if (!next_sub_rseq(self, stress))
			return;
	slot = reserved;
	write_event(event_at(ring->data, cpu, at), payload);
	if (stress)
		linger();
	if (unlikely(!SEQ(stress, add_on(ring->area, &self->aborts, cpu,
					 &slot->committed[sub_of(at)], EVENT_SIZE))))
		__atomic_fetch_add(&slot->from_elsewhere[sub_of(at)], EVENT_SIZE, __ATOMIC_RELEASE);
}

static __always_inline void loop_rseq(struct thread *self, unsigned long loops, const bool stress)
{
	uint32_t payload = self->first;
	const struct ring ring = { self->area, slots, data };

	for (; loops; loops--)
		event_rseq(self, &ring, payload++, stress);
}

static void run_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, false);
}

static void stress_rseq(struct thread *self, unsigned long loops)
{
	loop_rseq(self, loops, true);
}

RING(rseq, "one sequence to reserve, one to commit", NEEDS_RSEQ | IS_SEQUENCE);
